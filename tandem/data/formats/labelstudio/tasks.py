"""Which annotation of a task speaks, and what of the tasks is not read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tandem.data.faults import Faults
from tandem.data.reading.files import JsonObject, number

FILE = "label_studio.json"
OLDEST = -1e18


@dataclass
class Said:
    """What is read of one task."""

    results: list[JsonObject]
    predicted: bool = False
    score: float | None = None
    """That of a whole prediction."""


@dataclass
class Unread:
    """What is there and not read, by the places of its tasks, to be told once each."""

    cancelled: list[int] = field(default_factory=list)
    drafts: list[int] = field(default_factory=list)
    several: list[int] = field(default_factory=list)
    scoreless: list[int] = field(default_factory=list)
    predicted: list[int] = field(default_factory=list)
    controls: dict[str, list[int]] = field(default_factory=dict)
    """By the type of their results."""

    def control(self, result_type: str, place: int) -> None:
        """Count a result that is of no type that is read."""
        self.controls.setdefault(result_type, []).append(place)

    def tell(self, faults: Faults, file: str) -> None:
        """A warning for each, with the count and the first task."""
        if self.cancelled:
            faults.add(file, 0, "task {place}: {count} cancelled (skipped) annotations are left "
                       "out, this one's first", warning=True, place=self.cancelled[0],
                       count=len(self.cancelled))  # fmt: skip
        if self.drafts:
            faults.add(file, 0, "task {place}: the drafts of {count} tasks are left out, this "
                       "one's first", warning=True, place=self.drafts[0],
                       count=len(self.drafts))  # fmt: skip
        if self.several:
            faults.add(file, 0, "task {place}: {count} tasks have several annotations, this one "
                       "first; the ground truth is read, or else the newest",
                       warning=True, place=self.several[0], count=len(self.several))  # fmt: skip
        if self.scoreless:
            faults.add(file, 0, "task {place}: {count} tasks have a prediction without a score, "
                       "this one first; it is read as if a person had drawn it",
                       warning=True, place=self.scoreless[0],
                       count=len(self.scoreless))  # fmt: skip
        for name, places in sorted(self.controls.items()):
            faults.add(file, 0, "task {place}: {count} results of type {type} are not read, this "
                       "one's first", warning=True, place=places[0], count=len(places),
                       type=name[:40])  # fmt: skip


def speaking(row: JsonObject, place: int, unread: Unread, faults: Faults, file: str) -> Said | None:
    """What is said of a task; None where nobody has looked at it, or a fault says why not.

    A person's word before a prediction. Of several the ground truth, or else the newest; those
    that were cancelled are none. A task without any is undone: unlabelled, and no background.
    """
    given = row.get("annotations", row.get("completions"))
    if row.get("drafts"):
        unread.drafts.append(place)
    people = _several(given, place, faults, file)
    kept = [one for one in people if not one.get("was_cancelled") and not one.get("skipped")]
    unread.cancelled += [place] * (len(people) - len(kept))
    if people:
        return _said(kept, place, unread, faults, file) if kept else None
    models = _several(row.get("predictions"), place, faults, file)
    if not models:
        return None
    found = _said(models, place, unread, faults, file)
    if found is not None:
        found.predicted = True
        unread.predicted.append(place)
        if found.score is None and any(number(one.get("score")) is None for one in found.results):
            unread.scoreless.append(place)
    return found


def _several(given: object, place: int, faults: Faults, file: str) -> list[JsonObject]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        faults.add(file, 0, "task {place}: its annotations are not in it; export the tasks with "
                   "them, as JSON", place=place)  # fmt: skip
        return []
    return given


def _said(
    several: list[JsonObject], place: int, unread: Unread, faults: Faults, file: str
) -> Said | None:
    if len(several) > 1:
        unread.several.append(place)
    _, best = max(enumerate(several), key=lambda one: (*_rank(one[1]), one[0]))
    results = best.get("result")
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        faults.add(file, 0, "task {place}: its annotation holds no list of results", place=place)
        return None
    return Said(results, score=number(best.get("score")))


def _rank(said: JsonObject) -> tuple[bool, float, float]:
    dates: Iterable[float] = (_seconds(said.get(key)) for key in ("updated_at", "created_at"))
    newest = next((one for one in dates if one > OLDEST), OLDEST)
    return said.get("ground_truth") is True, newest, number(said.get("id")) or 0.0


def _seconds(said: object) -> float:
    """A point in time as seconds; OLDEST for what is none."""
    if not isinstance(said, str):
        return number(said) or OLDEST
    try:
        when = datetime.fromisoformat(said)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return OLDEST
