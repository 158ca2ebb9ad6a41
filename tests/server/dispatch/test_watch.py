"""What becomes of a run, by what it said, how it ended and what was asked."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from tandem.server.db.tables import Job, Task
from tests.server.dispatch.conftest import House

Case = tuple[list[tuple[str, dict[str, Any]]], int | None, str | None, str, str | None]
STARTED = ("started", {})


def failed(failure_class: str) -> list[tuple[str, dict[str, Any]]]:
    return [STARTED, ("failed", {"message": "because", "failure_class": failure_class})]


CASES: dict[str, Case] = {
    # what it said, exit code, what was asked -> state, words in the message
    "finished": ([STARTED, ("finished", {})], 0, None, "COMPLETED", None),
    "finished and then killed": ([STARTED, ("finished", {})], -9, None, "COMPLETED", None),
    "stopped as asked": ([STARTED, ("stopped", {})], 75, "stop", "STOPPED", None),
    "paused as asked": ([STARTED, ("stopped", {})], 75, "pause", "PAUSED", None),
    "died before it could save": ([STARTED], 143, "stop", "STOPPED", None),
    "died before it could save, pause": ([], -15, "pause", "PAUSED", None),
    "finished before it heard": ([STARTED, ("finished", {})], 0, "stop", "COMPLETED", None),
    "stopped unasked": ([STARTED, ("stopped", {})], 75, None, "RUNNING 2", None),
    "75 without words": ([], 75, None, "RUNNING 2", None),
    "2 without words": ([], 2, None, "FAILED", "no such GPU"),
    "1 without words": ([STARTED], 1, None, "RUNNING 2", None),
    "0 without words": ([STARTED], 0, None, "RUNNING 2", None),
    "gone": ([STARTED], None, None, "RUNNING 2", None),
    "killed": ([STARTED], -9, None, "RUNNING 2", None),
    "data": (failed("data"), 2, None, "FAILED", "because"),
    "code": (failed("code"), 1, None, "FAILED", "because"),
    "disk, and a stop": (failed("disk"), 1, "stop", "FAILED", "because"),
    "a peer is lost": (failed("lost"), 1, None, "RUNNING 2", None),
    "interrupted": (failed("stopped"), 130, None, "RUNNING 2", None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_becomes_of_it(house: House, case: str):
    said, code, wanted, status, words = CASES[case]
    house.queue(position=7)
    house.tick()
    assert house.task().status == "RUNNING"
    house.says(*said)
    house.stderr("== attempt 1 ==\nTraceback\nno such GPU\n")
    if wanted:
        house.wish(wanted)
    [handle] = house.executor._tokens
    house.executor.end(handle, code)
    if code is None:
        house.executor.vanish(handle)
    house.tick()
    state, _, attempt = status.partition(" ")
    task, job = house.task(), house.job()
    assert (task.status, job.attempt) == (state, int(attempt or 1))
    assert job.live == (state == "RUNNING")
    [first] = house.attempts()[:1]
    assert first.ended_at is not None
    assert first.exit_code == code
    if words:
        assert words in (task.error_message or "")
        assert job.advice
    if state == "RUNNING":
        assert job.resumes == 1
        assert "goes on from its last checkpoint" in "".join(house.told())
    if state == "PAUSED":
        assert job.position == 7


def test_killed_for_memory_again_and_again_it_fails_with_what_to_lower(house: House):
    house.queue()
    for attempt in (1, 2, 3):
        house.tick()
        assert house.job().attempt == attempt
        house.executor.end(f"TASK_1-{attempt}", -9)
    house.tick()
    task = house.task()
    assert task.status == "FAILED"
    assert "memory" in task.error_message
    assert "2 times" in task.error_message
    assert "batchSize" in house.job().advice
    assert house.job().failure_class == "lost"
    assert [one.outcome for one in house.attempts()] == ["lost"] * 3


def test_a_resumed_run_is_before_others_of_its_priority_and_its_slot_is_free(house: House):
    house.queue("TASK_1", position=5)
    house.tick()
    house.queue("TASK_2", position=2)
    house.queue("TASK_3", position=1, priority=1)
    house.tick()
    assert house.task("TASK_2").status == "QUEUED"
    assert house.job("TASK_2").waiting_reason == "All 1 CPU slots are taken."
    house.executor.end("TASK_1-1", 1)
    house.tick()
    assert house.task("TASK_3").status == "RUNNING"
    assert house.task("TASK_1").status == "QUEUED"
    house.executor.end("TASK_3-1", 2)
    house.tick()
    assert house.task("TASK_1").status == "RUNNING"
    assert house.task("TASK_2").status == "QUEUED"


def test_a_silent_run_is_killed_and_resumed(house: House):
    house.queue()
    house.tick()
    house.says(STARTED)
    house.tick()
    silence = house.settings.silence_seconds
    house.tick(silence - 2)
    house.says(("heartbeat", {}))
    house.tick()
    house.tick(silence - 2)
    assert not house.executor.killed
    house.tick(4)
    assert house.executor.killed == ["TASK_1-1"]
    house.tick()
    assert house.job().attempt == 2
    assert "gave no sign" in "".join(house.told())


def test_a_stop_is_asked_again_and_then_forced(house: House):
    house.queue()
    house.tick()
    house.wish("stop")
    house.tick()
    house.tick(0.5)
    assert len(house.executor.asked) == 1
    house.tick(2)
    assert len(house.executor.asked) == 2
    assert house.task().status == "RUNNING"
    assert house.job().devices == '["cpu"]'
    house.tick(house.settings.stop_grace_seconds)
    assert house.executor.killed
    house.tick()
    assert house.task().status == "STOPPED"
    assert house.job().devices is None


def test_the_next_server_adopts_and_a_run_elsewhere_is_left_alone(house: House):
    house.queue()
    house.tick()
    with house.database.write() as session:
        session.add(
            Task(task_id="X", task_name="x", teacher_model="q", student_model="s", status="RUNNING")
        )
        session.add(Job(task_id="X"))
    after = house.again()
    after.tick()
    assert len(house.executor.launched) == 1
    assert any(one.startswith("adopted") for one in after.told())
    house.says(STARTED, ("finished", {}))
    house.executor.end("TASK_1-1", 0)
    after.tick()
    assert after.task().status == "COMPLETED"
    assert after.task("X").status == "RUNNING"
    assert [one.outcome for one in after.attempts()] == ["finished"]


def test_a_server_that_died_between_launch_and_handle_starts_no_second_run(house: House):
    house.queue()
    house.dispatcher.launcher.store_handle = lambda *_: None  # type: ignore[method-assign]
    house.tick()
    assert house.job().handle is None
    after = house.again()
    after.tick()
    assert len(house.executor.launched) == 1
    assert after.job().handle is not None
    assert after.job().attempt == 1


def test_a_server_that_died_between_claim_and_launch_loses_no_task(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    house.queue()

    def dies(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(house.executor, "launch", dies)
        with pytest.raises(KeyboardInterrupt):
            house.tick()
    assert house.task().status == "RUNNING"
    after = house.again()
    after.tick()
    assert [one.attempt for one in house.executor.launched] == [2]
    assert after.job().resumes == 0
    assert [one.outcome for one in after.attempts()] == ["not_started", None]


def test_last_words_said_just_before_the_end_are_heard(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    house.queue()
    house.tick()
    real = house.executor.status

    def ends_now(handle: Any, token_hash: str) -> Any:
        house.says(STARTED, ("finished", {}))
        house.executor.end(handle.id, 0)
        return real(handle, token_hash)

    monkeypatch.setattr(house.executor, "status", ends_now)
    house.tick()
    assert house.task().status == "COMPLETED"
    assert house.job().attempt == 1


def test_a_run_whose_task_somebody_else_ended_or_deleted_is_stopped(house: House):
    house.queue()
    house.tick()
    with house.database.write() as session:
        session.execute(update(Task).values(status="STOPPED", del_flag=1))
    house.tick()
    assert house.executor.asked == ["TASK_1-1"]
    house.executor.end("TASK_1-1", 75)
    house.tick()
    assert house.job().live == 0
    assert len(house.executor.launched) == 1


def test_one_that_stays_after_its_last_word_is_ended(house: House):
    house.queue()
    house.tick()
    house.says(STARTED, ("finished", {}))
    house.tick()
    house.tick()
    assert not house.executor.asked
    house.tick(house.settings.stop_grace_seconds)
    assert house.executor.killed
    house.tick()
    assert house.task().status == "COMPLETED"
    assert house.job().live == 0
