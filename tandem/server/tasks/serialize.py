"""Rows as /api/v1 shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.datasets import recording
from tandem.server.db.sample_rows import is_sample
from tandem.server.tasks import queries, service
from tandem.server.tasks.list_query import TaskFilter, cursor
from tandem.server.tasks.schemas import DataUsed, TaskDetail, TaskList, TaskSummary
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
            raise service.missing(task_id)
        body = _described(session, [row])[0]
    used = [DataUsed(**one) for one in recording.of_task(context, row["task_id"])]
    # Whoever goes on after it hears the service's few events again, and none of the run's twice: a
    # number of theirs may be missing below the last one for a moment, and would be skipped.
    position = f"{row['last_seq'] or 0}-0"
    more = {"data": used, "spec": _json(row["spec"]), "last_event_id": position}
    return TaskDetail.model_validate({**body, **more})


def numbered_page(
    context: Context, wanted: TaskFilter, page: int | None, size: int, *, more: bool
) -> TaskList:
    """Page `page`, from 1, in the order that is `wanted`; with `more` a cursor goes on after it."""
    with context.database.read() as session:
        rows = queries.page(session, wanted, ((page or 1) - 1) * size, size + 1, with_jobs=True)
        items = _items(session, rows[:size])
    found = _list(context, wanted, items, page, size, is_first=page in (None, 1))
    found.next_cursor = _cursor(rows, size) if more else None
    return found


def next_page(context: Context, wanted: TaskFilter, below: int | None, size: int) -> TaskList:
    """The tasks after the cursor `below`, newest first."""
    with context.database.read() as session:
        rows = queries.after(session, wanted, below, size + 1, with_jobs=True)
        items = _items(session, rows[:size])
    found = _list(context, wanted, items, None, size, is_first=below is None)
    found.next_cursor = _cursor(rows, size)
    return found


def _items(session: Session, rows: Sequence[RowMapping]) -> list[TaskSummary]:
    """Several; the queue and the epochs are asked about once, and only if one needs it."""
    # Not validated: they come from the tables, and a list of a thousand is asked for often.
    return [TaskSummary.model_construct(None, **body) for body in _described(session, rows)]


def _list(
    context: Context,
    wanted: TaskFilter,
    items: list[TaskSummary],
    page: int | None,
    size: int,
    *,
    is_first: bool,
) -> TaskList:
    # In whatever order, there are as many: so the number that was counted lately serves.
    plain = replace(wanted, order_by="id", descending=True)
    total = service.total(context, plain, first_page=len(items) if is_first else None, of=size)
    return TaskList.model_construct(
        items=items, total=total, next_cursor=None, page=page, page_size=size
    )


def _cursor(rows: Sequence[RowMapping], size: int) -> str | None:
    """Where to go on: one row more than a page's was asked for, to see whether any follow."""
    return cursor(rows[size - 1]["id"]) if len(rows) > size else None


def _described(session: Session, rows: Sequence[RowMapping]) -> list[dict[str, object]]:
    waits = any(row["status"] == State.QUEUED for row in rows)
    places = queries.queue_positions(session) if waits else {}
    run = [row["task_id"] for row in rows if row["status"] == State.RUNNING]
    seconds = queries.epoch_seconds(session, run) if run else {}
    return [_one(row, places, seconds) for row in rows]


def _one(
    row: RowMapping, places: dict[str, int], epoch_seconds: dict[str, float]
) -> dict[str, object]:
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
        "sample": is_sample(row),
        "attempts": row["attempt"] or 0,
        "resumes": row["resumes"] or 0,
        "devices": _json(row["devices"]) or [],
    }


def _json(text: str | None) -> object:
    return None if text is None else json.loads(text)
