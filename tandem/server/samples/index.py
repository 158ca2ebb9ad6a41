"""Where each sample's line begins in `predictions.jsonl`, and in which order a page takes them.

A file is read through once, then its figures are kept in memory: some 30 bytes a sample, of the
last few files only. Nothing is lost with them.
"""

from __future__ import annotations

import json
import re
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Literal, NotRequired, TypedDict

MOST_LINES = 200_000
MOST_LINE_BYTES = 2**20
KEPT = 8
UNKNOWN = -1.0
"""In place of a score or an answer that there is not: scores are 0 to 1."""

LIGHT_BYTES = 2**14
_LABELS = rb'\{"label":("(?:[^"\\]|\\.)*"|null),"confidence":[^,]*,"boxes":\[\],"has_mask":false,'
_LIGHT = re.compile(
    rb'\{[^\n]*?,"truth":(?:null|' + _LABELS + rb'"top":\[\]\}),"answer":' + _LABELS +
    rb'"top":\[[^\]]*\]\},"score":([\d.e-]+|null),"right":(true|false|null)\}\n?'
)  # fmt: skip
"""A line of one class, as the trainer writes it; within a string each quote has a backslash."""
_SAID = {b"true": 1, b"false": 0, b"null": -1}

SampleOrder = Literal["worst", "best", "index"]
_FileKey = tuple[str, int, int, int]
Pair = tuple[int, int]


class SamplesAbout(TypedDict, total=False):
    """The first line of a run's predictions: what the rest is of."""

    kind: str
    classes: list[str]
    root: str
    score_name: str
    total: int
    masks: int
    pairs: bool


class SampleLabels(TypedDict):
    """What is true of a sample, or what was answered."""

    label: str | None
    boxes: list[_LabelledBox]
    has_mask: bool


class _LabelledBox(TypedDict):
    label: str


class SampleLine(TypedDict):
    """One sample as its run has written it."""

    name: str
    text: str | None
    width: int | None
    height: int | None
    truth: SampleLabels | None
    answer: SampleLabels | None
    score: float | None
    right: bool | None
    pairs: NotRequired[list[tuple[int, int]]]


@dataclass
class SampleIndex:
    """The lines of one file; a row is a sample's place in it."""

    about: SamplesAbout
    classes: list[str]
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    scores: array[float] = field(default_factory=lambda: array("d"))
    rights: array[int] = field(default_factory=lambda: array("b"))
    """1 right, 0 wrong, -1 not said."""
    of_truth: dict[int, array[int]] = field(default_factory=dict)
    """Rows with this class in the truth; of_answer alike."""
    of_answer: dict[int, array[int]] = field(default_factory=dict)
    of_pair: dict[Pair, array[int]] | None = None
    """Rows where the first class was taken for the second, of masks and boxes.

    Of boxes `len(classes)` is nothing: not found, or found where nothing is.
    """

    @cached_property
    def worst_first(self) -> array[int]:
        return self._sorted(self.scores.__getitem__)

    @cached_property
    def best_first(self) -> array[int]:
        return self._sorted(lambda row: -self.scores[row])

    @property
    def has_nothing(self) -> bool:
        """Whether something may have been taken for nothing, or nothing for something."""
        return self.of_pair is not None and self.about.get("kind") == "detection"

    def rows(
        self, order: SampleOrder, truth: int | None, answer: int | None, wrong: bool | None
    ) -> array[int]:
        """Those that are asked for, in this order; equal scores by their place."""
        chosen = self._chosen(truth, answer)
        ordered = {"worst": lambda: self.worst_first, "best": lambda: self.best_first}.get(order)
        rows = ordered() if ordered else range(len(self.offsets))
        if chosen is None and wrong is None:
            return array("I", rows)
        wanted = None if wrong is None else int(not wrong)
        return array(
            "I",
            (
                row
                for row in rows
                if (chosen is None or row in chosen)
                and (wanted is None or self.rights[row] == wanted)
            ),
        )

    def _chosen(self, truth: int | None, answer: int | None) -> set[int] | None:
        nothing = len(self.classes)
        if self.of_pair is not None and (
            (truth is not None and answer is not None) or nothing in (truth, answer)
        ):
            asked = [
                rows
                for pair, rows in self.of_pair.items()
                if truth in (None, pair[0]) and answer in (None, pair[1])
            ]
            return set[int]().union(*asked)
        chosen: set[int] | None = None
        for wanted, found in ((truth, self.of_truth), (answer, self.of_answer)):
            if wanted is not None:
                those = set(found.get(wanted, ()))
                chosen = those if chosen is None else chosen & those
        return chosen

    def _sorted(self, key: Callable[[int], float]) -> array[int]:
        """Those without a score come last."""
        known = [row for row, score in enumerate(self.scores) if score != UNKNOWN]
        unknown = [row for row, score in enumerate(self.scores) if score == UNKNOWN]
        return array("I", sorted(known, key=key) + unknown)


