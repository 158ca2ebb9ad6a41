"""The small checkpoint builder: an ordinary folder, the same bytes each time."""

import string

import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor

from tandem.train.demo import small_qwen


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_it_is_the_same_each_time_and_another_with_another_seed(tmp_path, family):
    one, two, three = (
        small_qwen.build(tmp_path / str(i), family=family, seed=seed)
        for i, seed in enumerate((0, 0, 1))
    )
    files = sorted(path.name for path in one.iterdir())
    assert {"config.json", "model.safetensors", "tokenizer.json"} < set(files)
    for name in files:
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert (one / "model.safetensors").read_bytes() != (three / "model.safetensors").read_bytes()


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_it_is_loaded_as_the_real_one_and_spells_letters_and_digits(checkpoints, family):
    processor = AutoProcessor.from_pretrained(checkpoints[family])
    model = AutoModelForImageTextToText.from_pretrained(checkpoints[family])
    assert model.config.model_type == family
    for letter in string.ascii_letters + string.digits:
        assert len(processor.tokenizer.encode(letter, add_special_tokens=False)) == 1
    assert len(processor.tokenizer) <= model.config.text_config.vocab_size
    text = "Ein Satz: 你好, 3 Bilder."
    assert processor.tokenizer.decode(processor.tokenizer.encode(text)) == text
