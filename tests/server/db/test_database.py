"""Sessions: what is written is there, what fails is not."""

import pytest
from sqlalchemy import select

from tandem.server.db.database import Database
from tandem.server.db.tables import Task, TaskEvent
from tandem.server.tasks.transitions import move
from tandem.spec.state import State


def add(database: Database, task_id: str = "TASK_0A") -> None:
    with database.write() as session:
        session.add(Task(task_id=task_id, task_name="一 🙂", teacher_model="t", student_model="s"))


def status(database: Database) -> str | None:
    with database.read() as session:
        return session.scalar(select(Task.status))


def test_a_move_is_made_once_and_told(database: Database):
    add(database)
    with database.write() as session:
        assert move(session, "TASK_0A", State.QUEUED)
        assert not move(session, "TASK_0A", State.QUEUED)
    assert status(database) == "QUEUED"
    with database.read() as session:
        assert session.scalars(select(TaskEvent.type)).all() == ["state"]


def test_a_move_that_is_none_changes_nothing(database: Database):
    add(database)
    with database.write() as session:
        assert not move(session, "TASK_0A", State.COMPLETED)
    assert status(database) == "PENDING"


def test_what_fails_is_not_written(database: Database):
    with pytest.raises(ZeroDivisionError), database.write() as session:  # noqa: PT012
        session.add(Task(task_id="x", task_name="x", teacher_model="t", student_model="s"))
        session.flush()
        1 / 0  # noqa: B018
    assert status(database) is None
