"""`results.jsonl`: what the model said of each item, for the pages that show it.

A line comes before its item is told done, so a job that was killed may have a batch too many
here: it is cut off when the job goes on. Items that failed have no line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from tandem.data.content import Shape
from tandem.predict.annotation.sources import Source
from tandem.predict.answers import Answer
from tandem.predict.serialize import classes_of, labels
from tandem.spec.annotation import RESULTS

Line = dict[str, Any]


def line_of(
    source: Source,
    answer: Answer,
    size: tuple[int, int],
    shapes: Sequence[Shape] = (),
    names: Sequence[str] = (),
    *,
    told: bool = True,
    mask: PurePath | None = None,
) -> Line:
    """`told` is false of an answer below its threshold: it has no label then.

    `mask` is the file that the job wrote of it, below its output.

    `labels` come first: who searches reads no more of a line than them.
    """
    height, width = size
    said = labels(answer, shapes, names, edges=mask is None)
    if not told:
        said["label"] = None
    said["has_mask"] = mask is not None
    line: Line = {
        "labels": classes_of(answer) if told else [],
        "index": source.index,
        "name": source.name.encode("utf-8", "backslashreplace").decode(),
        "width": width or None,
        "height": height or None,
        "answer": said,
    }
    if source.frame is not None:
        line |= {"video": source.video, "frame": source.frame}
    if mask is not None:
        line["mask"] = str(mask)
    return line


class Lines:
    """The open file, at the items that are done."""

    def __init__(self, folder: Path, done: int) -> None:
        self.file = folder / RESULTS
        self._out = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.ftruncate(self._out, _end(self.file, done))
        self._held: list[bytes] = []

    def add(self, line: Line) -> None:
        """Written by `flush`, a batch at once."""
        self._held.append(json.dumps(line, allow_nan=False).encode() + b"\n")

    def flush(self) -> None:
        """Before the items are told done."""
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
