"""Which trained models there are: pages from the tables, the rest from the models' own files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.sample_rows import is_sample
from tandem.server.errors import ConflictError, InvalidError
from tandem.server.models import allowed_paths, exports, queries
from tandem.server.models.exports import ExportedEntry
from tandem.server.models.facts import Facts, facts
from tandem.server.models.schemas import Model
from tandem.server.tasks.service import missing
from tandem.spec.i18n import t
from tandem.spec.state import State

FIGURES = {"segmentation": "miou", "detection": "map50"}
IMPORTED = "imported"
"""The training mode of a task that was never trained here."""


def page(
    context: Context, number: int, size: int, keyword: str | None, kind: str | None, sort: str
) -> tuple[list[Model], int]:
    """One page, from 1, and how many models there are in all. InvalidError for an order."""
    _check_order(sort)
    with context.database.read() as session:
        rows, total = queries.page(session, number, size, keyword, kind, sort)
        more = _more(context, session, rows)
    return [Model.model_validate(shown(context, row, more)) for row in rows], total


def every(
    context: Context, min_accuracy: float | None, teacher: str | None, student: str | None
) -> Sequence[RowMapping]:
    """Newest first. A task without any accuracy passes no `min_accuracy`."""
    with context.database.read() as session:
        return queries.completed(session, min_accuracy, teacher, student)


def row_of(context: Context, task_id: str) -> RowMapping:
    """One with a model; NotFoundError without the task, ConflictError without a model."""
    with context.database.read() as session:
        row = queries.one(session, task_id)
    if row is None:
        raise missing(task_id)
    if row["status"] != State.COMPLETED and not row["model_path"]:
        raise ConflictError(
            "It is {state}: only a completed task has a model.",
            state=row["status"],
            fix="Choose one of the completed models.",
        )
    return row


def _check_order(sort: str) -> None:
    if sort.removeprefix("-") not in queries.ORDERS:
        allowed = ", ".join(sorted(queries.ORDERS))
        problem = t(
            "There is no order by {got}. Allowed: {allowed}.", got=sort[:100], allowed=allowed
        )
        raise InvalidError([{"field": "sort", "problem": problem}])


class RelatedRows:
    """What a page's rows need of other tables, asked for once."""

    def __init__(self, versions: Mapping[str, int], makers: Mapping[str, str]) -> None:
        self.versions = versions
        """Facts of its training data, by task."""
        self.makers = makers
        """The task that made a model, by the model's path in a spec."""


def _more(context: Context, session: Session, rows: Sequence[RowMapping]) -> RelatedRows:
    versions = queries.dataset_versions(session, [row["task_id"] for row in rows])
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
    there = queries.existing(session, folders.values()) if folders else set()
    makers = {path: name for path, name in folders.items() if name in there}
    return makers | (queries.tasks_by_model(session, named) if named else {})


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
        "sample": is_sample(row),
        "imported": row["training_mode"] == IMPORTED,
        "exports": _exports(model, known),
    }


def _exports(model: Path | None, known: Facts) -> list[ExportedEntry]:
    return [] if model is None else exports.files(model, known)
