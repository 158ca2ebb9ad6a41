from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tandem.server.context import Context
from tandem.server.db.database import Database
from tandem.server.db.tables import Attempt
from tandem.server.errors import ConflictError, InvalidError, NotFoundError, TooLargeError
from tandem.server.events import spool
from tandem.server.events.hub import Hub
from tandem.server.host.clock import now
from tandem.spec.journal import NAME
from tests.server.events.rows import epochs, job, line, row, task

TASK = "TASK_00000001"


@pytest.fixture
def here(database: Database, settings_of: Callable[..., object], tmp_path: Path) -> Context:
    return _context(database, settings_of)


@pytest.fixture
def quick(sqlite: Database, settings_of: Callable[..., object], tmp_path: Path) -> Context:
    return _context(sqlite, settings_of)


def _context(database: Database, settings_of: Callable[..., object]) -> Context:
    task(database, status="PENDING")
    with database.write() as session:
        session.delete(job(session))  # a task that an installed system made
    settings = settings_of(database.url.render_as_string(hide_password=False))
    return Context(settings=settings, database=database, executor=None, hub=Hub())  # type: ignore[arg-type]


def send(here: Context, *lines: bytes) -> spool.Received:
    return spool.receive(here, TASK, spool.parse(b"".join(lines), TASK))


def journal(here: Context) -> list[int]:
    with here.database.read() as session:
        path = Path(job(session).run_dir or "") / NAME
    return [json.loads(text)["seq"] for text in path.read_text().splitlines()]


def test_a_run_elsewhere_reaches_its_rows(here: Context):
    assert send(here, line(1, "started"), line(2, "epoch")) == spool.Received(2, 2)
    assert send(here, line(3, "finished")) == spool.Received(1, 3)
    with here.database.read() as session:
        assert (row(session).status, job(session).attempt) == ("COMPLETED", 1)
        assert [one.epoch for one in epochs(session)] == [1]


def test_the_same_late_and_mixed_up_is_taken_once(quick: Context):
    lines = [line(1, "started"), line(2, "epoch"), line(3, "notice")]
    send(quick, lines[1], lines[0], lines[0])
    assert send(quick, *lines) == spool.Received(1, 3)
    assert send(quick, lines[0]) == spool.Received(0, 3)
    assert journal(quick) == [1, 2, 3]


def test_a_gap_is_refused_with_the_number_expected(quick: Context):
    send(quick, line(1, "started"))
    with pytest.raises(spool.GapError) as refused:
        send(quick, line(2, "notice"), line(4, "epoch"))
    assert refused.value.expected_seq == 3
    assert journal(quick) == [1]
    with pytest.raises(spool.GapError):
        send(quick, line(3, "epoch"))


def test_senders_at_once_leave_one_of_each(here: Context):
    lines = [line(1, "started"), *(line(seq, "epoch", epoch=seq - 1) for seq in range(2, 12))]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: send(here, *lines), range(6)))
    assert journal(here) == list(range(1, 12))
    with here.database.read() as session:
        assert [one.epoch for one in epochs(session)] == list(range(1, 11))


def test_half_a_line_that_a_crash_left_is_cut_off(quick: Context):
    send(quick, line(1, "started"))
    with quick.database.read() as session:
        path = Path(job(session).run_dir or "") / NAME
    with path.open("ab") as file:
        file.write(line(2, "notice")[:-4])
    assert send(quick, line(2, "epoch")) == spool.Received(1, 2)
    assert journal(quick) == [1, 2]


def test_events_kept_but_not_absorbed_are_absorbed_by_the_next_batch(quick: Context):
    send(quick, line(1, "started"))
    with quick.database.read() as session:
        path = Path(job(session).run_dir or "") / NAME
    with path.open("ab") as file:
        file.write(line(2, "epoch"))
    assert send(quick, line(2, "epoch")) == spool.Received(0, 2)
    with quick.database.read() as session:
        assert [one.epoch for one in epochs(session)] == [1]


def test_a_run_begun_anew_elsewhere_starts_from_its_beginning(quick: Context):
    send(quick, line(1, "started"), line(2, "failed"))
    assert send(quick, line(1, "started", pid=2)) == spool.Received(1, 1)
    send(quick, line(2, "epoch"))
    assert journal(quick) == [1, 2]


def test_a_second_attempt_elsewhere_runs_again_after_a_failure(quick: Context):
    send(quick, line(1, "started"), line(2, "failed"))
    send(quick, line(3, "started", attempt=2, resumed_from_epoch=2))
    with quick.database.read() as session:
        assert (row(session).status, row(session).current_epoch) == ("RUNNING", 2)
        assert job(session).failure_class is None
    send(quick, line(4, "stopped", attempt=2))
    with quick.database.read() as session:
        assert row(session).status == "STOPPED"


def test_runs_launched_here_take_no_events(quick: Context):
    with quick.database.write() as session:
        session.add(Attempt(task_id=TASK, attempt=1, executor="x", host="h", started_at=now()))
    with pytest.raises(ConflictError):
        send(quick, line(1, "started"))


def test_an_unknown_a_deleted_and_a_completed_task_take_none(quick: Context):
    with pytest.raises(NotFoundError):
        spool.receive(quick, "TASK_FFFFFFFF", [])
    for columns, error in (
        ({"status": "COMPLETED"}, ConflictError),
        ({"del_flag": 1}, NotFoundError),
    ):
        with quick.database.write() as session:
            for name, value in columns.items():
                setattr(row(session), name, value)
        with pytest.raises(error):
            send(quick, line(1, "started"))


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1, 2]",
        b"[",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        line(1, "started").replace(b'"seq":1', b'"seq":0'),
        line(1, "started").replace(b'"seq":1', b'"seq":"one"'),
        line(1, "started").replace(b'"pid"', b'"unknown"'),
        line(1, "started", "TASK_00000002"),
    ],
)
def test_what_is_no_event_of_this_task_is_named(body: bytes):
    with pytest.raises(InvalidError):
        spool.parse(body, TASK)


def test_an_array_and_lines_are_the_same():
    lines = [line(1, "started"), line(2, "notice", message="再见 🙂")]
    array = b"[" + b",".join(text.strip() for text in lines) + b"]"
    assert spool.parse(array, TASK) == spool.parse(b"\n".join(lines), TASK)


def test_a_batch_has_bounds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spool, "MOST_EVENTS", 2)
    with pytest.raises(TooLargeError):
        spool.parse(line(1, "notice") * 3, TASK)
    monkeypatch.setattr(spool, "MOST_BYTES", 20)
    with pytest.raises(TooLargeError):
        spool.parse(line(1, "notice"), TASK)
