"""What waits and what runs, and how what waits is put into another order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.tables import THERE, Job, Task
from tandem.server.dispatch import placement
from tandem.server.errors import ConflictError
from tandem.server.queue.schemas import Queue, QueuedTask, Running
from tandem.server.tasks import queries as tasks
from tandem.server.tasks.service import missing
from tandem.spec import annotation
from tandem.spec.run import RunSpec
from tandem.spec.state import State

TURN = (Job.priority.desc(), func.coalesce(Job.position, 0), Task.task_id)
"""Among the tasks of one owner; `_in_turn` also takes the owners in turn."""
ANY = placement.SlotRequest()


def show(context: Context) -> Queue:
    """The whole queue at one moment."""
    with context.database.read() as session:
        rows = _waiting(session)
        runs = session.execute(
            select(Task.task_id, Task.task_name, Task.create_by, Job.devices, Job.attempt)
            .join(Job, Job.task_id == Task.task_id)
            .where(Task.status == State.RUNNING, Task.del_flag.in_(THERE))
            .order_by(Task.id)
        ).all()
    return Queue(
        waiting=[
            QueuedTask(
                position=place,
                task_id=row.task_id,
                task_name=row.task_name,
                priority=row.priority,
                reason=row.waiting_reason,
                queued_at=row.queued_at,
                devices=_wanted(row.spec),
            )
            for place, row in enumerate(_in_turn(rows, [run.create_by for run in runs]), 1)
        ],
        running=[
            Running(
                task_id=row.task_id,
                task_name=row.task_name,
                devices=json.loads(row.devices or "[]"),
                attempt=row.attempt,
            )
            for row in runs
        ],
    )


class _QueueRow(NamedTuple):
    """A task that waits, and what decides its turn."""

    task_id: str
    task_name: str
    create_by: str | None
    priority: int
    position: int | None
    waiting_reason: str | None
    queued_at: datetime | None
    spec: str | None


def _in_turn(rows: Sequence[_QueueRow], busy: Sequence[str | None]) -> Iterator[_QueueRow]:
    """As the dispatcher takes them, one after the other."""
    known = {row.task_id: row for row in rows}
    queue = [
        placement.QueuedRun(row.task_id, ANY, row.priority, row.position or 0, row.create_by)
        for row in rows
    ]
    running = Counter(busy)
    for one in placement.in_turn(queue, running):
        running[one.owner] += 1
        yield known[one.task_id]


def _waiting(session: Session) -> Sequence[_QueueRow]:
    columns = (Job.priority, Job.position, Job.waiting_reason, Job.queued_at, Job.spec)
    found = session.execute(
        select(Task.task_id, Task.task_name, Task.create_by, *columns)
        .join(Job, Job.task_id == Task.task_id)
        .where(Task.status == State.QUEUED, Task.del_flag.in_(THERE))
        .order_by(*TURN)
    )
    return [_QueueRow(*row) for row in found]


def _wanted(spec: str | None) -> str | list[int]:
    job = annotation.parse(spec)
    if job is not None:
        return job.devices
    try:
        return RunSpec.model_validate_json(spec or "").run.devices
    except ValidationError:
        return "auto"


def move(context: Context, task_id: str, *, to: int | None, priority: int | None) -> Queue:
    """To place `to` of those that wait, or to another priority; ConflictError if it waits not."""

    def work(session: Session) -> None:
        found = tasks.locked(session, task_id)
        if found is None:
            raise missing(task_id)
        if found["status"] != State.QUEUED:
            raise ConflictError(
                "It is {state} and does not wait in the queue.", state=found["status"]
            )
        if priority is not None:
            _put(session, found["task_id"], priority=priority)
        if to is not None:
            _reorder(session, found["task_id"], to)

    context.database.run(work)
    context.wake()
    return show(context)


def _reorder(session: Session, task_id: str, to: int) -> None:
    """All that wait are locked, in the order of their ids, so that two movers do not cross."""
    jobs = (
        select(Job.task_id)
        .join(Task, Task.task_id == Job.task_id)
        .where(Task.status == State.QUEUED, Task.del_flag.in_(THERE))
        .order_by(Job.task_id)
        .with_for_update(of=Job)
    )
    session.execute(jobs).all()
    rows = list(_waiting(session))
    one = next((row for row in rows if row.task_id == task_id), None)
    if one is None:
        raise ConflictError("It is {state} and does not wait in the queue.", state=State.RUNNING)
    others = [row for row in rows if row is not one]
    place = min(to - 1, len(others))
    priority = _between(one.priority, others, place)
    order = [*others[:place], one, *others[place:]]
    for position, row in zip(sorted(_positions(order)), order, strict=True):
        columns = {"position": position} | ({"priority": priority} if row is one else {})
        if row.position != position or row is one:
            _put(session, row.task_id, **columns)


def _between(own: int, others: Sequence[_QueueRow], place: int) -> int:
    """Its own priority where that keeps it at its place, else the nearest that does."""
    most = others[place - 1].priority if place else None
    least = others[place].priority if place < len(others) else None
    if most is not None and own > most:
        return int(most)
    return int(least) if least is not None and own < least else own


def _positions(rows: Sequence[_QueueRow]) -> Sequence[int]:
    """Those that they have; anew where two share one."""
    known = [row.position for row in rows if row.position is not None]
    first = min(known, default=1)
    return known if len(set(known)) == len(rows) else range(first, first + len(rows))


def _put(session: Session, task_id: str, **columns: int) -> None:
    session.execute(
        update(Job)
        .where(Job.task_id == task_id)
        .values(**columns)
        .execution_options(synchronize_session=False)
    )
