"""Data sets under /api/v1."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal, TypedDict

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tandem.server.wire.envelope import UtcTime

_DatasetStatus = Literal["FOUND", "CHECKING", "READY", "FAULTY"]


class Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True, use_attribute_docstrings=True)


class UploadIn(Plain):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    """The name of the data set it becomes."""
    size: Annotated[int, Field(ge=22)]
    """Bytes of the ZIP."""
    type: Annotated[str, Field(max_length=50)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """The ZIP's digest; checked when it is whole."""


class UploadOut(Plain):
    id: str
    name: str
    status: str
    size_bytes: int
    offset: int = 0
    """Bytes that are there; the next piece begins here."""
    dataset: str | None
    """What it became, or what holds the same content already."""
    message: str | None
    created_at: UtcTime


class DatasetV1(Plain):
    id: str
    status: _DatasetStatus
    """FOUND: a folder that nobody has had checked."""
    type: str
    kind: str | None = None
    path: str
    description: str
    samples: int | None = None
    errors: int | None = None
    warnings: int | None = None
    message: str | None = None
    classes: list[str] = Field(default_factory=list)
    items: dict[str, int] = Field(default_factory=dict)
    per_class: dict[str, dict[str, int]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    could_be: list[str] = Field(default_factory=list)
    """Other layouts that its folder can be read as; `type` of its check chooses one."""
    checked_at: UtcTime | None = None


class CheckIn(Plain):
    type: Annotated[str, Field(max_length=50)] | None = None
    """What it is read as from now on, kept in its meta.json; null: by the look of its folder."""


class FaultOut(Plain):
    file: str
    line: int
    warning: bool
    what: str = ""
    """What is wrong, without the place; empty in what an earlier release has found."""
    sentence: str


class FaultsOut(Plain):
    items: list[FaultOut]
    total: int
    page: int
    page_size: int


def _listed(text: str | list[str] | None) -> object:
    return json.loads(text) if isinstance(text, str) else text


class VersionOut(Plain):
    number: int
    digest: str
    type: str | None
    files: int
    size_bytes: int
    samples: int | None
    classes: Annotated[list[str] | None, BeforeValidator(_listed)] = None
    """In their order; null where no check has seen just this."""
    created_at: UtcTime


class UsedOut(Plain):
    attempt: int
    part: Literal["train", "val"]
    name: str
    number: int | None
    """The number of the data set's version."""
    digest: str | None
    message: str | None
    """Why no version could be made."""


class PlainDataset(TypedDict):
    """A data set as surface B shows it."""

    id: str
    name: str
    type: str
    size: int
    samples: int
    created_at: datetime


class CheckSummary(TypedDict, total=False):
    """What is kept of a check, as JSON in the data set's row."""

    classes: list[str]
    items: dict[str, int]
    per_class: dict[str, dict[str, int]]
    notes: list[str]
    faults: list[FaultOut]


def summary_of(text: str | None) -> CheckSummary:
    """The check's figures, or nothing."""
    found: CheckSummary = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}
