"""A job's `results.jsonl` by pages and by class: where each line begins is read once and kept.

A job that is at work appends; what came since is read then. One that goes on after a kill may
have cut its last lines off: the file is then read anew.
"""

from __future__ import annotations

import json
import re
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NotRequired, TypedDict

MOST_KEPT = 8
"""Indexes kept, of annotations that someone looks at; a million items take some 20 MB each."""
HEAD_BYTES = 2**16
_START = '{"labels": '
_NUMBER = re.compile(r', "index": (\d+)')
_DECODER = json.JSONDecoder()


class AnnotationLine(TypedDict):
    """A line: what the model said of one item."""

    labels: list[str]
    index: int
    name: str
    width: int | None
    height: int | None
    answer: dict[str, object]
    mask: NotRequired[str]
    """The mask's file in the output folder, where masks were written."""
    video: NotRequired[str]
    frame: NotRequired[int]


class ResultIndex:
    """Where each line of one file begins; `lock` is held by who uses it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lock = threading.Lock()
        self._clear(0)

    def _clear(self, inode: int) -> None:
        self.inode, self.end = inode, 0
        self.offsets, self.numbers = array("Q"), array("Q")
        self.by_label: dict[str, array[int]] = {}

    def update(self) -> None:
        """Read what has come; a job without a file has no lines."""
        try:
            seen = self.file.stat()
        except OSError:
            self._clear(0)
            return
        if seen.st_ino != self.inode or seen.st_size < self.end:
            self._clear(seen.st_ino)
        if seen.st_size == self.end:
            return
        with self.file.open("rb") as lines:
            if not self._follows(lines):
                self._clear(seen.st_ino)
                lines.seek(0)
            self._append(lines)

    def _follows(self, lines: BinaryIO) -> bool:
        """Whether what was read still ends where a line does; the file stands there then."""
        if not self.end:
            return True
        lines.seek(self.end - 1)
        return lines.read(1) == b"\n"

    def _append(self, lines: BinaryIO) -> None:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            labels, number = _head(line)
            place = len(self.offsets)
            for label in labels:
                self.by_label.setdefault(label, array("Q")).append(place)
            self.offsets.append(self.end)
            self.numbers.append(number)
            self.end += len(line)

    def page(self, first: int, count: int, label: str | None) -> tuple[list[AnnotationLine], int]:
        """Some lines, and how many there are; with `label` those that name this class."""
        places: Sequence[int] = range(len(self.offsets))
        if label is not None:
            places = self.by_label.get(label, array("Q"))
        return self._read(places[first : first + count]), len(places)

    def one(self, number: int) -> AnnotationLine | None:
        """The line of an item; None where it failed or is not done yet."""
        place = bisect_left(self.numbers, number)
        if place == len(self.numbers) or self.numbers[place] != number:
            return None
        return self._read([place])[0]

    def _read(self, places: Sequence[int]) -> list[AnnotationLine]:
        if not places:
            return []
        found = []
        with self.file.open("rb") as lines:
            for place in places:
                lines.seek(self.offsets[place])
                found.append(json.loads(lines.readline()))
        return found


def _head(line: bytes) -> tuple[list[str], int]:
    """Classes and number of a line, without reading what comes after them."""
    text = line[:HEAD_BYTES].decode("ascii", "replace")
    try:
        labels, end = _DECODER.raw_decode(text, len(_START))
        number = _NUMBER.match(text, end)
    except ValueError:
        number = None
    if number is None:
        told: AnnotationLine = json.loads(line)
        return told["labels"], told["index"]
    return labels, int(number[1])


_KEPT: OrderedDict[Path, ResultIndex] = OrderedDict()
_LOCK = threading.Lock()


def index_of(file: Path) -> ResultIndex:
    """The one that is kept, or a new one; not yet up to date."""
    with _LOCK:
        found = _KEPT.setdefault(file, ResultIndex(file))
        _KEPT.move_to_end(file)
        while len(_KEPT) > MOST_KEPT:
            _KEPT.popitem(last=False)
        return found
