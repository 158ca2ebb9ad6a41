"""The well-known teachers: each name has a home on the hub and a licence."""

from tandem.spec.plugins.teachers import HUB_IDS, licence_of, release_of


def test_every_release_has_the_licence_it_is_published_under():
    expected = {
        "bert-base-uncased": "Apache-2.0",
        "qwen2.5-vl-3b": "Qwen Research License",
        "qwen2.5-vl-7b": "Apache-2.0",
        "roberta-base": "MIT",
        "clip-vit-large": "MIT",
        "bge-small-en": "MIT",
        "all-minilm-l6-v2": "Apache-2.0",
    }
    assert {name: licence_of(name) for name in expected} == expected
    assert all(licence_of(name) for name in HUB_IDS)


def test_a_text_teacher_is_found_in_any_spelling():
    assert release_of("BERT base uncased") == "bert-base-uncased"
    assert release_of("all-MiniLM-L6-v2") == "all-minilm-l6-v2"
