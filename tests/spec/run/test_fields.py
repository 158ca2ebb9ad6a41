"""What a form says of each knob: complete, in both languages."""

from __future__ import annotations

from typing import get_args

from tandem.spec.i18n import speaking
from tandem.spec.run.base import Unit
from tandem.spec.run.fields import SECTIONS, described, fields
from tandem.spec.run.knobs import KNOBS

UNITS = set(get_args(Unit))


def test_every_knob_has_a_title_a_description_a_level_and_perhaps_a_unit():
    with speaking("en"):
        found = dict(fields(described()))
    assert found.keys() == KNOBS.keys()
    for path, field in found.items():
        assert len(field["title"]) > 2, path
        assert len(field["description"]) > 3, path
        assert field["unit"] is None or field["unit"] in UNITS, path
        assert field["level"] in ("basic", "advanced")
    assert 12 <= sum(knob.level == "basic" for knob in KNOBS.values()) <= 25
    assert {knob.unit for knob in KNOBS.values()} - {None} == UNITS


def test_a_knob_whose_number_counts_something_says_what():
    with speaking("en"):
        found = dict(fields(described()))
    for path in ("optim.epochs", "data.image_size", "optim.batch_size", "run.log_interval"):
        assert found[path]["unit"], path
    assert found["optim.learning_rate"]["title"] == "Learning rate"


def test_every_choice_is_called_something():
    with speaking("en"):
        found = dict(fields(described()))
    for path, field in found.items():
        options = field.get("anyOf") or [field]
        values = {one for option in options for one in option.get("enum", ())}
        values |= {one for option in options for one in _referred(option)}
        values |= {option["const"] for option in options if "const" in option}
        assert field.get("choices", {}).keys() == values, path


def _referred(option: dict) -> list[str]:
    name = option.get("$ref", "").rpartition("/")[2]
    return described()["$defs"][name].get("enum", []) if name else []


def test_all_of_it_is_chinese_for_who_reads_chinese():
    with speaking("zh"):
        said = described()
    for path, field in fields(said):
        for text in (field["title"], field["description"]):
            names = ("MixUp", "CutMix", "LoRA")
            assert text in names or any("一" <= one <= "鿿" for one in text), path
    for name in SECTIONS:
        title = said["properties"][name]["title"]
        assert title == "LoRA" or any("一" <= one <= "鿿" for one in title)


def test_one_language_leaves_no_trace_in_the_other():
    with speaking("zh"):
        described()
    with speaking("en"):
        assert described()["properties"]["data"]["title"] == "Data"
