"""A run's samples on the wire."""

from __future__ import annotations

from tandem.server.wire.sample import Sample, WireModel


class RunSample(Sample):
    """A validation sample: what is true, and what the student answered."""

    right: bool | None = None
    """null: nobody has labelled it, or it is a mask, which is right in parts."""
    score: float | None = None
    """0 to 1, higher is better; see `score_name`."""


class RunSamples(WireModel):
    """A page of them."""

    items: list[RunSample]
    total: int
    """That pass the filters."""
    page: int
    page_size: int
    classes: list[str]
    score_name: str | None
    """What `score` is."""
    kind: str | None
    has_nothing: bool = False
    """Whether `nothing` can be asked for: boxes that were missed, or found where nothing is."""
    who: str = "student"
    available: bool
    message: str | None
    """Why there are none, or what is left out."""
