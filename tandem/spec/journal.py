"""`events.jsonl`, the journal of a run folder, as the trainer and the service read it.

One event a line. A line counts once it is whole: what a killed process left half written, and
whatever follows it, was acknowledged to nobody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from tandem.spec.event import EVENT, Event

NAME = "events.jsonl"
LINE_BYTES = 64 * 2**20
"""The longest line that is believed: a confusion matrix of a few thousand classes."""
LASTING = frozenset(
    {"epoch", "evaluation", "checkpoint", "artifact", "finished", "failed", "stopped"}
)
"""Types of events that a restart of the machine must not lose: their lines are fsynced."""


@dataclass
class JournalLine:
    """One event as it was written."""

    seq: int
    type: str
    raw: bytes
    """Without its line's end."""
    end_bytes: int
    """Just after the line in its file."""
    body: dict[str, object] = field(repr=False)

    @property
    def at(self) -> str:
        """When it was said, as it is written."""
        return str(self.body.get("at"))

    def event(self) -> Event | None:
        """The event; None: another version of Tandem wrote it."""
        try:
            return EVENT.validate_json(self.raw)
        except ValidationError:
            return None


def parse(raw: bytes, end_bytes: int) -> JournalLine | None:
    """A line with its end; None for half a line, and for one that is no event."""
    if not raw.endswith(b"\n"):
        return None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    seq, name = found.get("seq"), found.get("type")
    # `type(...) is int`: to isinstance, true is a number too. A data base's column holds 2**63.
    if type(seq) is not int or not 0 < seq < 2**62 or not isinstance(name, str):
        return None
    return JournalLine(seq, name, raw[:-1], end_bytes, found)


def read_lines(file: BinaryIO, start_bytes: int = 0) -> Iterator[JournalLine]:
    """Each whole line from `start_bytes` on, up to the first that is half written or no event."""
    file.seek(start_bytes)
    end_bytes = start_bytes
    # A bounded readline: a file without line ends must not be taken into memory whole.
    while raw := file.readline(LINE_BYTES):
        end_bytes += len(raw)
        line = parse(raw, end_bytes)
        if line is None:
            return
        yield line


def whole_lines(path: Path, start_bytes: int = 0) -> Iterator[JournalLine]:
    """The same of a file that is opened for it; FileNotFoundError without one."""
    with path.open("rb") as file:
        yield from read_lines(file, start_bytes)


def run_id(first: bytes) -> str | None:
    """A digest of a journal's first line: which run it is. None while the line is not whole.

    What was said is digested, not its bytes: the order of the fields is the writer's affair.
    """
    line = parse(first, 0)
    if line is None:
        return None
    said = json.dumps(line.body, sort_keys=True).encode()
    return hashlib.blake2b(said, digest_size=8).hexdigest()


def identity(file: BinaryIO) -> str | None:
    """The `run_id` of an open journal; None while its first line is not whole."""
    file.seek(0)
    return run_id(file.readline(LINE_BYTES))
