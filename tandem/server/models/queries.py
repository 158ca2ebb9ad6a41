"""What is asked of the tables about models: tasks that have one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, or_, select
from sqlalchemy.orm import Session

from tandem.server.db.tables import DelFlag, Job, Task, TaskData
from tandem.server.tasks import queries as tasks
from tandem.spec.state import State

ORDERS: dict[str, ColumnElement[Any]] = {
    "created_at": Task.create_time,  # type: ignore[dict-item]
    "name": Task.task_name,  # type: ignore[dict-item]
    "kind": Task.task_type,  # type: ignore[dict-item]
    "student_model": Task.student_model,  # type: ignore[dict-item]
    "accuracy": func.coalesce(Task.best_accuracy, Task.accuracy),
}
COLUMNS = (
    Task.id, Task.task_id, Task.task_name, Task.task_type, Task.student_model,
    Task.teacher_model, Task.training_mode, Task.status, Task.accuracy, Task.best_accuracy,
    Task.dataset_id, Task.num_classes, Task.model_path, Task.create_time, Task.remark,
    Task.description, Job.spec,
)  # fmt: skip


def page(
    session: Session, number: int, size: int, keyword: str | None, kind: str | None, sort: str
) -> tuple[Sequence[RowMapping], int]:
    """One page, from 1, by a column of ORDERS, `-` before it for falling; how many there are."""
    wanted, order = _where(keyword, kind), _order(sort)
    # The page's keys first: sorting whole rows, with their specs, would take far more memory.
    keys = select(Task.id).where(*wanted).order_by(*order).offset((number - 1) * size).limit(size)
    total = session.scalar(select(func.count()).select_from(Task).where(*wanted)) or 0
    asked = _rows().where(Task.id.in_(select(keys.subquery().c.id))).order_by(*order)
    return session.execute(asked).mappings().all(), total


def one(session: Session, task_id: str) -> RowMapping | None:
    """The row of one task, if there is such."""
    if not tasks.is_id(task_id):
        return None
    asked = _rows().where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
    return session.execute(asked).mappings().one_or_none()


def completed(
    session: Session, min_accuracy: float | None, teacher: str | None, student: str | None
) -> Sequence[RowMapping]:
    """Tasks that are COMPLETED, the newest first, with a task's usual columns."""
    wanted = [Task.status == State.COMPLETED, Task.del_flag == DelFlag.NORMAL]
    if min_accuracy is not None:
        wanted.append(func.coalesce(Task.best_accuracy, Task.accuracy) >= min_accuracy)
    if teacher:
        wanted.append(Task.teacher_model == teacher)
    if student:
        wanted.append(Task.student_model == student)
    found = select(*tasks.COLUMNS).where(*wanted).order_by(Task.id.desc())
    return session.execute(found).mappings().all()


def dataset_versions(session: Session, task_ids: Sequence[str]) -> dict[str, int]:
    """The version of its training data that each task used last."""
    asked = (
        select(TaskData.task_id, TaskData.number)
        .where(
            TaskData.task_id.in_(task_ids), TaskData.part == "train", TaskData.number.is_not(None)
        )
        .order_by(TaskData.attempt)
    )
    return {task: number for task, number in session.execute(asked) if number}


def tasks_by_model(session: Session, paths: Iterable[str]) -> dict[str, str]:
    """The task of each of these paths that is a task's model."""
    asked = select(Task.model_path, Task.task_id).where(
        Task.del_flag == DelFlag.NORMAL, Task.model_path.in_(paths)
    )
    return {str(path): task for path, task in session.execute(asked)}


def existing(session: Session, task_ids: Iterable[str]) -> set[str]:
    """Those of these ids that are tasks'."""
    asked = select(Task.task_id).where(Task.del_flag == DelFlag.NORMAL, Task.task_id.in_(task_ids))
    return set(session.scalars(asked))


def _rows() -> Select[*tuple[object, ...]]:
    return select(*COLUMNS).outerjoin(Job, Job.task_id == Task.task_id)


def _where(keyword: str | None, kind: str | None) -> list[ColumnElement[bool]]:
    has_model = or_(Task.status == State.COMPLETED, Task.model_path.is_not(None))
    found: list[ColumnElement[bool]] = [Task.del_flag == DelFlag.NORMAL, has_model]
    if kind:
        found.append(Task.task_type == kind)
    if keyword:
        columns = (Task.task_name, Task.student_model, Task.teacher_model, Task.task_id)
        found.append(or_(*(one.icontains(keyword, autoescape=True) for one in columns)))
    return found


def _order(sort: str) -> list[ColumnElement[Any]]:
    column, falls = ORDERS[sort.removeprefix("-")], sort.startswith("-")
    by_key = Task.id.desc() if falls else Task.id.asc()
    # Those without the figure come last on every data base.
    return [column.is_(None), column.desc() if falls else column.asc(), by_key]
