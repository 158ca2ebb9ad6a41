"""`items.jsonl`: which items of a job are done, and how. A batch is written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tandem.spec.annotation import ITEMS


@dataclass(frozen=True)
class ItemOutcome:
    """One item that is done."""

    index: int
    name: str
    problem: str = ""
    """Why it failed; empty: it is well."""
    label: str = ""


class ItemsFile:
    """The open file; a line that a killed process left half is cut off."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / ITEMS
        self.done = self.failed = 0
        end = 0
        for line in _lines(self.file):
            end += len(line)
            self.done += 1
            self.failed += b'"problem"' in line
        self._out = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.ftruncate(self._out, end)

    def add(self, several: Sequence[ItemOutcome]) -> None:
        """Their results are written already."""
        text = "".join(json.dumps(_as_json(one)) + "\n" for one in several)
        os.write(self._out, text.encode())
        self.done += len(several)
        self.failed += sum(bool(one.problem) for one in several)

    def close(self) -> None:
        os.fsync(self._out)
        os.close(self._out)


def _as_json(one: ItemOutcome) -> dict[str, object]:
    name = one.name.encode("utf-8", "backslashreplace").decode()
    end = {"problem": one.problem} if one.problem else {"label": one.label} if one.label else {}
    return {"index": one.index, "name": name, **end}


def _lines(file: Path) -> Iterator[bytes]:
    if not file.is_file():
        return
    with file.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            yield line


def problems(file: Path) -> Iterator[str]:
    """A sentence for each item that failed."""
    for line in _lines(file):
        if b'"problem"' in line:
            item = json.loads(line)
            yield f"{item['name']}: {item['problem']}"
