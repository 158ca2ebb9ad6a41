from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from tandem.server.db.database import Database
from tandem.server.tasks import apply
from tests.server.events.rows import epochs, evaluations, job, row, task


def test_progress_is_rounded_down_and_the_best_accuracy_only_rises(database: Database):
    task_id = task(database, total_epochs=7)
    for epoch, accuracy in ((1, 40.0), (2, 62.5), (3, 51.25)):
        with database.write() as session:
            left_out = apply.progress(
                session, task_id, current_epoch=epoch, accuracy=accuracy, loss=0.1234567
            )
            assert left_out == []
    with database.read() as session:
        found = row(session)
        assert (found.current_epoch, found.progress) == (3, 42)
        assert (found.accuracy, found.best_accuracy, found.loss) == (51.25, 62.5, 0.123457)


def test_progress_never_leaves_0_to_100(sqlite: Database):
    task_id = task(sqlite)
    with sqlite.write() as session:
        apply.progress(session, task_id, current_epoch=9, total_epochs=5)
        assert row(session).progress == 100
    with sqlite.write() as session:
        apply.progress(session, task_id, current_epoch=-1)
        assert row(session).progress == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e4, 9999.9999999])
def test_a_loss_that_no_column_holds_is_left_out_and_said(database: Database, value: float):
    task_id = task(database)
    with database.write() as session:
        assert apply.history(session, task_id, {"epoch": 1, "train_loss": value}) == ["train_loss"]
        assert apply.progress(session, task_id, current_epoch=1, loss=value) == ["loss"]
    with database.read() as session:
        assert [(one.epoch, one.train_loss) for one in epochs(session)] == [(1, None)]
        assert row(session).current_epoch == 1
        assert row(session).loss is None


def test_an_epoch_told_again_replaces_its_row(database: Database):
    task_id = task(database)
    with database.write() as session:
        apply.history(session, task_id, {"epoch": 1, "train_loss": 2.0, "val_loss": 1.0})
    with database.write() as session:
        apply.history(session, task_id, {"epoch": 1, "train_loss": 3.0})
    with database.read() as session:
        assert [(one.train_loss, one.val_loss) for one in epochs(session)] == [(3.0, None)]


def test_writers_at_once_leave_one_row_an_epoch(database: Database):
    task_id = task(database)

    def write(turn: int) -> None:
        rows = [{"epoch": epoch, "train_loss": float(turn)} for epoch in range(1, 4)]
        database.run(lambda session: apply.histories(session, task_id, rows))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    with database.read() as session:
        assert [one.epoch for one in epochs(session)] == [1, 2, 3]


def test_a_life_from_start_to_end_keeps_its_times(database: Database):
    task_id = task(database, status="QUEUED", error_message="old")
    began = datetime(2026, 1, 2, 3, 4, 5, 999_999)
    with database.write() as session:
        assert apply.running(session, task_id, total_epochs=9, started_at=began)
        assert not apply.running(session, task_id)
    with database.write() as session:
        assert apply.completed(session, task_id)
        assert not apply.failed(session, task_id, "too late")
    with database.read() as session:
        found = row(session)
        assert (found.status, found.progress, found.total_epochs) == ("COMPLETED", 100, 9)
        assert found.start_time == began.replace(microsecond=0)
        assert found.end_time is not None
        assert found.duration == int((found.end_time - found.start_time).total_seconds())
        assert found.error_message is None


def test_a_failure_keeps_its_message_class_and_advice(database: Database):
    task_id = task(database)
    with database.write() as session:
        assert apply.failed(session, task_id, "内存 🙂\0" + "长" * 50_000, "out_of_memory", "Less.")
    with database.read() as session:
        found = row(session)
        assert found.status == "FAILED"
        assert found.error_message.startswith("内存 🙂\\0长")
        assert len(found.error_message.encode()) <= 60_000
        assert (job(session).failure_class, job(session).advice) == ("out_of_memory", "Less.")


def test_stopped_or_paused(sqlite: Database):
    for name, paused in (("STOPPED", False), ("PAUSED", True)):
        task_id = task(sqlite, f"TASK_{name}")
        with sqlite.write() as session:
            assert apply.stopped(session, task_id, paused=paused)
            assert row(session, task_id).status == name


def test_a_path_too_long_for_its_column_is_left_out(database: Database):
    task_id = task(database)
    with database.write() as session:
        assert apply.model(session, task_id, "模" * 500, "x" * 501) == ["model_url"]
    with database.read() as session:
        assert row(session).model_path == "模" * 500


def test_an_evaluation_of_the_same_digest_is_told_once(database: Database):
    task_id = task(database)
    body = {"f1_score": 50.0, "detailed_results": '{"digest": "abc"}'}
    for digest in ("abc", "abc", None):
        with database.write() as session:
            apply.evaluation(session, task_id, body, digest=digest)
    with database.read() as session:
        assert len(evaluations(session)) == 2
