"""One model: its classes, its files, and what it was made from."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from sqlalchemy import RowMapping

from tandem.server.artifacts import folder
from tandem.server.context import Context
from tandem.server.datasets import recording
from tandem.server.db.tables import Task
from tandem.server.models import allowed_paths, service
from tandem.server.models.facts import Facts, facts
from tandem.server.models.service import RelatedRows
from tandem.server.tasks import queries
from tandem.spec.i18n import t

MOST_FILES = 1000


def of(context: Context, task_id: str) -> dict[str, object]:
    """The fields of `ModelDetail`."""
    row = service.row_of(context, task_id)
    more = service.more_of(context, row)
    model = allowed_paths.found(context, row)
    known = facts(model)
    return service.shown(context, row, more) | {
        "classes": list(known.classes),
        "image_size": known.image_size,
        "lineage": _lineage(context, row, more, known),
        "files": [] if model is None else _files(model),
        "licence_note": _licence(known),
    }


def _files(model: Path) -> list[dict[str, object]]:
    if model.is_file():
        return [{"path": model.name, "size_bytes": model.stat().st_size}]
    base = Path(os.path.realpath(model))
    return [
        {"path": one.relative_to(base).as_posix(), "size_bytes": one.stat().st_size}
        for one in islice(folder.files(base), MOST_FILES)
    ]


def _lineage(
    context: Context, row: RowMapping, more: RelatedRows, known: Facts
) -> dict[str, object]:
    named = service.ancestors(row)
    parent = named["parent"]
    teacher = row["teacher_model"]
    by = None
    if teacher not in (None, "", "-") and row["training_mode"] != "direct":
        ratio = known.teacher_accuracy
        by = {
            "name": teacher,
            "task_id": more.makers.get(named["teacher"] or ""),
            "accuracy": None if ratio is None else 100 * ratio,
        }
    return {
        "teacher": by,
        "parent": None if parent is None else _parent(context, parent, more.makers.get(parent)),
        "data": [dict(one) for one in recording.of_task(context, row["task_id"])],
        "task": {
            "task_id": row["task_id"],
            "name": row["task_name"],
            "mode": row["training_mode"],
        },
    }


def _parent(context: Context, path: str, task_id: str | None) -> dict[str, object]:
    told = None
    if task_id is not None:
        with context.database.read() as session:
            columns = (Task.task_name, Task.best_accuracy)
            told = queries.one(session, task_id, columns)
    return {
        "name": told["task_name"] if told else path.rstrip("/").rpartition("/")[2],
        "task_id": task_id,
        "accuracy": told["best_accuracy"] if told else None,
    }


def _licence(known: Facts) -> str | None:
    if known.student_type != "yolov8":
        return None
    return t(
        "It was trained by Ultralytics, which is under AGPL-3.0: who offers it to others, also "
        "over a network, has to offer the source, or needs Ultralytics' licence."
    )
