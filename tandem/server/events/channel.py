"""What one task's listeners have yet to hear: the last frames in memory, older ones from disk.

A listener pulls. A slow one costs no memory: it falls behind what is kept here, and is then
served from the journal, page by page.
"""

from __future__ import annotations

import asyncio
import heapq
import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from tandem.server.db.tables import TaskEvent
from tandem.server.events import cursor as cursors
from tandem.server.events.cursor import JournalCursor
from tandem.server.wire.envelope import iso
from tandem.spec import journal
from tandem.spec.journal import JournalLine
from tandem.spec.service_event import Rewound

REWOUND = Rewound.model_fields["type"].default
KEPT_BYTES = 2**17
PAGE_BYTES = 2**16


@dataclass(frozen=True)
class StreamPosition:
    """What a listener has heard: of the run, and of what happened outside it."""

    seq: int = 0
    task_event: int = 0
    offset_bytes: int | None = None
    """Just after `seq`; None where it must be looked for."""

    def id(self) -> str:
        return f"{self.seq}-{self.task_event}"


@dataclass(frozen=True)
class StreamFrame:
    """One event, as the stream has it. `seq` counts in the run, `task_event` outside it."""

    type: str
    data: bytes
    seq: int = 0
    task_event: int = 0
    end_bytes: int = 0
    rewound_to: int | None = None
    at: str = ""

    def after(self, at: StreamPosition) -> StreamPosition | None:
        """Where a listener is after it; None when it has heard it before."""
        if self.seq:
            if self.seq <= at.seq:
                return None
            return replace(at, seq=self.seq, offset_bytes=self.end_bytes)
        if self.task_event <= at.task_event:
            return None
        # Who has heard more of the run than is true any more goes back; the others stay where they
        # are.
        if self.rewound_to is not None:
            return StreamPosition(min(at.seq, self.rewound_to), self.task_event)
        return replace(at, task_event=self.task_event)

    def encode(self, at: StreamPosition) -> bytes:
        """On the wire, with the id that asks for what comes after it."""
        return b"id: %s\nevent: %s\ndata: %s\n\n" % (at.id().encode(), self._name(), self.data)

    def _name(self) -> bytes:
        return self.type.encode("ascii", "replace").replace(b"\n", b"?").replace(b"\r", b"?")


def run_frame(line: JournalLine) -> StreamFrame:
    return StreamFrame(
        line.type, line.raw.replace(b"\r", b" "), line.seq, end_bytes=line.end_bytes, at=line.at
    )


def task_frame(row: TaskEvent) -> StreamFrame:
    """What happened to a task outside its run."""
    body = json.loads(row.body)
    body = {"task_id": row.task_id, "at": iso(row.at), "type": row.type} | body
    to = int(body["seq"]) if row.type == REWOUND else None
    data = json.dumps(body, ensure_ascii=False).encode()
    return StreamFrame(row.type, data, task_event=row.id, rewound_to=to, at=iso(row.at))


def run_page(
    run_dir: str | None, at: StreamPosition, known: JournalCursor, most_bytes: int
) -> list[StreamFrame]:
    """The run's next frames after `at`, none past what the data base knows."""
    if run_dir is None or at.seq >= known.last_seq:
        return []
    path = Path(run_dir) / journal.NAME
    frames: list[StreamFrame] = []
    try:
        with path.open("rb") as file:
            offset = at.offset_bytes
            if offset is None:
                offset = cursors.seek(file, at.seq, known.offset_bytes)
            file.seek(offset)
            end = offset
            # Never past what the data base has: a client that asks for the rows finds what it was
            # told of.
            while end < known.offset_bytes and end - offset < most_bytes:
                raw = file.readline(journal.LINE_BYTES)
                end += len(raw)
                line = journal.parse(raw, end)
                if line is None or end > known.offset_bytes:
                    break
                if line.seq > at.seq:
                    frames.append(run_frame(line))
    except OSError:  # the folder was removed: there is nothing more to tell
        return frames
    return frames


def page(
    run_dir: str | None,
    at: StreamPosition,
    known: JournalCursor,
    task: Sequence[StreamFrame],
    *,
    more_task: bool = False,
    most_bytes: int = PAGE_BYTES,
) -> list[StreamFrame]:
    """What comes next after `at`, in order of time, as far as both kinds go.

    `task` is what happened outside the run, all of it unless `more_task`. Nothing of the run is
    told past a rewinding: it is read again from there.
    """
    task = [frame for frame in task if frame.after(at) is not None]
    # What was said before a rewinding and after it have the same numbers: not in one page.
    cut = next((n for n, frame in enumerate(task, 1) if frame.rewound_to is not None), None)
    if cut is not None or more_task:
        return task[:cut]
    run = run_page(run_dir, at, known, most_bytes)
    if run and run[-1].seq < known.last_seq and run[-1].end_bytes < known.offset_bytes:
        # The run's page is not its end: later task events would overtake what is still to be read.
        task = [frame for frame in task if _time(frame) <= _time(run[-1])]
    return list(heapq.merge(run, task, key=_time))


def _time(frame: StreamFrame) -> str:
    return frame.at.rstrip("Z")  # 12:00:00 comes before 12:00:00.5


@dataclass
class Channel:
    """What is kept of one task (None: what happened to any); it belongs to the event loop."""

    task_id: str | None
    begins: StreamPosition
    """The listeners that have heard so much are served from `frames`."""
    ends: StreamPosition
    frames: deque[StreamFrame] = field(default_factory=deque)
    kept_bytes: int = 0
    count: int = 0
    """Frames ever added."""
    listeners: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, frames: Iterable[StreamFrame]) -> None:
        for frame in frames:
            after = frame.after(self.ends)
            if after is None:
                continue
            if frame.rewound_to is not None:
                # What is kept has numbers that come again now.
                self.skip_to(self.ends)
                self.begins = replace(self.begins, seq=after.seq)  # who heard more is rewound
            self.ends = after
            self.count += 1
            self.frames.append(frame)
            self.kept_bytes += len(frame.data)
        while self.kept_bytes > KEPT_BYTES:
            gone = self.frames.popleft()
            self.kept_bytes -= len(gone.data)
            self.begins = gone.after(self.begins) or self.begins

    def skip_to(self, ends: StreamPosition) -> None:
        """Keep nothing: what came is too much for memory."""
        self.frames.clear()
        self.kept_bytes = 0
        self.begins = self.ends = ends

    def wake(self) -> None:
        self.changed.set()
        # A fresh one: a listener that took the old one before it looked cannot miss the change.
        self.changed = asyncio.Event()

    def since(self, count: int) -> list[StreamFrame]:
        """The frames in memory that were added after the `count`-th."""
        first = self.count - len(self.frames)
        return list(islice(self.frames, max(0, count - first), None))

    def serves(self, at: StreamPosition) -> bool:
        """Whether all that a listener at `at` has yet to hear is in memory."""
        return at.seq >= self.begins.seq and at.task_event >= self.begins.task_event
