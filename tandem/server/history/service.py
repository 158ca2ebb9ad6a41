"""The epochs of a task, read and told."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.tables import Task
from tandem.server.errors import InvalidError
from tandem.server.history import queries
from tandem.server.tasks import apply
from tandem.server.tasks import queries as tasks
from tandem.server.tasks.service import missing
from tandem.server.wire.history import HistoryIn
from tandem.spec.i18n import t

NOT_KEPT = {"id", "task_id"}


def by_epoch(context: Context, task_id: str) -> Sequence[RowMapping]:
    """All epochs; NotFoundError of a task that is not there."""
    with context.database.read() as session:
        return queries.by_epoch(session, there(session, task_id))


def newest(context: Context, task_id: str, limit: int) -> Sequence[RowMapping]:
    """The last epochs, newest first."""
    with context.database.read() as session:
        return queries.newest(session, there(session, task_id), limit)


def record(context: Context, task_id: str, body: HistoryIn) -> None:
    """One epoch; a repeat replaces it."""
    same_task(task_id, body.task_id)

    def work(session: Session) -> None:
        found = tasks.locked(session, task_id)
        if found is None:
            raise missing(task_id)
        apply.history(session, found["task_id"], body.model_dump(exclude=NOT_KEPT))

    context.database.run(work)


def there(session: Session, task_id: str) -> str:
    """The task's id as the data base writes it; NotFoundError without it."""
    found = tasks.one(session, task_id, (Task.task_id,))
    if found is None:
        raise missing(task_id)
    return str(found["task_id"])


def same_task(task_id: str, body: str | None) -> None:
    """A body may name its task again, and no other."""
    if body is not None and body != task_id:
        problem = t("The path names another task.")
        raise InvalidError([{"field": "taskId", "problem": problem}])
