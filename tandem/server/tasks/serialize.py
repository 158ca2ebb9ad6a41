"""Rows as /api/v1 shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.datasets import recording
from tandem.server.tasks import queries
from tandem.server.tasks.schemas import DataUsed, TaskDetail, TaskShown
from tandem.server.tasks.service import missing
from tandem.spec.state import State

SAME = (
    "task_id", "description", "remark", "status", "teacher_model", "student_model",
    "waiting_reason", "wanted", "progress", "current_epoch", "total_epochs", "step",
    "total_steps", "doing", "accuracy", "loss", "best_accuracy", "error_message",
    "failure_class", "advice", "model_path", "checkpoint_path", "run_dir", "queued_at",
    "heartbeat_at",
)  # fmt: skip
RENAMED = {
    "name": "task_name", "kind": "task_type", "mode": "training_mode", "dataset": "dataset_id",
    "val_dataset": "val_dataset_id", "created_by": "create_by",
    "created_at": "create_time", "started_at": "start_time",
    "ended_at": "end_time", "updated_at": "update_time", "duration_seconds": "duration",
}  # fmt: skip


def detail(context: Context, task_id: str) -> TaskDetail:
    """One task with its spec; NotFoundError without one."""
    with context.database.read() as session:
        row = queries.one_with_job(session, task_id)
        if row is None:
            raise missing(task_id)
        body = _shown(session, [row])[0]
    used = [DataUsed(**one) for one in recording.of_task(context, row["task_id"])]
    return TaskDetail(**body, data=used, spec=_json(row["spec"]))


def listed(session: Session, rows: Sequence[RowMapping]) -> list[TaskShown]:
    """Several; the queue and the epochs are asked about once, and only if one needs it."""
    return [TaskShown.model_construct(**body) for body in _shown(session, rows)]


def _shown(session: Session, rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    waits = any(row["status"] == State.QUEUED for row in rows)
    places = queries.places(session) if waits else {}
    run = [row["task_id"] for row in rows if row["status"] == State.RUNNING]
    seconds = queries.epoch_seconds(session, run) if run else {}
    return [_one(row, places, seconds) for row in rows]


def _one(
    row: RowMapping, places: dict[str, int], epoch_seconds: dict[str, float]
) -> dict[str, Any]:
    task_id = row["task_id"]
    each = epoch_seconds.get(task_id)
    left = (row["total_epochs"] or 0) - (row["current_epoch"] or 0)
    return {
        **{name: row[name] for name in SAME},
        **{name: row[column] for name, column in RENAMED.items()},
        "priority": row["priority"] or 0,
        "queue_position": places.get(task_id),
        "eta_seconds": None if each is None else round(each * max(0, left)),
        "metrics": _json(row["metrics"]),
        "attempts": row["attempt"] or 0,
        "resumes": row["resumes"] or 0,
        "devices": _json(row["devices"]) or [],
    }


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
