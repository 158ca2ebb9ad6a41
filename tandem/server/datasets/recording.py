"""Which version of its data each execution of a task uses, recorded as it begins."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import RowMapping, and_, select
from sqlalchemy.exc import IntegrityError

from tandem.server.context import Context
from tandem.server.datasets import versions
from tandem.server.datasets.uploads import hash_of
from tandem.server.db.dataset_tables import TaskData
from tandem.server.db.tables import Job, Task
from tandem.server.errors import RequestError
from tandem.spec.state import State

PARTS = {"train": "dataset", "val": "val_dataset"}


def one(context: Context) -> bool:
    """Record one execution that has none yet; False when there is nothing to do."""
    with context.database.read() as session:
        found = (
            select(Job.task_id, Job.attempt, Job.spec)
            .join(Task, Task.task_id == Job.task_id)
            .outerjoin(
                TaskData,
                and_(
                    TaskData.task_id == Job.task_id,
                    TaskData.attempt == Job.attempt,
                    TaskData.part == "train",
                ),
            )
            .where(Task.status == State.RUNNING, Job.spec.is_not(None), TaskData.id.is_(None))
            .limit(1)
        )
        row = session.execute(found).one_or_none()
    if row is None:
        return False
    spec = json.loads(row.spec)
    for part, field in PARTS.items():
        name = (spec.get("data") or {}).get(field)
        if name or part == "train":
            _record(context, row.task_id, row.attempt, part, str(name or ""), spec)
    return True


def _record(
    context: Context, task_id: str, attempt: int, part: str, name: str, spec: dict[str, object]
) -> None:
    data = spec.get("data")
    base = Path(str(data.get("root") or "")) if isinstance(data, dict) else Path()
    root, message, made = context.settings.datasets_root, None, None
    path = base / name if name else base
    try:
        inner = str(path.relative_to(root)) if path.is_absolute() else name
        made = versions.make(context, inner)
    except (RequestError, ValueError, OSError) as error:
        inner, message = name, str(error)[:1000]
    row = TaskData(
        task_id=task_id, attempt=attempt, part=part, name_hash=hash_of(inner), name=inner[:255],
        number=made.number if made else None, digest=made.digest if made else None,
        message=message,
    )  # fmt: skip
    with contextlib.suppress(IntegrityError):  # the server before this one did it
        context.database.run(lambda session: session.add(row))


def of_task(context: Context, task_id: str) -> Sequence[RowMapping]:
    """What each execution used, the first one first."""
    with context.database.read() as session:
        found = select(
            TaskData.attempt, TaskData.part, TaskData.name, TaskData.number, TaskData.digest,
            TaskData.message,
        ).where(TaskData.task_id == task_id)  # fmt: skip
        return session.execute(found.order_by(TaskData.attempt, TaskData.part)).mappings().all()
