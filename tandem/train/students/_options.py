"""The knobs of `StudentSpec` that one student reads, taken from there: each is declared once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, Literal

from pydantic import Field, create_model

from tandem.spec.run import StudentSpec
from tandem.train.types import Options

DUAL_HEAD = ("dual_head", "label_head_share", "taught_head_temperature")
"""What a student reads that can have a second head."""


def options_from_spec(
    name: str,
    *fields: str,
    sizes: Iterable[str],
    default_size: str,
    size_note: str = "",
    descriptions: Mapping[str, str] | None = None,
) -> type[Options]:
    """An `Options` called `name` of these fields of StudentSpec, and of the student's own sizes.

    `size_note`: what else may be named as a size, where `build` takes more than `sizes`.
    `descriptions`: of fields that mean something narrower here than in the spec.
    """
    listed = tuple(sizes)
    size: Any = (Literal[listed], default_size)
    if size_note:
        size = (str, Field(default_size, description=f"{', '.join(listed)}, or {size_note}."))
    of_spec = StudentSpec.model_fields
    declared: dict[str, Any] = {}
    for field in fields:
        info = copy(of_spec[field])  # a description of its own must not reach the spec's
        info.description = (descriptions or {}).get(field, info.description)
        declared[field] = (info.annotation, info)
    return create_model(
        name, __base__=Options, __doc__="What it reads of `student`.", size=size, **declared
    )
