"""What is asked of the tables about annotations: rows beside the trainings', told by `del_flag`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping, Select, func, select, update
from sqlalchemy.orm import Session

from tandem.server.db.tables import DelFlag, Job, Task
from tandem.server.tasks import queries as tasks

COLUMNS = (
    Task.task_id,
    Task.status,
    Task.student_model,
    Task.error_message,
    Task.start_time,
    Task.end_time,
    Task.duration,
    Job.spec,
    Job.step,
    Job.total_steps,
    Job.metrics,
    Job.live,
    Job.wanted,
    Job.advice,
    Job.waiting_reason,
    Job.heartbeat_at,
    Job.run_dir,
)


def _rows() -> Select[*tuple[object, ...]]:
    joined = select(*COLUMNS).join(Job, Job.task_id == Task.task_id)
    return joined.where(Task.del_flag == DelFlag.ANNOTATION)


def page(session: Session, number: int, size: int) -> Sequence[RowMapping]:
    """One page, from 1, the newest first."""
    asked = _rows().order_by(Task.id.desc()).limit(size).offset((number - 1) * size)
    return session.execute(asked).mappings().all()


def count(session: Session) -> int:
    """How many there are on all pages."""
    return int(session.execute(select(func.count()).select_from(_rows().subquery())).scalar_one())


def one(session: Session, inference_id: str) -> RowMapping | None:
    """The row of one, if there is such."""
    if not tasks.is_id(inference_id):
        return None
    found = _rows().where(Task.task_id == inference_id)
    return session.execute(found).mappings().one_or_none()


def locked(session: Session, inference_id: str) -> RowMapping | None:
    """The same, held until the transaction ends."""
    if not tasks.is_id(inference_id):
        return None
    held = select(Task.task_id).where(
        Task.task_id == inference_id, Task.del_flag == DelFlag.ANNOTATION
    )
    if session.execute(held.with_for_update()).one_or_none() is None:
        return None
    return one(session, inference_id)


def insert(session: Session, task: Mapping[str, object], job: Mapping[str, object]) -> None:
    """Both rows of a new one."""
    session.add(Task(del_flag=DelFlag.ANNOTATION, **task))
    session.add(Job(**job))
    session.flush()


def put(session: Session, task_id: str, **columns: object) -> None:
    """Write some columns of its job."""
    session.execute(
        update(Job)
        .where(Job.task_id == task_id)
        .values(**columns)
        .execution_options(synchronize_session=False)
    )


def forget(session: Session, task_id: str) -> None:
    """Mark it deleted: its rows stay."""
    session.execute(update(Task).where(Task.task_id == task_id).values(del_flag=DelFlag.DELETED))
