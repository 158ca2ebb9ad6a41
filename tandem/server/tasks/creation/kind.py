"""What a task learns, as far as its spec and a look at its data tell before it runs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tandem.server.datasets.look import look
from tandem.spec.plugins import catalog
from tandem.spec.run import RunSpec

PLAIN = "classification"
COMMON = (PLAIN, "detection")
"""A layout that may hold a class is mostly meant so, one of boxes and outlines for its boxes."""


def kind_of(spec: RunSpec) -> str:
    """Said, or the only one of its student, or the one its student shares with its data."""
    if spec.kind is not None:
        return spec.kind
    known = _kinds().get(spec.student.type, (PLAIN,))
    if len(known) == 1:
        return known[0]
    if spec.student.head == "mask":
        return "segmentation"
    data = spec.data
    folder = data.root / data.dataset if data.root else Path(data.dataset)
    seen = _of_layouts().get(look(folder).type, PLAIN)
    return seen if seen in known else known[0]


@cache
def _kinds() -> dict[str, tuple[str, ...]]:
    return {one["name"]: tuple(one["kinds"]) for one in catalog.read()["students"]}


@cache
def _of_layouts() -> dict[str, str]:
    """The commonest kind that each layout may mean; the student decides first."""
    return {
        one["name"]: next((kind for kind in COMMON if kind in one["kinds"]), one["kinds"][0])
        for one in catalog.read()["formats"]
    }
