"""What people call each knob of a RunSpec, its unit, and whether everyone is to see it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache

from tandem.spec.i18n import joined, t
from tandem.spec.plugins.catalog import chosen_names
from tandem.spec.run import RunSpec
from tandem.spec.run.base import SpecTree
from tandem.spec.run.knobs import KNOBS, PLUGIN_NAMES, paragraphs

SECTIONS = {
    "data": "Data",
    "teacher": "Teacher",
    "lora": "LoRA",
    "student": "Student",
    "loss": "Losses",
    "optim": "Training",
    "views": "Augmentation",
    "yolo": "Detectors' own training",
    "cache": "Cache of the teacher's answers",
    "run": "Run",
    "report": "Report",
}


def described() -> SpecTree:
    """The JSON schema of a RunSpec for a form: titles, descriptions, units, levels and what its
    choices are called. In the reader's language."""
    schema = copy.deepcopy(_schema())
    for name, title in SECTIONS.items():
        section = schema["$defs"][_definition(schema["properties"][name])]
        schema["properties"][name]["title"] = section["title"] = t(title)
        if section.get("description"):
            section["description"] = _said(section["description"])
    for path, field in fields(schema):
        knob = KNOBS[path]
        field |= {"title": t(knob.title), "unit": knob.unit, "level": knob.level}
        field["description"] = _said(field.get("description", ""))
        if choices := _choices(path):
            field["choices"] = choices
    return schema


def _choices(path: str) -> dict[str, str]:
    """What each of a field's values is called; a plug-in's is called by its own title."""
    if (plugin := PLUGIN_NAMES.get(path)) is not None:
        chosen = chosen_names(plugin.group, plugin.role)
        return {name: t(str(one.get("title", name))) for name, one in chosen.items()}
    return {value: t(english) for value, (english, _) in KNOBS[path].choices.items()}


def fields(schema: SpecTree) -> Iterator[tuple[str, SpecTree]]:
    """Every field that is no section, by its dotted path."""
    for name, field in schema["properties"].items():
        if name not in SECTIONS:
            yield name, field
            continue
        section = schema["$defs"][_definition(field)]
        yield from ((f"{name}.{below}", one) for below, one in section["properties"].items())


def _said(description: str) -> str:
    return joined(t(one) for one in paragraphs(description))


def _definition(field: SpecTree) -> str:
    """The name of the section that a field refers to."""
    options = [field, *field.get("anyOf", ()), *field.get("allOf", ())]
    reference: str = next(one["$ref"] for one in options if "$ref" in one)
    return reference.rpartition("/")[2]


@cache
def _schema() -> SpecTree:
    return RunSpec.model_json_schema()
