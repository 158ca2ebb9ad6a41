"""Thinning old runs."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from tandem.server.context import Context, Here
from tandem.server.db.tables import Job, Task
from tandem.server.host.clock import now
from tandem.server.host.paths import really_below
from tandem.server.tasks.transitions import ENDS
from tandem.server.thinning.rule import Item, spare

router = APIRouter(tags=["models"])


class Thin(BaseModel):
    """What to look at; nothing is deleted while `dry_run` is true."""

    model_config = ConfigDict(extra="forbid")
    dry_run: bool = True
    keep_every: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        None, description="Keep every n-th epoch's too. None: as configured; 0: none."
    )
    older_than_days: Annotated[float, Field(ge=0, le=36_500)] = Field(
        0, description="Only runs that ended so long ago."
    )


class Spare(BaseModel):
    task_id: str
    path: str
    size_bytes: int
    why: str


class Thinned(BaseModel):
    """What may go, or has gone."""

    deleted: bool
    items: list[Spare]
    total_bytes: int


@router.post("/gc")
def thin(context: Here, body: Thin) -> Thinned:
    """Old runs' checkpoints: the last, the best and every n-th stay. Shows before it deletes."""
    every = body.keep_every
    every = context.settings.keep_checkpoints_every if every is None else every
    items: list[Spare] = []
    for task_id, run_dir in _ended(context, body.older_than_days):
        for item in spare(run_dir / "checkpoints", every):
            if not body.dry_run and not _delete(context, task_id, item):
                continue
            shown = Spare(
                task_id=task_id, path=str(item.path), size_bytes=item.size_bytes, why=item.why
            )
            items.append(shown)
    total = sum(item.size_bytes for item in items)
    return Thinned(deleted=not body.dry_run, items=items, total_bytes=total)


def _ended(context: Context, days: float) -> list[tuple[str, Path]]:
    """Tasks whose runs have ended, with their folders inside the output root."""
    wanted = select(Task.task_id, Job.run_dir).join(Job, Job.task_id == Task.task_id)
    wanted = wanted.where(Task.status.in_(ENDS), Job.live == 0, Job.run_dir.is_not(None))
    if days:
        wanted = wanted.where(Task.end_time < now() - timedelta(days=days))
    with context.database.read() as session:
        rows = session.execute(wanted.order_by(Task.id)).all()
    root = context.settings.output_root
    found = [(task_id, really_below(str(run_dir), root)) for task_id, run_dir in rows]
    return [(task_id, path) for task_id, path in found if path is not None]


def _delete(context: Context, task_id: str, item: Item) -> bool:
    """False when its task has been started meanwhile: then the run looks after it itself."""
    with context.database.read() as session:
        still = select(Task.id).join(Job, Job.task_id == Task.task_id)
        still = still.where(Task.task_id == task_id, Task.status.in_(ENDS), Job.live == 0)
        if session.scalar(still) is None:
            return False
    # Out of sight first: a start in this moment finds it whole or not at all.
    hidden = item.path.with_name(f".{item.path.name.lstrip('.')}.gone")
    try:
        item.path.rename(hidden)
    except OSError:
        return False
    shutil.rmtree(hidden, ignore_errors=True)
    return True
