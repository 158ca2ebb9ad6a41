"""What is asked of the tables for tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    Subquery,
    delete,
    func,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from tandem.server.db import search
from tandem.server.db.tables import (
    THERE,
    Attempt,
    DelFlag,
    EvaluationRow,
    History,
    Job,
    SearchGram,
    Task,
)
from tandem.server.tasks.list_query import TaskFilter
from tandem.server.wire.task import FIELDS
from tandem.spec.state import State

COLUMNS = tuple(getattr(Task, name) for name in FIELDS)
JOB_FIELDS = (
    "priority", "position", "queued_at", "waiting_reason", "wanted", "live", "attempt", "resumes",
    "devices", "failure_class", "advice", "heartbeat_at", "doing", "step", "total_steps",
    "metrics", "run_dir",
)  # fmt: skip
JOB_COLUMNS = tuple(getattr(Job, name) for name in JOB_FIELDS)
V1_COLUMNS = (*COLUMNS, Task.task_type, *JOB_COLUMNS)
NEVER_NULL = frozenset({"id", "task_id", "create_time", "status"})


_Column = InstrumentedAttribute[Any]
_Order = ColumnElement[Any]


def is_id(task_id: str) -> bool:
    """Whether a task may be called so at all; some data bases fail over a zero byte."""
    return 0 < len(task_id) <= 64 and task_id.isprintable()


def one(session: Session, task_id: str, columns: Sequence[_Column] = COLUMNS) -> RowMapping | None:
    """A task that is not deleted."""
    if not is_id(task_id):
        return None
    found = select(*columns).where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
    return session.execute(found).mappings().one_or_none()


def one_with_job(session: Session, task_id: str) -> RowMapping | None:
    """A task and what is known of its job, in one question."""
    if not is_id(task_id):
        return None
    found = select(*V1_COLUMNS, Job.spec, Job.last_seq).outerjoin(Job, Job.task_id == Task.task_id)
    found = found.where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
    return session.execute(found).mappings().one_or_none()


def locked(session: Session, task_id: str) -> RowMapping | None:
    """Its state and its job's; nobody else changes the task until this transaction ends."""
    if not is_id(task_id):
        return None
    row = session.execute(
        select(Task.task_id, Task.status)
        .where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return None
    # Asked after the lock, so that what the last holder wrote is seen.
    both = select(
        Task.task_id,
        Task.status,
        Task.remark,
        Task.description,
        Job.live,
        Job.wanted,
        Job.position,
        Job.spec,
    ).outerjoin(Job, Job.task_id == Task.task_id)
    return session.execute(both.where(Task.task_id == task_id)).mappings().one()


def _where(wanted: TaskFilter, gram: str | None = None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Task.del_flag == DelFlag.NORMAL]
    if gram is not None:
        found.append(search.with_gram(gram))
    if wanted.status is not None:
        found.append(Task.status == wanted.status)
    if len(wanted.statuses) == 1:
        found.append(Task.status == wanted.statuses[0])
    elif wanted.statuses:
        found.append(Task.status.in_(wanted.statuses))
    if wanted.kind:
        found.append(Task.task_type == wanted.kind)
    if wanted.owner:
        found.append(Task.create_by == wanted.owner)
    if wanted.keyword:
        found.append(search.holds(wanted.keyword))
    return found


def _order(wanted: TaskFilter, gram: str | None = None) -> list[_Order]:
    column = getattr(Task, wanted.order_by)
    if gram is not None and wanted.order_by == "id":
        column = SearchGram.task_key  # the same number, in the order of its index
    order: list[_Order] = []
    if wanted.order_by not in NEVER_NULL:
        order.append(column.is_(None))  # the same on all: those without come last
    order.append(column.desc() if wanted.descending else column.asc())
    if wanted.order_by != "id":
        order.append(Task.id.desc() if wanted.descending else Task.id.asc())
    return order


def page(
    session: Session, wanted: TaskFilter, offset: int, limit: int, *, with_jobs: bool = False
) -> Sequence[RowMapping]:
    """The keys come from an index alone; only the rows that are shown are read."""
    gram = search.rarest_gram(session, wanted.keyword)
    keys = _keys(wanted, None, offset + limit, gram).order_by(*_order(wanted, gram))
    keys_of = keys.offset(offset).limit(limit).subquery()
    return session.execute(_rows(with_jobs, keys_of, wanted)).mappings().all()


def _keys(
    wanted: TaskFilter, below_id: int | None, most: int, gram: str | None = None
) -> Select[int]:
    """The keys that are wanted; of several states in the usual order, the first `most` of each.

    One question for each state follows an index. Asked for all at once, a data base walks all
    tasks to find the few that run.
    """
    newest_first = wanted.order_by == "id" and wanted.descending
    if len(wanted.statuses) < 2 or not newest_first or gram is not None:
        return _below(select(Task.id).where(*_where(wanted, gram)), below_id)
    each = (
        _below(select(Task.id).where(*_where(replace(wanted, statuses=(state,)))), below_id)
        .order_by(Task.id.desc())
        .limit(most)
        .subquery()
        for state in wanted.statuses
    )
    found = union_all(*(select(one.c.id) for one in each)).subquery()
    return select(Task.id).join(found, found.c.id == Task.id)


def _below(keys: Select[int], below_id: int | None) -> Select[int]:
    return keys if below_id is None else keys.where(Task.id < below_id)


def _rows(with_jobs: bool, keys: Subquery, wanted: TaskFilter) -> Select[tuple[object, ...]]:
    rows: Select[tuple[object, ...]] = select(*(V1_COLUMNS if with_jobs else COLUMNS))
    rows = rows.select_from(Task).join(keys, keys.c.id == Task.id)
    if with_jobs:
        rows = rows.outerjoin(Job, Job.task_id == Task.task_id)
    return rows.order_by(*_order(wanted))


def after(
    session: Session,
    wanted: TaskFilter,
    below_id: int | None,
    limit: int,
    *,
    with_jobs: bool = False,
) -> Sequence[RowMapping]:
    """The next ones in the usual order, newest first: older than `below_id`."""
    gram = search.rarest_gram(session, wanted.keyword)
    keys = _keys(wanted, below_id, limit, gram).order_by(*_order(wanted, gram)).limit(limit)
    return session.execute(_rows(with_jobs, keys.subquery(), wanted)).mappings().all()


def keys_of(session: Session, wanted: TaskFilter) -> list[int]:
    """All in their order, by their keys: some bytes each, not a row."""
    gram = search.rarest_gram(session, wanted.keyword)
    found = select(Task.id).where(*_where(wanted, gram)).order_by(*_order(wanted, gram))
    return list(session.scalars(found))


def by_keys(session: Session, keys: Sequence[int]) -> Iterator[RowMapping]:
    """The tasks of these keys, in this order."""
    found = session.execute(
        select(*COLUMNS).where(Task.id.in_(keys), Task.del_flag == DelFlag.NORMAL)
    )
    rows = {row["id"]: row for row in found.mappings()}
    return (rows[key] for key in keys if key in rows)


def count(session: Session, wanted: TaskFilter) -> int:
    gram = search.rarest_gram(session, wanted.keyword)
    found = select(func.count(Task.id)).where(*_where(wanted, gram))
    return session.scalar(found) or 0


def queue_positions(session: Session) -> dict[str, int]:
    """Whose turn is which, from 1, of those that wait."""
    waiting = (
        select(Task.task_id)
        .join(Job, Job.task_id == Task.task_id)
        .where(Task.status == State.QUEUED, Task.del_flag.in_(THERE))
        .order_by(Job.priority.desc(), Job.position, Job.queued_at, Task.id)
    )
    return {task_id: place for place, task_id in enumerate(session.scalars(waiting), 1)}


def epoch_seconds(session: Session, task_ids: Sequence[str]) -> dict[str, float]:
    """How long an epoch takes, by what the last ones took on average."""
    average = (
        select(History.task_id, func.avg(History.epoch_time))
        .where(History.task_id.in_(task_ids), History.epoch_time.is_not(None))
        .group_by(History.task_id)
    )
    return {task_id: float(seconds) for task_id, seconds in session.execute(average)}


def attempts(session: Session, task_id: str) -> Sequence[Attempt]:
    return session.scalars(
        select(Attempt).where(Attempt.task_id == task_id).order_by(Attempt.attempt)
    ).all()


def next_position(session: Session) -> int:
    """Behind everyone."""
    return (session.scalar(select(func.max(Job.position))) or 0) + 1


def put_job(session: Session, task_id: str, **columns: object) -> None:
    """Change a task's job; one that an installed system made gets its job now."""
    if session.get(Job, task_id) is None:
        session.add(Job(task_id=task_id, **columns))
        session.flush()
        return
    session.execute(
        update(Job)
        .where(Job.task_id == task_id)
        .values(**columns)
        .execution_options(synchronize_session=False)
    )


def put_task(session: Session, task_id: str, **columns: object) -> None:
    """Change columns that are no state."""
    session.execute(
        update(Task)
        .where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
        .values(**columns)
        .execution_options(synchronize_session=False)
    )


def forget(session: Session, task_id: str) -> None:
    """What goes with a deleted task. A job whose process is still ending stays for that long."""
    session.execute(delete(History).where(History.task_id == task_id))
    session.execute(delete(EvaluationRow).where(EvaluationRow.task_id == task_id))
    session.execute(
        delete(Job)
        .where(Job.task_id == task_id, Job.live == 0)
        .execution_options(synchronize_session=False)
    )
