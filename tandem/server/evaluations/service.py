"""What the students can do, read and told."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.evaluations import queries
from tandem.server.history.service import NOT_KEPT, same_task, there
from tandem.server.tasks import apply
from tandem.server.tasks import queries as tasks
from tandem.server.tasks.service import missing
from tandem.server.wire.evaluation import EvaluationIn


def all_of(context: Context, task_id: str) -> Sequence[RowMapping]:
    """All, in the order of their coming; NotFoundError of a task that is not there."""
    with context.database.read() as session:
        return queries.all_of(session, there(session, task_id))


def latest(context: Context, task_id: str) -> RowMapping | None:
    """The newest, if there is one."""
    with context.database.read() as session:
        return queries.latest(session, there(session, task_id))


def best(context: Context, task_id: str) -> RowMapping | None:
    """The one with the best figures, if there is one."""
    with context.database.read() as session:
        return queries.best(session, there(session, task_id))


def record(context: Context, task_id: str, body: EvaluationIn) -> None:
    """Keep one more."""
    same_task(task_id, body.task_id)

    def work(session: Session) -> None:
        found = tasks.locked(session, task_id)
        if found is None:
            raise missing(task_id)
        apply.evaluation(session, found["task_id"], body.model_dump(exclude=NOT_KEPT))

    context.database.run(work)