class _Place:
    """The lock of one file's index: who asks for another file does not wait while it is made."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.index: SampleIndex | None = None


class Indexes:
    """The last few, each made once however many ask."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kept: OrderedDict[_FileKey, _Place] = OrderedDict()

    def of(self, path: Path) -> SampleIndex | None:
        """None where the file is not there or is none of ours."""
        try:
            seen = path.stat()
        except OSError:
            return None
        key = (str(path), seen.st_ino, seen.st_size, seen.st_mtime_ns)
        with self.lock:
            place = self.kept.setdefault(key, _Place())
            self.kept.move_to_end(key)
            while len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        with place.lock:
            if place.index is None:
                place.index = _made(path)
            return place.index


def lines(path: Path, index: SampleIndex, rows: list[int]) -> Iterator[SampleLine]:
    """What the file says of these rows."""
    with path.open("rb") as stream:
        for row in rows:
            stream.seek(index.offsets[row])
            yield json.loads(stream.readline(MOST_LINE_BYTES))


def _made(path: Path) -> SampleIndex | None:
    try:
        with path.open("rb") as stream:
            about = json.loads(stream.readline(MOST_LINE_BYTES))["about"]
            index = SampleIndex(about, [str(one) for one in about["classes"]])
            _read(stream, index)
            return index
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _read(stream: BinaryIO, index: SampleIndex) -> None:
    codes = {name: place for place, name in enumerate(index.classes)}
    written = {json.dumps(name).encode(): place for name, place in codes.items()}
    if index.about.get("pairs") or index.about.get("kind") == "segmentation":
        index.of_pair = {}
    at = stream.tell()
    while len(index.offsets) < MOST_LINES and (raw := stream.readline(MOST_LINE_BYTES)):
        row = len(index.offsets)
        index.offsets.append(at)
        at += len(raw)
        if index.of_pair is None and _put_light(index, written, raw, row):
            continue
        line = json.loads(raw)
        score, right = line["score"], line["right"]
        index.scores.append(UNKNOWN if score is None else score)
        index.rights.append(-1 if right is None else int(right))
        for pair in line.get("pairs", ()):
            if index.of_pair is not None:
                index.of_pair.setdefault((pair[0], pair[1]), array("I")).append(row)
            for found, code in ((index.of_truth, pair[0]), (index.of_answer, pair[1])):
                if code < len(index.classes):
                    _put(found, code, row)
        for found, said in ((index.of_truth, line["truth"]), (index.of_answer, line["answer"])):
            for name in _names(said):
                _put(found, codes[name], row)


def _put_light(index: SampleIndex, written: dict[bytes, int], raw: bytes, row: int) -> bool:
    """The four facts of a line of one class, much sooner than by reading it all."""
    said = _LIGHT.fullmatch(raw) if len(raw) <= LIGHT_BYTES else None
    if said is None:
        return False
    truth, answer, score, right = said.groups()
    codes = [None if one in (None, b"null") else written.get(one, -1) for one in (truth, answer)]
    if -1 in codes:
        return False
    index.scores.append(UNKNOWN if score == b"null" else float(score))
    index.rights.append(_SAID[right])
    for found, code in zip((index.of_truth, index.of_answer), codes, strict=True):
        if code is not None:
            _put(found, code, row)
    return True


def _put(found: dict[int, array[int]], code: int, row: int) -> None:
    rows = found.setdefault(code, array("I"))
    if not rows or rows[-1] != row:
        rows.append(row)


def _names(labels: SampleLabels | None) -> set[str]:
    if labels is None:
        return set()
    named = {one["label"] for one in labels["boxes"]}
    if labels["label"] is not None:
        named.add(labels["label"])
    return named
