"""Surface A's frame: camelCase names, `{code, message, data}`, times in UTC, pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

T = TypeVar("T")


def _camel(name: str) -> str:
    """`map_50` is `map50` in the contract, so digits are joined too."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def iso(at: datetime) -> str:
    """ISO-8601 in UTC; the tables keep times without a zone."""
    aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return aware.isoformat(timespec="milliseconds").replace("+00:00", "Z")


UtcTime = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


class Camel(BaseModel):
    """camelCase outside, snake_case inside; a name that is not known is refused."""

    model_config = ConfigDict(
        alias_generator=_camel,
        populate_by_name=True,
        extra="forbid",
        from_attributes=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class Envelope(BaseModel, Generic[T]):
    """Every answer of surface A."""

    code: int = Field(200, examples=[200])
    message: str = Field("success", examples=["success"])
    data: T


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    total: int
    page: int
    pageSize: int


class FieldFault(BaseModel):
    """One field at fault."""

    field: str
    problem: str


class Refusal(BaseModel):
    """A failure: the HTTP status again, and a sentence a person can act on."""

    code: int = Field(examples=[404])
    message: str
    data: list[FieldFault] | None = None


def ok(data: T) -> Envelope[T]:
    """A success."""
    return Envelope[T](code=200, message="success", data=data)
