"""Pieces of a log as text, cut between lines or letters; a huge one is never read whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 2**16
MOST_BYTES = 2**20


@dataclass(frozen=True)
class Piece:
    """Bytes `offset` up to `next_offset`, as text."""

    text: str
    offset: int
    next_offset: int
    total_bytes: int


def piece(path: Path, offset: int, limit: int) -> Piece:
    """From `offset` on, at most `limit` bytes; what is cut is left to the next piece.

    A letter that is still being written at the end of the file is, too.
    """
    try:
        with path.open("rb") as stream:
            total = os.fstat(stream.fileno()).st_size
            stream.seek(min(offset, total))
            raw = stream.read(min(limit, MOST_BYTES))
    except FileNotFoundError:
        return Piece("", 0, 0, 0)
    start = min(offset, total)
    ahead = next((n for n in range(min(3, len(raw))) if raw[n] & 0xC0 != 0x80), 0)
    if start:  # in the middle of a letter: it belongs to the piece before
        start, raw = start + ahead, raw[ahead:]
    whole = raw[: _whole(raw)]
    if start + len(raw) < total:  # more follows: end with a line, or else with a letter
        whole = raw[: raw.rfind(b"\n") + 1] or whole or raw
    return Piece(whole.decode("utf-8", "replace"), start, start + len(whole), total)


def _whole(raw: bytes) -> int:
    """How many bytes end with a whole letter."""
    for back in range(1, min(4, len(raw)) + 1):
        first = raw[-back]
        if first & 0xC0 == 0x80:
            continue
        needs = 1 + (first >= 0xC0) + (first >= 0xE0) + (first >= 0xF0)
        return len(raw) - back if needs > back else len(raw)
    return len(raw)


def tail(path: Path, lines: int) -> Piece:
    """The last lines, at most MOST_BYTES of them."""
    try:
        with path.open("rb") as stream:
            total = at = os.fstat(stream.fileno()).st_size
            ends, last = 0, total
            while at > max(0, total - MOST_BYTES) and ends <= lines:
                size = min(BLOCK_BYTES, at)
                at -= size
                stream.seek(at)
                block = stream.read(size)
                for n in range(len(block) - 1, -1, -1):
                    if block[n] == 10 and at + n != total - 1:
                        ends += 1
                        if ends == lines:
                            last = at + n + 1
                            break
                if ends == lines:
                    return piece(path, last, MOST_BYTES)
    except FileNotFoundError:
        return Piece("", 0, 0, 0)
    return piece(path, max(0, total - MOST_BYTES), MOST_BYTES)
