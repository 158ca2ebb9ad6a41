"""Which trained models there are: pages from the tables, the rest from the models' own files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, or_, select
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.tables import DelFlag, Job, Task, TaskData
from tandem.server.errors import ConflictError, InvalidError
from tandem.server.models import allowed_paths, exports
from tandem.server.models.exports import ExportedEntry
from tandem.server.models.facts import Facts, facts
from tandem.server.models.schemas import Model
from tandem.server.tasks import queries
from tandem.server.tasks.service import missing
from tandem.spec.i18n import t
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
    Task.dataset_id, Task.num_classes, Task.model_path, Task.create_time, Job.spec,
)  # fmt: skip
FIGURES = {"segmentation": "miou", "detection": "map50"}
IMPORTED = "imported"
"""The training mode of a task that was never trained here."""


def page(
    context: Context, number: int, size: int, keyword: str | None, kind: str | None, sort: str
) -> tuple[list[Model], int]:
    """One page, from 1, and how many models there are in all."""
    wanted = _where(keyword, kind)
    order = _order(sort)
    keys = select(Task.id).where(*wanted).order_by(*order).offset((number - 1) * size).limit(size)
    with context.database.read() as session:
        total = session.scalar(select(func.count()).select_from(Task).where(*wanted)) or 0
        asked = _rows().where(Task.id.in_(select(keys.subquery().c.id))).order_by(*order)
        rows = session.execute(asked).mappings().all()
        more = _more(context, session, rows)
    return [Model.model_validate(shown(context, row, more)) for row in rows], total


def row_of(context: Context, task_id: str) -> RowMapping:
    """One with a model; NotFoundError without the task, ConflictError without a model."""
    row: RowMapping | None = None
    if queries.is_id(task_id):
        with context.database.read() as session:
            asked = _rows().where(Task.task_id == task_id, Task.del_flag == DelFlag.NORMAL)
            row = session.execute(asked).mappings().one_or_none()
    if row is None:
        raise missing(task_id)
    if row["status"] != State.COMPLETED and not row["model_path"]:
        raise ConflictError(
            "It is {state}: only a completed task has a model.",
            state=row["status"],
            fix="Choose one of the completed models.",
        )
    return row


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
    column = ORDERS.get(sort.removeprefix("-"))
    if column is None:
        allowed = ", ".join(sorted(ORDERS))
        problem = t(
            "There is no order by {got}. Allowed: {allowed}.", got=sort[:100], allowed=allowed
        )
        raise InvalidError([{"field": "sort", "problem": problem}])
    falls = sort.startswith("-")
    by_key = Task.id.desc() if falls else Task.id.asc()
    # Those without the figure come last on every data base.
    return [column.is_(None), column.desc() if falls else column.asc(), by_key]


class RelatedRows:
    """What a page's rows need of other tables, asked for once."""

    def __init__(self, versions: Mapping[str, int], makers: Mapping[str, str]) -> None:
        self.versions = versions
        """Facts of its training data, by task."""
        self.makers = makers
        """The task that made a model, by the model's path in a spec."""


def _more(context: Context, session: Session, rows: Sequence[RowMapping]) -> RelatedRows:
    ids = [row["task_id"] for row in rows]
    asked = (
        select(TaskData.task_id, TaskData.number)
        .where(TaskData.task_id.in_(ids), TaskData.part == "train", TaskData.number.is_not(None))
        .order_by(TaskData.attempt)
    )
    versions: dict[str, int] = {task: number for task, number in session.execute(asked) if number}
    named = {path for row in rows for path in ancestors(row).values() if path}
    return RelatedRows(versions, _makers(context, session, named))


def more_of(context: Context, row: RowMapping) -> RelatedRows:
    """The same of one model."""
    with context.database.read() as session:
        return _more(context, session, [row])


def _makers(context: Context, session: Session, named: set[str]) -> dict[str, str]:
    """Which of these paths a task of ours has filled: by its run's folder, or its model's path."""
    root = context.settings.output_root
    folders = {}
    for path in named:
        if Path(path).is_relative_to(root) and Path(path) != root:
            folders[path] = Path(path).relative_to(root).parts[0]
    by_path = select(Task.model_path, Task.task_id).where(
        Task.del_flag == DelFlag.NORMAL, Task.model_path.in_(named)
    )
    by_id = select(Task.task_id).where(
        Task.del_flag == DelFlag.NORMAL, Task.task_id.in_(folders.values())
    )
    there = set(session.scalars(by_id)) if folders else set()
    makers = {path: name for path, name in folders.items() if name in there}
    if named:
        makers |= {str(path): task for path, task in session.execute(by_path)}
    return makers


def ancestors(row: RowMapping) -> dict[str, str | None]:
    """The paths of the teacher and of the weights that it began with, from the run's spec."""
    try:
        spec = json.loads(row["spec"] or "{}")
    except ValueError:
        spec = {}
    found: dict[str, str | None] = {}
    for name, part in (("teacher", "teacher"), ("parent", "student")):
        told = spec.get(part) if isinstance(spec, dict) else None
        path = told.get("path") if isinstance(told, dict) else None
        found[name] = str(path) if path else None
    return found


def shown(context: Context, row: RowMapping, more: RelatedRows) -> dict[str, object]:
    """The fields of `Model`."""
    model = allowed_paths.found(context, row)
    known = facts(model)
    teacher_path = ancestors(row)["teacher"]
    accuracy = row["accuracy"] if row["best_accuracy"] is None else row["best_accuracy"]
    teacher = row["teacher_model"]
    return {
        "task_id": row["task_id"],
        "name": row["task_name"],
        "kind": row["task_type"],
        "student_model": row["student_model"],
        "teacher_model": None if teacher in (None, "", "-") else teacher,
        "teacher_task_id": more.makers.get(teacher_path) if teacher_path else None,
        "dataset": row["dataset_id"],
        "dataset_version": more.versions.get(row["task_id"]),
        "accuracy": accuracy,
        "figure": FIGURES.get(row["task_type"] or "", "accuracy"),
        "parameters": known.parameters,
        "size_bytes": known.size_bytes,
        "latency_milliseconds": known.latency_milliseconds,
        "classes_count": len(known.classes) or row["num_classes"],
        "created_at": row["create_time"],
        "here": model is not None,
        "imported": row["training_mode"] == IMPORTED,
        "exports": _exports(model, known),
    }


def _exports(model: Path | None, known: Facts) -> list[ExportedEntry]:
    return [] if model is None else exports.files(model, known)
