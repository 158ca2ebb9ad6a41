"""How far a run's journal has been read, and what is new in it since."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tandem.spec.journal import LINE_BYTES, JournalLine, identity, parse, read_lines


@dataclass(frozen=True)
class JournalCursor:
    """How far a journal has been read: `last_seq`, and the byte just after it."""

    last_seq: int = 0
    offset_bytes: int = 0
    journal: str | None = None
    """Which file it is, as `journal.run_id` tells it: a cleared folder begins another one."""


@dataclass
class FreshLines:
    """What was read, and from where: elsewhere than asked when the file was rewritten."""

    begins: JournalCursor
    lines: list[JournalLine] = field(default_factory=list)
    more: bool = False
    """There is more than was asked for."""

    @property
    def ends(self) -> JournalCursor:
        if not self.lines:
            return self.begins
        last = self.lines[-1]
        highest = max(last.seq, self.begins.last_seq)
        return JournalCursor(highest, last.end_bytes, self.begins.journal)


def size_bytes(path: Path) -> int:
    """0 without a file."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 -- once a run and tick
    except OSError:
        return 0


def fresh_lines(path: Path, cursor: JournalCursor, most_bytes: int = 2**20) -> FreshLines | None:
    """The whole lines after `cursor`, about `most_bytes` of them; None when there are none.

    A file that was cleared is read from its beginning. One that lost its end (a machine that
    crashed) and has grown again is read from its last `started` line.
    """
    size = size_bytes(path)
    if size == cursor.offset_bytes or size == 0:
        return None
    try:
        with path.open("rb") as file:
            first = identity(file)
            if first is None:
                return None
            begins = _begins(file, cursor, first, size)
            found = _lines(file, begins, size, most_bytes)
    except FileNotFoundError:  # cleared between the two calls
        return None
    return found if found.lines or begins != cursor else None


def _begins(file: BinaryIO, cursor: JournalCursor, first: str, size: int) -> JournalCursor:
    if cursor.journal is not None and first != cursor.journal:
        return JournalCursor(journal=first)
    here = JournalCursor(cursor.last_seq, cursor.offset_bytes, first)
    if size < cursor.offset_bytes:
        return _whole_end(file, first)
    if cursor.offset_bytes == 0 or _goes_on(file, cursor):
        return here
    return _last_started(file, first)


def _goes_on(file: BinaryIO, cursor: JournalCursor) -> bool:
    file.seek(cursor.offset_bytes - 1)
    if file.read(1) != b"\n":
        return False
    raw = file.readline(LINE_BYTES)
    line = parse(raw, 0)
    return line is None or line.seq > cursor.last_seq


def _whole_end(file: BinaryIO, first: str) -> JournalCursor:
    """Its end was lost: what is left had been read before."""
    seq, end = 0, 0
    for line in read_lines(file):
        seq, end = max(seq, line.seq), line.end_bytes
    return JournalCursor(seq, end, first)


def _last_started(file: BinaryIO, first: str) -> JournalCursor:
    before = found = JournalCursor(journal=first)
    for line in read_lines(file):
        if line.type == "started":
            found = before
        before = JournalCursor(max(before.last_seq, line.seq), line.end_bytes, first)
    return found


def seek(file: BinaryIO, seq: int, end_bytes: int) -> int:
    """The byte just after the line `seq`, found by halving; numbers rise in a journal."""
    # A line whose number is seq or less ends at `low`; one with a higher number begins at `high`.
    low, high = 0, end_bytes
    while seq > 0 and high - low > 2**14:
        file.seek((low + high) // 2)
        skipped = len(file.readline(LINE_BYTES))
        begins = (low + high) // 2 + skipped
        if begins >= high:
            break
        raw = file.readline(LINE_BYTES)
        line = parse(raw, begins + len(raw))
        if line is None:
            break
        if line.seq <= seq:
            low = line.end_bytes
        else:
            high = (low + high) // 2
    file.seek(low)
    while low < end_bytes and seq > 0:
        raw = file.readline(LINE_BYTES)
        line = parse(raw, low + len(raw))
        if line is None or line.seq > seq:
            return low
        low = line.end_bytes
    return low


def _lines(file: BinaryIO, begins: JournalCursor, size: int, most_bytes: int) -> FreshLines:
    found = FreshLines(begins)
    for line in read_lines(file, begins.offset_bytes):
        found.lines.append(line)
        if line.end_bytes - begins.offset_bytes >= most_bytes:
            found.more = line.end_bytes < size
            break
    return found
