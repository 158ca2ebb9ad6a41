"""The live streams of this server: one watcher for all who listen.

It looks into the data base, so it hears of runs that another server dispatches too; `wake` spares
the wait where this one knows that something is new.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tandem.server.db.database import Database
from tandem.server.db.tables import Job, TaskEvent
from tandem.server.events.channel import (
    KEPT_BYTES,
    Channel,
    StreamFrame,
    StreamPosition,
    page,
    task_frame,
)
from tandem.server.events.cursor import JournalCursor

LOOK_SECONDS = 0.1
LEAST_SECONDS = 0.02
AWAY_SECONDS = 1.0
GAP_SECONDS = 1.0
"""So long a number that is missing before a task event may still be written."""
GAP_NUMBERS = 20
TASK_PAGE = 200
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunState:
    """A run as far as the data base knows it."""

    cursor: JournalCursor
    run_dir: str | None


class Hub:
    """Made with the context; works in the server's event loop while someone listens."""

    def __init__(self) -> None:
        self._channels: dict[str | None, Channel] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._settled = -1
        self._seen: dict[int, float] = {}
        """When a task event was first seen that is not told yet."""
        self.closed = False

    @property
    def listeners(self) -> int:
        """Open streams."""
        return sum(channel.listeners for channel in self._channels.values())

    def wake(self) -> None:
        """Something is new; from any thread."""
        loop = self._loop
        if loop is not None and self._channels:
            # An asyncio.Event may be set from its own loop's thread only; the dispatcher is another
            # one.
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._wake.set)

    def close(self) -> None:
        """End all streams, as the server is about to; from any thread."""
        self.closed = True
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake_all)

    def _wake_all(self) -> None:
        self._wake.set()
        for channel in self._channels.values():
            channel.wake()

    @asynccontextmanager
    async def listening(self, database: Database, task_id: str | None) -> AsyncIterator[Channel]:
        """The channel of a task, kept as long as someone is within."""
        self._bind()
        known = RunState(JournalCursor(), None)
        if task_id is not None:
            known = (await asyncio.to_thread(_run_states, database, [task_id])).get(task_id, known)
        # Two listeners may both ask; the first answer counts, so that neither skips an event.
        while self._settled < 0:
            newest = await asyncio.to_thread(_newest, database)
            self._settled = newest if self._settled < 0 else self._settled
        # No await from here on. Whoever is not at the very end reads the first time from disk.
        end = StreamPosition(known.cursor.last_seq, self._settled, known.cursor.offset_bytes)
        channel = self._channels.setdefault(task_id, Channel(task_id, end, end))
        channel.listeners += 1
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch(database), name="event streams")
        try:
            yield channel
        finally:
            channel.listeners -= 1
            # It may have been thrown away by `_bind`, and another one put in its place.
            if channel.listeners == 0 and self._channels.get(task_id) is channel:
                del self._channels[task_id]

    def _bind(self) -> None:
        loop = asyncio.get_running_loop()
        # In the tests, and where a server is started anew in one process, an Event of a loop that
        # has
        # ended would never wake.
        if self._loop is not loop:
            self._loop, self._wake, self._watcher = loop, asyncio.Event(), None
            self._channels, self._settled = {}, -1

    async def _watch(self, database: Database) -> None:
        while self._channels and not self.closed:
            # Before the look, not after it: what comes while we look sets it again.
            self._wake.clear()
            began = time.monotonic()
            try:
                await self._look(database)
            except SQLAlchemyError as problem:
                log.warning("the streams wait for the data base: %s", type(problem).__name__)
                await asyncio.sleep(AWAY_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            # A run that speaks a thousand times a second costs fifty looks, not a thousand.
            await asyncio.sleep(max(0.0, LEAST_SECONDS - (time.monotonic() - began)))
        self._settled = -1  # nobody looked from here on

    async def _look(self, database: Database) -> None:
        """One look at all runs that someone listens to, and at what happened outside them."""
        # Listeners come and go while a worker thread asks the data base.
        channels = dict(self._channels)
        ends = {name: channel.ends for name, channel in channels.items()}
        news, self._settled = await asyncio.to_thread(self._news, database, ends)
        for name, channel in self._channels.items():
            if channels.get(name) is not channel:  # it came while we looked, and was not served
                channel.skip_to(replace(channel.ends, task_event=self._settled))
                channel.wake()
                continue
            frames = news.get(name)
            if isinstance(frames, StreamPosition):
                channel.skip_to(frames)
            elif frames:
                channel.add(frames)
            if frames:
                channel.wake()

    def _news(
        self, database: Database, ends: dict[str | None, StreamPosition]
    ) -> tuple[dict[str | None, list[StreamFrame] | StreamPosition], int]:
        """In a worker thread. A Position: too much for memory, it is on disk up to there."""
        with database.read() as session:
            outside = self._outside(session, may_come_late=database.dialect != "sqlite")
            # Asked after the task events: an event that both know of is told in its place.
            known = _run_states_in(session, [name for name in ends if name is not None])
        found: dict[str | None, list[StreamFrame] | StreamPosition] = {}
        for name, end in ends.items():
            rows = [frame for task, frame in outside if name in (None, task)]
            run = known.get(name) if name is not None else None
            frames = _next(run, end, rows)
            if frames:
                found[name] = frames
        settled = outside[-1][1].task_event if outside else self._settled
        return found, settled

    def _outside(self, session: Session, *, may_come_late: bool) -> list[tuple[str, StreamFrame]]:
        """Task events not told yet, but for those behind a number that may still be written."""
        # Numbers are given when a row is written, and seen when its transaction ends: 12 may be
        # there before 11 is. A listener who was told 12 would never hear of 11.
        rows = session.scalars(
            select(TaskEvent)
            .where(TaskEvent.id > self._settled)
            .order_by(TaskEvent.id)
            .limit(5 * TASK_PAGE)
        ).all()
        now = time.monotonic()
        self._seen = {row.id: self._seen.get(row.id, now) for row in rows}
        frames: list[tuple[str, StreamFrame]] = []
        after = self._settled
        for row in rows:
            # A number whose transaction was rolled back never comes: after a second it is waited
            # for no more.
            is_next = row.id == after + 1 or after == 0
            if may_come_late and not is_next and now - self._seen[row.id] < GAP_SECONDS:
                break
            frames.append((row.task_id, task_frame(row)))
            after = row.id
        return frames

    async def older(
        self, database: Database, task_id: str | None, at: StreamPosition
    ) -> tuple[list[StreamFrame], int]:
        """What a listener behind the channel's memory has to hear next; then it has heard all
        that happened outside the run up to the number given (0: not all)."""
        return await asyncio.to_thread(_older, database, task_id, at, self._settled)


def _next(
    run: RunState | None, end: StreamPosition, rows: list[StreamFrame]
) -> list[StreamFrame] | StreamPosition:
    if run is None:
        return [frame for frame in rows if frame.after(end) is not None]
    frames: list[StreamFrame] = []
    cursor, at = run.cursor, end
    while fresh := page(run.run_dir, at, cursor, rows):
        frames += fresh
        for frame in fresh:
            at = frame.after(at) or at
        # A run that is far ahead of the stream stays on disk, where each listener reads it page by
        # page.
        if sum(len(frame.data) for frame in frames) > KEPT_BYTES:
            last = rows[-1].task_event if rows else end.task_event
            return StreamPosition(cursor.last_seq, last, cursor.offset_bytes)
    return frames


def _older(
    database: Database, task_id: str | None, at: StreamPosition, settled: int
) -> tuple[list[StreamFrame], int]:
    wanted = select(TaskEvent).where(TaskEvent.id > at.task_event, TaskEvent.id <= settled)
    if task_id is not None:
        wanted = wanted.where(TaskEvent.task_id == task_id)
    with database.read() as session:
        rows = session.scalars(wanted.order_by(TaskEvent.id).limit(TASK_PAGE)).all()
        run = _run_states_in(session, [task_id]).get(task_id) if task_id is not None else None
    frames = [task_frame(row) for row in rows]
    # A full page may have cut the task events short; the run's must not be told past them.
    more = len(rows) == TASK_PAGE
    if run is not None:
        frames = page(run.run_dir, at, run.cursor, frames, more_task=more)
    outside = sum(frame.task_event > 0 for frame in frames)
    return frames, 0 if more or outside < len(rows) else settled


def _newest(database: Database) -> int:
    """The last task event before which none may still be written.

    A listener hears of those up to it in their place among the run's events; later ones follow.
    """
    with database.read() as session:
        last = session.scalar(select(func.max(TaskEvent.id))) or 0
        if database.dialect == "sqlite":  # one writer at a time: numbers come in order
            return last
        # Older gaps are rollbacks: no transaction is open for twenty others.
        settled = max(0, last - GAP_NUMBERS)
        later = select(TaskEvent.id).where(TaskEvent.id > settled).order_by(TaskEvent.id)
        for number in session.scalars(later):
            if settled and number != settled + 1:
                break
            settled = number
    return settled


def _run_states(database: Database, task_ids: list[str]) -> dict[str, RunState]:
    with database.read() as session:
        return _run_states_in(session, task_ids)


def _run_states_in(session: Session, task_ids: list[str]) -> dict[str, RunState]:
    if not task_ids:
        return {}
    wanted = select(Job.task_id, Job.last_seq, Job.offset_bytes, Job.journal, Job.run_dir)
    return {
        row.task_id: RunState(
            JournalCursor(row.last_seq, row.offset_bytes, row.journal), row.run_dir
        )
        for row in session.execute(wanted.where(Job.task_id.in_(task_ids)))
    }
