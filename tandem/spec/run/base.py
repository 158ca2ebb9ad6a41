"""What every section of a RunSpec is made of: number ranges, names, and what people call a knob."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from tandem.spec.plugins.catalog import PluginName

KindName = Annotated[str, PluginName("kinds", first="classification")]
"""What is learnt: the name of a registered kind."""
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Gpus = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]

SpecTree = dict[str, Any]
"""A spec, or its schema, as nested names and values: before it is validated, or to be sent."""

Unit = Literal[
    "batches", "cells", "classes", "components", "degrees", "epochs", "folds", "frames",
    "images", "orders", "pixels", "processes", "ratio", "samples", "seconds", "steps",
    "tokens", "views", "words",
]  # fmt: skip


@dataclass(frozen=True)
class Knob:
    """What a form shows of a field, beside the field itself; its docstring is the description.

    A knob is complete with this: the command line (`--set section.name=value`), YAML, both REST
    surfaces' `runSpec`, the console's form and both languages read it from here.
    """

    title: str
    zh: str
    """The title in Chinese."""
    about_zh: str
    """The docstring in Chinese; its paragraphs answer the docstring's."""
    unit: Unit | None = None
    """None for a name, a switch or a plain number."""
    level: Literal["basic", "advanced"] = "advanced"
    """basic: what someone who labels would touch."""
    choices: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What each value of a few is called, in English and in Chinese."""


def _is_name(value: str) -> str:
    if not re.fullmatch(r"[\w\-. ]{1,100}", value) or value.strip(". ") == "":
        raise ValueError("letters, digits, '-', '_', '.' and spaces only, at most 100")
    return value


Name = Annotated[str, AfterValidator(_is_name)]


def _share_or_count(value: float) -> float:
    if value >= 1 and (value < 2 or value != int(value)):
        raise ValueError("a share below 1, or a whole number of samples from 2 on")
    return value


ShareOrCount = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_share_or_count)]
"""Below 1 a share, from 2 on a number."""


class Section(BaseModel):
    """A frozen part of the spec; an unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_zero_byte(cls, value: object) -> object:
        """No file system takes one, and each library would fail over it in its own way."""
        if isinstance(value, str | Path) and "\0" in str(value):
            raise ValueError("a zero byte is in it; take it out")
        return value
