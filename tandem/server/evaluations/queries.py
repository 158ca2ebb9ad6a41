"""What is asked of the tables for evaluations."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, RowMapping, Select, select
from sqlalchemy.orm import Session

from tandem.server.db.tables import EvaluationRow
from tandem.server.wire.evaluation import FIELDS

COLUMNS = tuple(getattr(EvaluationRow, name) for name in FIELDS)
RANK = ("f1_score", "map_50", "map_95", "precision", "recall")
"""What the best one is best at: the first figure decides, the next one between equals."""


def _of(task_id: str) -> Select[tuple[object, ...]]:
    return select(*COLUMNS).where(EvaluationRow.task_id == task_id)


def all_of(session: Session, task_id: str) -> Sequence[RowMapping]:
    """In the order of their coming."""
    return session.execute(_of(task_id).order_by(EvaluationRow.id)).mappings().all()


def latest(session: Session, task_id: str) -> RowMapping | None:
    newest = (
        EvaluationRow.eval_time.is_(None),
        EvaluationRow.eval_time.desc(),
        EvaluationRow.id.desc(),
    )
    return session.execute(_of(task_id).order_by(*newest).limit(1)).mappings().one_or_none()


def best(session: Session, task_id: str) -> RowMapping | None:
    order: list[ColumnElement[object]] = []
    for name in RANK:
        column = getattr(EvaluationRow, name)
        order += [column.is_(None), column.desc()]
    ranked = _of(task_id).order_by(*order, EvaluationRow.id.desc()).limit(1)
    return session.execute(ranked).mappings().one_or_none()
