"""`results.jsonl`: what the model said of each item, for the pages that show it.

A line comes before its item is written as done, so a job that was killed may have a batch too many
here: it is cut off when the job goes on. Items that failed have no line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TypedDict

from tandem.data.content import Shape
from tandem.predict.annotation.inputs import InputItem
from tandem.predict.answers import Answer
from tandem.predict.serialize import AnswerJson, class_names, serialize
from tandem.spec.annotation import RESULTS


class ResultLine(TypedDict, total=False):
    """One line: an item, and what the model says of it."""

    labels: list[str]
    """First: who searches reads no more of a line than them."""
    index: int
    name: str
    width: int | None
    height: int | None
    answer: AnswerJson
    video: str
    frame: int
    mask: str


def result_line(
    source: InputItem,
    answer: Answer,
    size: tuple[int, int],
    shapes: Sequence[Shape] = (),
    names: Sequence[str] = (),
    *,
    sure: bool = True,
    mask: PurePath | None = None,
) -> ResultLine:
    """The line of one item. An answer that is not `sure`, below its threshold, has no label.

    `mask` is the file that the job wrote of it, below its output.
    """
    height, width = size
    answer_json = serialize(answer, shapes, names, edges=mask is None)
    if not sure:
        answer_json["label"] = None
    answer_json["has_mask"] = mask is not None
    line: ResultLine = {
        "labels": class_names(answer) if sure else [],
        "index": source.index,
        "name": source.name.encode("utf-8", "backslashreplace").decode(),
        "width": width or None,
        "height": height or None,
        "answer": answer_json,
    }
    if source.frame is not None:
        line["video"], line["frame"] = source.video, source.frame
    if mask is not None:
        line["mask"] = str(mask)
    return line


class ResultsFile:
    """The open file, at the items that are done."""

    def __init__(self, folder: Path, done: int) -> None:
        self.file = folder / RESULTS
        self._out = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.ftruncate(self._out, _end(self.file, done))
        self._held: list[bytes] = []

    def add(self, line: ResultLine) -> None:
        """Written by `flush`, a batch at once."""
        self._held.append(json.dumps(line, allow_nan=False).encode() + b"\n")

    def flush(self) -> None:
        """Before the items are written as done."""
        left = memoryview(b"".join(self._held))
        self._held.clear()
        while left:
            left = left[os.write(self._out, left) :]

    def close(self) -> None:
        os.fsync(self._out)
        os.close(self._out)


def _end(file: Path, done: int) -> int:
    """Where the lines of the items that are done end."""
    end = 0
    with file.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n") or json.loads(line)["index"] >= done:
                break
            end += len(line)
    return end
