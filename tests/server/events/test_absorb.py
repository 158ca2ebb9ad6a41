from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tandem.server.context import Context
from tandem.server.db.database import Database
from tandem.server.db.tables import Job
from tandem.server.events.absorb import EventBatch, absorb
from tandem.server.events.collect import collect
from tandem.server.events.cursor import JournalCursor, fresh_lines
from tandem.server.events.hub import Hub
from tandem.spec.journal import NAME
from tests.server.events.rows import epochs, evaluations, job, line, row, task, told

TASK = "TASK_00000001"


class Run:
    """A run folder, and a reader of it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.folder.mkdir(exist_ok=True)
        self.context = Context(settings=None, database=database, executor=None, hub=Hub())

    def says(self, *lines: bytes) -> None:
        with (self.folder / NAME).open("ab") as file:
            file.write(b"".join(lines))

    def job(self) -> Job:
        with self.database.read() as session:
            found = job(session)
            session.expunge(found)
        return found

    def collected(self) -> int:
        """The last number known, after everything was read."""
        while collect(self.context, [self.job()]):
            pass
        return self.job().last_seq


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Run:
    task(database, run_dir=str(tmp_path / "run"), live=1)
    return Run(database, tmp_path / "run")


@pytest.fixture
def quick(sqlite: Database, tmp_path: Path) -> Run:
    task(sqlite, run_dir=str(tmp_path / "run"), live=1)
    return Run(sqlite, tmp_path / "run")


def whole() -> list[bytes]:
    made = [
        ("started", {}),
        ("heartbeat", {}),
        ("metric", {"values": {"loss": 0.25, "loss/kl_div": float("nan")}}),
        ("epoch", {"epoch": 1, "val_accuracy": 0.5}),
        ("epoch", {"epoch": 2, "train_accuracy": 0.4, "terms": {"hard": 1.0, "mse": 2.0}}),
        ("checkpoint", {}),
        ("evaluation", {"details": {"类": [[1, 2], [3, 4]]}}),
        ("evaluation", {"who": "teacher"}),
        ("evaluation", {"epoch": 2}),
        ("artifact", {}),
        ("finished", {}),
    ]
    return [line(seq, type, **fields) for seq, (type, fields) in enumerate(made, 1)]


def test_a_whole_run_reaches_its_rows(run: Run):
    run.says(*whole())
    assert run.collected() == 11
    with run.database.read() as session:
        found, its_job = row(session), job(session)
        assert (found.status, found.progress, found.current_epoch) == ("COMPLETED", 100, 2)
        assert (found.accuracy, found.best_accuracy, found.loss) == (40.0, 50.0, 0.5)
        assert (found.model_path, found.checkpoint_path) == (
            "runs/a/final_model",
            "runs/a/checkpoints/1",
        )
        assert [(one.val_accuracy, one.train_accuracy) for one in epochs(session)] == [
            (50.0, None),
            (None, 40.0),
        ]
        assert [(one.hard_loss, one.soft_loss) for one in epochs(session)] == [(0.2, 0.3), (1, 2)]
        assert [one.f1_score for one in evaluations(session)] == [50.0]
        details = json.loads(evaluations(session)[0].detailed_results or "")
        assert details["类"] == [[1, 2], [3, 4]]
        assert details["runId"] == its_job.journal
        assert (its_job.outcome, its_job.step, its_job.total_steps) == ("finished", 1, 8)
        assert its_job.metrics == '{"loss": 0.25, "loss/kl_div": null}'
        assert its_job.heartbeat_at is not None
        assert told(session)[-1] == 'state {"status": "COMPLETED"}'


def test_nothing_is_taken_twice_by_readers_at_once(run: Run):
    run.says(*whole())
    jobs = [run.job() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: collect(run.context, [one]), jobs))
    assert run.collected() == 11
    with run.database.read() as session:
        assert [one.epoch for one in epochs(session)] == [1, 2]
        assert len(evaluations(session)) == 1
        assert len(told(session)) == 1


def test_a_batch_that_comes_again_or_late_is_dropped(run: Run):
    run.says(*whole()[:5])
    read = fresh_lines(run.folder / NAME, JournalCursor())
    assert read is not None
    first = EventBatch.of(JournalCursor(), read)
    assert run.database.run(lambda session: absorb(session, TASK, first))
    run.says(*whole()[5:])
    run.collected()
    assert not run.database.run(lambda session: absorb(session, TASK, first))
    with run.database.read() as session:
        assert job(session).last_seq == 11
        assert row(session).status == "COMPLETED"


def test_a_later_batch_is_taken_once_too(run: Run):
    run.says(*whole()[:3])
    run.collected()
    run.says(*whole()[3:])
    known = JournalCursor(3, run.job().offset_bytes, run.job().journal)
    read = fresh_lines(run.folder / NAME, known)
    assert read is not None
    batch = EventBatch.of(known, read)
    taken = [run.database.run(lambda session: absorb(session, TASK, batch)) for _ in range(2)]
    assert taken == [True, False]


def test_half_a_line_is_left_until_it_is_whole(quick: Run):
    lines = [line(1, "started"), line(2, "notice", message="再见 🙂")]
    quick.says(lines[0], lines[1][:-9])
    assert quick.collected() == 1
    quick.says(lines[1][-9:])
    assert quick.collected() == 2


def test_nothing_after_a_broken_line_is_believed(quick: Run):
    quick.says(line(1, "started"), b'{"seq": 2, "type": \xff}\n', line(3, "notice"))
    assert quick.collected() == 1
    assert quick.collected() == 1


def test_a_line_of_another_version_is_passed_over_and_said_once(quick: Run):
    strange = b'{"seq": 2, "type": "dream", "of": "sheep"}\n'
    quick.says(line(1, "started"), strange, line(3, "epoch"))
    assert quick.collected() == 3
    quick.says(strange.replace(b"2", b"4"))
    assert quick.collected() == 4
    with quick.database.read() as session:
        assert len([one for one in told(session) if "dream" in one]) == 1
        assert len(epochs(session)) == 1


def test_figures_without_a_number_lose_no_epoch(run: Run):
    nan, inf = float("nan"), float("inf")
    run.says(
        line(1, "started"),
        line(2, "epoch", train_loss=nan, val_loss=inf, val_accuracy=nan, seconds=1e12),
        line(3, "epoch", epoch=2, train_loss=12345.0, terms={"hard": nan}),
    )
    assert run.collected() == 3
    with run.database.read() as session:
        assert [(one.epoch, one.train_loss) for one in epochs(session)] == [(1, None), (2, None)]
        assert row(session).current_epoch == 2
        assert any("train_loss" in one for one in told(session))


def test_a_folder_begun_anew_is_read_from_its_beginning(quick: Run):
    quick.says(line(1, "started"), line(2, "notice"), line(3, "failed", failure_class="lost"))
    assert quick.collected() == 3
    (quick.folder / NAME).unlink()
    assert quick.collected() == 3
    quick.says(line(1, "started", pid=2), line(2, "epoch"))
    assert quick.collected() == 2
    with quick.database.read() as session:
        assert told(session)[-1] == 'rewound {"seq": 0}'
        assert job(session).outcome is None
        assert [one.epoch for one in epochs(session)] == [1]


def test_a_folder_begun_anew_is_known_though_its_file_is_as_long(quick: Run):
    quick.says(line(1, "started", pid=1), line(2, "notice"))
    assert quick.collected() == 2
    (quick.folder / NAME).unlink()
    quick.says(line(1, "started", pid=2), line(2, "notice"), line(3, "epoch"))
    assert quick.collected() == 3
    with quick.database.read() as session:
        assert 'rewound {"seq": 0}' in told(session)


def test_a_journal_that_lost_its_end_goes_on(quick: Run):
    quick.says(line(1, "started"), line(2, "epoch"), line(3, "metric"), line(4, "metric"))
    assert quick.collected() == 4
    whole = (quick.folder / NAME).read_bytes()
    (quick.folder / NAME).write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    assert quick.collected() == 2
    quick.says(line(3, "started", attempt=2, resumed_from_epoch=1), line(4, "epoch", epoch=2))
    assert quick.collected() == 4
    with quick.database.read() as session:
        assert [one.epoch for one in epochs(session)] == [1, 2]


def test_a_journal_that_lost_its_end_and_grew_again_unseen_goes_on(quick: Run):
    quick.says(line(1, "started"), line(2, "epoch"), line(3, "metric"), line(4, "metric"))
    assert quick.collected() == 4
    whole = (quick.folder / NAME).read_bytes()
    (quick.folder / NAME).write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    quick.says(line(3, "started", attempt=2, resumed_from_epoch=1))
    quick.says(*(line(n + 2, "epoch", epoch=n, attempt=2) for n in range(2, 5)))
    assert quick.collected() == 6
    with quick.database.read() as session:
        assert [one.epoch for one in epochs(session)] == [1, 2, 3, 4]


@pytest.mark.parametrize("status", ["COMPLETED", "STOPPED"])
@pytest.mark.parametrize("kind", ["started", "epoch", "failed", "stopped", "finished"])
def test_a_late_word_revives_no_task_that_has_ended(quick: Run, status: str, kind: str):
    with quick.database.write() as session:
        row(session).status, row(session).progress = status, 77
    quick.says(line(1, kind))
    assert quick.collected() == 1
    with quick.database.read() as session:
        assert row(session).status == status
        if (kind, status) != ("epoch", "STOPPED"):
            assert row(session).progress == 77


@pytest.mark.parametrize(
    ("wanted", "status"), [("stop", "STOPPED"), ("pause", "PAUSED"), (None, "RUNNING")]
)
@pytest.mark.parametrize("kind", ["stopped", "failed"])
def test_stopped_is_what_was_asked_for(quick: Run, wanted: str | None, status: str, kind: str):
    with quick.database.write() as session:
        job(session).wanted = wanted
    fields = {"failure_class": "stopped"} if kind == "failed" else {}
    quick.says(line(1, kind, **fields))
    quick.collected()
    with quick.database.read() as session:
        assert (row(session).status, job(session).outcome) == (status, "stopped")


def test_a_lost_run_is_left_to_the_dispatcher(quick: Run):
    quick.says(line(1, "failed", failure_class="lost"))
    quick.collected()
    with quick.database.read() as session:
        found = job(session)
        assert row(session).status == "RUNNING"
        assert (found.outcome, found.failure_class) == ("failed", "lost")


def test_a_failure_is_told_with_its_class(run: Run):
    run.says(line(1, "started"), line(2, "failed", message="没有图片 🙂"))
    run.collected()
    with run.database.read() as session:
        assert (row(session).status, row(session).error_message) == ("FAILED", "没有图片 🙂")
        assert job(session).failure_class == "data"


def test_the_same_evaluation_of_a_resumed_run_is_one_row(quick: Run):
    first = line(1, "evaluation", metrics={"f1": 0.5, "latency_milliseconds": 3.0})
    again = line(2, "evaluation", attempt=2, metrics={"f1": 0.5, "latency_milliseconds": 4.0})
    quick.says(first, again, line(3, "evaluation", metrics={"f1": 0.6}))
    quick.collected()
    with quick.database.read() as session:
        assert [one.f1_score for one in evaluations(session)] == [50.0, 60.0]


def test_a_long_journal_is_read_in_parts(quick: Run):
    quick.says(*(line(seq, "metric", step=seq) for seq in range(1, 101)))
    one = quick.job()
    assert collect(quick.context, [one], most_bytes=1000) == {TASK}
    assert 0 < one.last_seq < 100
    assert quick.collected() == 100


def test_events_of_another_task_are_not_its_own(quick: Run):
    quick.says(line(1, "started"), line(2, "epoch", "TASK_00000002"))
    assert quick.collected() == 2
    with quick.database.read() as session:
        assert epochs(session) == []
