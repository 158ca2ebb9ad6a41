"""Server-sent events: the history first, then what happens, each with the id to go on from."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from tandem.server.context import Context
from tandem.server.db.tables import DelFlag, Job, Task, TaskEvent
from tandem.server.errors import InvalidError, NotFoundError
from tandem.server.events.channel import Channel, StreamPosition
from tandem.spec.i18n import t

HEARTBEAT_SECONDS = 15.0
STALLED_SECONDS = 60.0
"""A reader that takes nothing for so long is let go; it comes back and misses nothing."""
RETRY_MILLISECONDS = 1000
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
log = logging.getLogger(__name__)
_ID = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


class EventStream(StreamingResponse):
    """Lets go of a reader that does not read."""

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bounded(message: Message) -> None:
            async with asyncio.timeout(STALLED_SECONDS):
                await send(message)

        try:
            with suppress(TimeoutError):
                await super().__call__(scope, receive, bounded)
        finally:
            if isinstance(self.body_iterator, AsyncGenerator):
                await self.body_iterator.aclose()  # it listens until then


def begin(
    context: Context, task_id: str | None, last_id: str | None, types: str | None
) -> tuple[StreamPosition, frozenset[str] | None]:
    """Where the stream begins, and what it tells. NotFoundError, InvalidError. Not in the loop."""
    wanted = frozenset(filter(None, (one.strip() for one in (types or "").split(","))))
    if task_id is not None:
        must_be(context, task_id)
    return _position(context, task_id, last_id), wanted or None


def must_be(context: Context, task_id: str) -> None:
    with context.database.read() as session:
        there = select(Task.id).where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
        if session.execute(there).first() is None:
            raise NotFoundError(
                "There is no task {task}.", task=task_id, fix="List the tasks to see their ids."
            )


def _position(context: Context, task_id: str | None, last_id: str | None) -> StreamPosition:
    if last_id in (None, "") and task_id is not None:
        return StreamPosition()
    if last_id in (None, "", "now"):
        return _now(context, task_id)
    found = _ID.fullmatch(last_id or "")
    if found is None:
        allowed = t("an id of this stream, such as 12-3, or now")
        raise InvalidError([{"field": "last_event_id", "problem": allowed}])
    seq, task_event = int(found[1]), int(found[2])
    known = _now(context, task_id)
    # An id from before the journal was begun anew counts further than there is now.
    return StreamPosition(seq if seq <= known.seq else 0, min(task_event, known.task_event))


def _now(context: Context, task_id: str | None) -> StreamPosition:
    with context.database.read() as session:
        last = session.scalar(select(func.max(TaskEvent.id))) or 0
        seq = 0
        if task_id is not None:
            seq = session.scalar(select(Job.last_seq).where(Job.task_id == task_id)) or 0
    return StreamPosition(seq, last)


async def frames(
    context: Context, task_id: str | None, at: StreamPosition, types: frozenset[str] | None
) -> AsyncGenerator[bytes, None]:
    """The stream's bytes, until the reader leaves or the server ends.

    Where the data base goes away, an `error` event says so and ends it: the reader comes back with
    the last id, as after any break.
    """
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    try:
        async with aclosing(_events(context, task_id, at, types)) as events:
            async for written in events:
                yield written
    except SQLAlchemyError as error:
        log.warning("A stream of events ends: %s", type(error).__name__)
        said = {"status": 503, "message": t("The data base does not answer.")}
        yield f"event: error\ndata: {json.dumps(said, ensure_ascii=False)}\n\n".encode()


async def _events(
    context: Context, task_id: str | None, at: StreamPosition, types: frozenset[str] | None
) -> AsyncGenerator[bytes, None]:
    async with context.hub.listening(context.database, task_id) as channel:
        listener = Listener(context, channel, at, types)
        while not context.hub.closed:
            changed = channel.changed
            written, moved = await listener.next()
            if written:
                yield written
            elif not moved:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    yield b": still here\n\n"


class Listener:
    """One reader of a stream."""

    def __init__(
        self, context: Context, channel: Channel, at: StreamPosition, types: frozenset[str] | None
    ) -> None:
        self.context, self.channel, self.at, self.types = context, channel, at, types
        self._count = 0

    async def next(self) -> tuple[bytes, bool]:
        """What to write, and whether it has got any further."""
        was, heard = self.at, 0
        if self.channel.serves(self.at):
            fresh, self._count = self.channel.since(self._count), self.channel.count
        else:
            hub, database = self.context.hub, self.context.database
            fresh, heard = await hub.older(database, self.channel.task_id, self.at)
        written = bytearray()
        for frame in fresh:
            after = frame.after(self.at)
            if after is None:
                continue
            self.at = after
            if self.types is None or frame.type in self.types:
                written += frame.encode(after)
        if heard > self.at.task_event:
            self.at = replace(self.at, task_event=heard)
        return bytes(written), self.at != was
