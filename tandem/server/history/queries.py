"""What is asked of the tables for the history of a task."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, select
from sqlalchemy.orm import Session

from tandem.server.db.tables import History
from tandem.server.wire.history import FIELDS

COLUMNS = tuple(getattr(History, name) for name in FIELDS)


def by_epoch(session: Session, task_id: str) -> Sequence[RowMapping]:
    found = select(*COLUMNS).where(History.task_id == task_id)
    return session.execute(found.order_by(History.epoch, History.id)).mappings().all()


def newest(session: Session, task_id: str, limit: int) -> Sequence[RowMapping]:
    found = select(*COLUMNS).where(History.task_id == task_id)
    ordered = found.order_by(History.epoch.desc(), History.id.desc()).limit(limit)
    return session.execute(ordered).mappings().all()
