"""Which models there are."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, func, select

from tandem.server.context import Context
from tandem.server.db.tables import DelFlag, Task
from tandem.server.tasks.queries import COLUMNS
from tandem.spec.state import State


def every(
    context: Context, min_accuracy: float | None, teacher: str | None, student: str | None
) -> Sequence[RowMapping]:
    """Newest first. A task without any accuracy passes no `min_accuracy`."""
    wanted = [Task.status == State.COMPLETED, Task.del_flag == DelFlag.NORMAL]
    if min_accuracy is not None:
        wanted.append(func.coalesce(Task.best_accuracy, Task.accuracy) >= min_accuracy)
    if teacher:
        wanted.append(Task.teacher_model == teacher)
    if student:
        wanted.append(Task.student_model == student)
    with context.database.read() as session:
        found = select(*COLUMNS).where(*wanted).order_by(Task.id.desc())
        return session.execute(found).mappings().all()
