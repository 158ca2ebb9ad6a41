"""One item of a data set as a page shows it: a picture, clip or text, with what is said of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class WireModel(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, allow_inf_nan=False)


class Chance(WireModel):
    """A class and how sure it is."""

    label: str
    confidence: float | None


class BoxOut(WireModel):
    """One thing in a picture."""

    label: str
    box: tuple[float, float, float, float]
    """Left, top, width, height in pixels of the original picture."""
    confidence: float | None = None
    """0 to 1; null: a person's."""
    outlines: list[list[tuple[float, float]]] | None = None
    """Rings of points, in the same pixels."""


class LabelsOut(WireModel):
    """What a person or a model says of an item."""

    label: str | None = None
    confidence: float | None = None
    boxes: list[BoxOut] = []
    has_mask: bool = False
    """Ask for its mask by the picture's address."""
    top: list[Chance] = []
    """The most probable classes."""


class Sample(WireModel):
    """One item of a list of pictures."""

    index: int
    name: str
    split: str | None = None
    width: int | None = None
    height: int | None = None
    text: str | None = None
    """At most 2,000 letters of a text; null where the item is none."""
    truth: LabelsOut | None = None
    answer: LabelsOut | None = None
