"""The service's log says what became of each task, in a line, and no secret."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy.orm import Session

from tandem.executors.base import RUN_TOKEN
from tandem.server.db.database import Database
from tandem.server.db.tables import Task
from tandem.server.tasks import apply, task_log
from tandem.server.tasks.transitions import move, record_event
from tandem.spec.service_event import Created, Ended, Launched, ServiceNotice
from tandem.spec.state import State


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, task_log.log.name)
    return caplog


def add(session: Session) -> None:
    session.add(Task(task_id="T", task_name="n", teacher_model="t", student_model="s",
                     status=State.PENDING, del_flag=0))  # fmt: skip
    session.flush()


def test_each_beginning_and_end_is_a_line(sqlite: Database, lines):
    def work(session: Session) -> None:
        add(session)
        record_event(session, "T", Created())
        move(session, "T", State.QUEUED)
        move(session, "T", State.RUNNING)
        record_event(session, "T", Launched(attempt=1, devices=["gpu:0"]))
        record_event(session, "T", ServiceNotice(message="a word besides"))
        assert lines.messages == []  # not before it is so

    sqlite.run(work)
    assert lines.messages == [
        "T was created", "T is QUEUED", "T is RUNNING", "T was launched: attempt 1 on gpu:0",
    ]  # fmt: skip
    lines.clear()
    sqlite.run(lambda session: apply.completed(session, "T"))
    ended = Ended(attempt=1, outcome="finished", exit_code=0)
    sqlite.run(lambda session: record_event(session, "T", ended))
    assert lines.messages == [
        "T is COMPLETED", "T has no process any more: attempt 1, finished, exit code 0",
    ]  # fmt: skip


def test_a_failure_says_why_in_one_line_without_secrets(sqlite: Database, lines):
    sqlite.run(add)
    sqlite.run(lambda session: move(session, "T", State.QUEUED))
    said = f"No data\nat mysql://me:s3cret@host/x; token: abc123, {RUN_TOKEN}xyz" + "!" * 1000
    sqlite.run(lambda session: apply.failed(session, "T", said, "data"))
    [record] = [one for one in lines.records if one.levelno == logging.WARNING]
    message = record.getMessage()
    assert message.startswith("T is FAILED: No data at mysql://me:***@host/x; token: ***")
    assert not any(secret in message for secret in ("s3cret", "abc123", "xyz", "\n"))
    assert len(message) <= task_log.MOST_LETTERS


def test_what_is_undone_leaves_no_line(sqlite: Database, lines):
    def work(session: Session) -> None:
        add(session)
        move(session, "T", State.QUEUED)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        sqlite.run(work)
    sqlite.run(add)
    assert lines.messages == []
