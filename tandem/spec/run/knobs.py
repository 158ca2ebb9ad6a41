"""Every knob of a RunSpec by its dotted path, as the sections state it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tandem.spec.i18n import add_chinese
from tandem.spec.plugins.catalog import PluginName
from tandem.spec.run.base import Knob
from tandem.spec.run.spec import RunSpec


def paragraphs(description: str) -> list[str]:
    """A docstring's paragraphs, each in one line."""
    return [" ".join(part.split()) for part in description.split("\n\n") if part.strip()]


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field that is no section, by its dotted path."""
    for name, info in model.model_fields.items():
        inner = [info.annotation, *getattr(info.annotation, "__args__", ())]
        section = next((i for i in inner if isinstance(i, type) and issubclass(i, BaseModel)), None)
        if section is None:
            yield f"{prefix}{name}", info
        else:
            yield from _fields(section, f"{prefix}{name}.")


def _knobs() -> dict[str, Knob]:
    """Raises TypeError for a field that states none: a form could not show it."""
    knobs: dict[str, Knob] = {}
    for path, info in _fields(RunSpec):
        knob = next((one for one in info.metadata if isinstance(one, Knob)), None)
        if knob is None:
            raise TypeError(f"{path} states no Knob beside its type")
        knobs[path] = knob
    return knobs


def _plugin_name(annotation: object) -> PluginName | None:
    """The plug-in's name that an annotation asks for, within `| None` too."""
    own = (one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, PluginName))
    inner = (_plugin_name(one) for one in get_args(annotation))
    return next((one for one in (*own, *inner) if one is not None), None)


def _plugin_names() -> dict[str, PluginName]:
    found = {}
    for path, info in _fields(RunSpec):
        own = next((one for one in info.metadata if isinstance(one, PluginName)), None)
        found[path] = own or _plugin_name(info.annotation)
    return {path: one for path, one in found.items() if one is not None}


def _chinese() -> dict[str, str]:
    """What the knobs say of themselves, English to Chinese."""
    sentences: dict[str, str] = {}
    for path, info in _fields(RunSpec):
        knob = KNOBS[path]
        english, chinese = paragraphs(info.description or ""), paragraphs(knob.about_zh)
        if len(english) != len(chinese):
            raise TypeError(f"{path}: about_zh must have the docstring's {len(english)} paragraphs")
        sentences |= zip(english, chinese, strict=True)
        sentences |= {knob.title: knob.zh, **dict(knob.choices.values())}
    return sentences


KNOBS: Final = _knobs()
PLUGIN_NAMES: Final = _plugin_names()
"""The fields whose values are plug-ins' names."""
CHINESE: Final = _chinese()
add_chinese(CHINESE)
