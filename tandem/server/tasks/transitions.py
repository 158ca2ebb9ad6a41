"""The one way a task's state changes: a conditional update, whoever else may try the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import update
from sqlalchemy.orm import Session

from tandem.server.db.database import changed_rows
from tandem.server.db.tables import THERE, Task, TaskEvent
from tandem.server.host.clock import now
from tandem.server.tasks import task_log
from tandem.spec.service_event import ServiceEvent, StateChanged
from tandem.spec.state import MOVES, State

ENDS = frozenset({State.COMPLETED, State.FAILED, State.STOPPED})


def move(
    session: Session,
    task_id: str,
    to: State,
    *,
    out_of: Iterable[State] | None = None,
    reason: str | None = None,
    columns: Mapping[str, object] | None = None,
) -> bool:
    """Put a task into state `to`, with further `columns` of its row; False when it was elsewhere.

    `out_of` narrows the states it may come from; every one that may become `to` otherwise. What
    happened is told as a `state` event.
    """
    sources = [state for state in out_of or State if to in MOVES[state]]
    # The states it may come from are in the WHERE: no other writer can slip in between.
    moved = changed_rows(
        session,
        update(Task)
        .where(Task.task_id == task_id, Task.status.in_(sources), Task.del_flag.in_(THERE))
        .values(status=to, update_time=now(), **(columns or {})),
    )
    if moved != 1:
        return False
    event = StateChanged(status=to, reason=reason) if reason else StateChanged(status=to)
    record_event(session, task_id, event, (columns or {}).get("error_message"))
    return True


def record_event(
    session: Session, task_id: str, event: ServiceEvent, message: object = None
) -> None:
    """Keep, stream, and log something that happened to a task outside its runs.

    `message` is why, for the log alone: the task's row has it.
    """
    task_log.tell(session, task_id, event, message)
    body = json.dumps(event.body(), ensure_ascii=False)
    session.add(TaskEvent(task_id=task_id, at=now(), type=event.type, body=body))
