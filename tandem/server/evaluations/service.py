"""What the students can do, read and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.events import apply
from tandem.server.history.service import NOT_KEPT, same_task, there
from tandem.server.tasks import queries as tasks
from tandem.server.tasks.service import missing
from tandem.server.wire.evaluation import EvaluationIn

T = TypeVar("T")


def read(context: Context, task_id: str, ask: Callable[[Session, str], T]) -> T:
    """One of `queries`, of a task that is there."""
    with context.database.read() as session:
        return ask(session, there(session, task_id))


def tell(context: Context, task_id: str, said: EvaluationIn) -> None:
    """Keep one more."""
    same_task(task_id, said.task_id)

    def work(session: Session) -> None:
        found = tasks.locked(session, task_id)
        if found is None:
            raise missing(task_id)
        apply.evaluation(session, found["task_id"], said.model_dump(exclude=NOT_KEPT))

    context.database.run(work)
