"""What is asked of the tables for thinning: the runs that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tandem.server.db.tables import Job, Task
from tandem.server.tasks.transitions import ENDS


def ended(session: Session, before: datetime | None) -> Sequence[tuple[str, str]]:
    """Task and run folder of each run that has ended, and ended `before` where that is given."""
    wanted = select(Task.task_id, Job.run_dir).join(Job, Job.task_id == Task.task_id)
    wanted = wanted.where(Task.status.in_(ENDS), Job.live == 0, Job.run_dir.is_not(None))
    if before is not None:
        wanted = wanted.where(Task.end_time < before)
    return [(task_id, str(path)) for task_id, path in session.execute(wanted.order_by(Task.id))]


def has_ended(session: Session, task_id: str) -> bool:
    """Whether this one's run has ended, still."""
    still = select(Task.id).join(Job, Job.task_id == Task.task_id)
    still = still.where(Task.task_id == task_id, Task.status.in_(ENDS), Job.live == 0)
    return session.scalar(still) is not None
