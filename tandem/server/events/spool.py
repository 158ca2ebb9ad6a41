"""Events that a run elsewhere sends: into its journal here, then absorbed as every journal is."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.tables import Attempt, DelFlag, Job, Task
from tandem.server.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    Problem,
    TooLargeError,
    UnavailableError,
)
from tandem.server.events.collect import collect
from tandem.spec import journal
from tandem.spec.event import EVENT, Event
from tandem.spec.i18n import t
from tandem.spec.state import State

MOST_EVENTS = 10_000
MOST_BYTES = 8 * 2**20
LOCK_SECONDS = 10.0


class GapError(ConflictError):
    """`expected_seq`: the number that should have come."""

    def __init__(self, task_id: str, got: int, expected_seq: int) -> None:
        self.expected_seq = expected_seq
        super().__init__(
            "Events of {task} are missing: the next has the number {expected}.",
            got=got,
            task=task_id,
            expected=expected_seq,
            fix="Send them from number {expected} on.",
        )


@dataclass(frozen=True)
class Received:
    accepted: int
    """Events that were new."""
    last_seq: int
    """The last number known now."""


def parse(body: bytes, task_id: str) -> list[Event]:
    """A JSON array of events or one event a line, in order. InvalidError names each fault."""
    if len(body) > MOST_BYTES:
        raise TooLargeError(
            "A batch of events may have {most} bytes.",
            got=len(body),
            most=MOST_BYTES,
            fix="Send it in parts.",
        )
    # One more than may be: so that what is too much is never a list.
    parts = list(islice(_parts(body), MOST_EVENTS + 1))
    if len(parts) > MOST_EVENTS:
        raise TooLargeError(
            "A batch may have {most} events.",
            most=MOST_EVENTS,
            fix="Send it in parts.",
        )
    problems: list[Problem] = []
    events: list[Event] = []
    for number, part in enumerate(parts):
        try:
            event = EVENT.validate_json(part)
        except ValidationError as fault:
            problems += _problems(number, fault)
            continue
        if event.task_id != task_id:
            other = t("this is an event of {task}", task=event.task_id)
            problems.append({"field": f"{number}.task_id", "problem": other})
        events.append(event)
    if problems:
        raise InvalidError(problems[:20])
    return sorted(events, key=lambda event: event.seq)


def _parts(body: bytes) -> Iterator[bytes | str]:
    if body.lstrip()[:1] != b"[":
        yield from (line for line in io.BytesIO(body) if line.strip())
        return
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise InvalidError([{"field": "body", "problem": str(fault)}]) from None
    yield from (json.dumps(one) for one in found)


def _problems(number: int, fault: ValidationError) -> list[Problem]:
    return [
        {"field": ".".join(map(str, (number, *one["loc"]))), "problem": one["msg"]}
        for one in fault.errors(include_url=False, include_input=False)[:5]
    ]


def receive(context: Context, task_id: str, events: Sequence[Event]) -> Received:
    """Into the journal and the data base. GapError when numbers are missing."""
    job = _job(context, task_id)
    if _is_complete(context, task_id):
        if events and events[-1].seq > job.last_seq:
            raise ConflictError(
                "The task {task} is COMPLETED: it takes no further events.",
                task=task_id,
                fix="Create a new task for a new run.",
            )
        return Received(0, job.last_seq)  # said again by one who did not hear the answer
    folder = Path(job.run_dir or "")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(str(folder / ".events.lock"), timeout=LOCK_SECONDS):
            accepted = _append(folder / journal.NAME, events, task_id)
    except Timeout:
        raise UnavailableError(
            "Another request is writing the events of {task}.", task=task_id, fix="Try again."
        ) from None
    except OSError as problem:
        raise UnavailableError(
            "The events of {task} cannot be kept: {reason}.",
            task=task_id,
            reason=problem.strerror or problem,
            fix="Free some space on the server and send them again.",
        ) from problem
    while collect(context, [job]):
        pass
    return Received(accepted, job.last_seq)


def _job(context: Context, task_id: str) -> Job:
    """Its job, made where there is none. Refuses runs that this service launched itself."""
    with context.database.read() as session:
        found = _look_up(session, task_id)
    if found is None:
        folder = context.settings.output_root / task_id
        row = {"task_id": task_id, "run_dir": str(folder)}
        with suppress(IntegrityError):  # another request was first
            context.database.run(lambda session: session.execute(insert(Job), [row]))
        with context.database.read() as session:
            found = _look_up(session, task_id)
    if found is None or not found.run_dir:
        raise _launched_here(task_id)
    return found


def _look_up(session: Session, task_id: str) -> Job | None:
    status = session.scalar(
        select(Task.status).where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
    )
    if status is None:
        raise NotFoundError(
            "There is no task {task}.", task=task_id, fix="List the tasks to see their ids."
        )
    job = session.scalar(select(Job).where(Job.task_id == task_id))
    attempts = select(Attempt.id).where(Attempt.task_id == task_id).limit(1)
    if job is not None and (job.live or session.execute(attempts).first() is not None):
        raise _launched_here(task_id)
    return job


def _is_complete(context: Context, task_id: str) -> bool:
    with context.database.read() as session:
        status = session.scalar(select(Task.status).where(Task.task_id == task_id))
    return status == State.COMPLETED


def _launched_here(task_id: str) -> ConflictError:
    return ConflictError(
        "The run of {task} was launched by this service, which reads its events itself.",
        task=task_id,
        fix="Send events only of runs that were started elsewhere.",
    )


def _append(path: Path, events: Sequence[Event], task_id: str) -> int:
    lines = {event.seq: event.model_dump_json().encode() + b"\n" for event in reversed(events)}
    last, whole_bytes, first = _tail(path)
    if 1 in lines and first is not None and journal.run_id(lines[1]) != first:
        path.replace(path.with_name(f"events.{first}.jsonl"))  # begun anew where it runs
        last, whole_bytes = 0, 0
    fresh = sorted(seq for seq in lines if seq > last)
    for expected, seq in enumerate(fresh, last + 1):
        if seq != expected:
            raise GapError(task_id, seq, expected)
    if fresh:
        lasting = any(event.type in journal.LASTING for event in events)
        _write(path, b"".join(lines[seq] for seq in fresh), whole_bytes, lasting=lasting)
    return len(fresh)


def _write(path: Path, data: bytes, whole_bytes: int, *, lasting: bool) -> None:
    """All or nothing; half a line that a crash has left is cut off first."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.ftruncate(file, whole_bytes)
        os.lseek(file, whole_bytes, os.SEEK_SET)
        try:
            if os.write(file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if lasting:
                os.fsync(file)
        except OSError:
            os.ftruncate(file, whole_bytes)
            raise
    finally:
        os.close(file)


def _tail(path: Path) -> tuple[int, int, str | None]:
    """The last number, the bytes of whole lines, and which journal it is."""
    try:
        with path.open("rb") as file:
            first = journal.identity(file)
            size = file.seek(0, os.SEEK_END)
            reach = 2**16
            while True:
                begins = max(0, size - reach)
                file.seek(begins)
                whole, newline, _ = file.read(size - begins).rpartition(b"\n")
                line = whole.rpartition(b"\n")[2] + newline
                if begins == 0 or (newline and b"\n" in whole):
                    break
                reach *= 4
    except FileNotFoundError:
        return 0, 0, None
    found = journal.parse(line, 0)
    return (found.seq if found else 0), begins + len(whole) + len(newline), first
