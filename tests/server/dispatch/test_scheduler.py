"""The queue in the rows: claims, refusals, and two servers at once."""

from __future__ import annotations

import threading

from sqlalchemy import update

from tandem.executors.base import LaunchError
from tandem.server.db.database import Database
from tandem.server.db.tables import Task
from tandem.server.dispatch.launch import Launcher
from tests.server.dispatch.conftest import House


def test_what_is_launched_sees_its_spec_in_private(house: House):
    house.queue()
    house.tick()
    [launch] = house.executor.launched
    assert launch.spec_file.stat().st_mode & 0o777 == 0o600
    assert launch.env == {"CUDA_VISIBLE_DEVICES": ""}
    assert launch.token not in launch.spec_file.read_text()
    with house.database.read() as session:
        for row in session.connection().exec_driver_sql("SELECT * FROM md_task_job"):
            assert launch.token not in str(row)
    house.executor.end("TASK_1-1", 2)
    house.tick()
    assert not list(launch.spec_file.parent.iterdir())


def test_of_many_claims_one_launches(house: House):
    house.queue()
    launchers = [Launcher(house.context) for _ in range(6)]
    threads = [threading.Thread(target=one.run, args=("TASK_1", ("cpu",), {})) for one in launchers]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(house.executor.launched) == 1
    assert house.job().attempt == 1
    assert len(house.attempts()) == 1


def test_a_gpu_that_is_not_there_fails_at_once(house: House):
    house.dispatcher.scheduler.visible = ()
    house.queue(devices=[3])
    house.tick()
    task = house.task()
    assert task.status == "FAILED"
    assert "GPU 3 is not there" in task.error_message
    assert house.job().failure_class == "user_input"


def test_gpus_are_leased_until_the_process_is_gone(house: House):
    house.dispatcher.scheduler.visible = ("0", "5")
    for number in (1, 2, 3):
        house.queue(f"TASK_{number}", devices="auto", position=number)
    house.tick()
    assert [one.env["CUDA_VISIBLE_DEVICES"] for one in house.executor.launched] == ["0", "5"]
    house.says(("started", {}), ("finished", {}))
    house.tick()
    assert house.task("TASK_1").status == "COMPLETED"
    assert house.task("TASK_3").status == "QUEUED"
    house.executor.end("TASK_1-1", 0)
    house.tick()
    assert house.executor.launched[2].env["CUDA_VISIBLE_DEVICES"] == "0"


def test_a_launch_that_fails_says_why(house: House):
    house.executor.refuses = LaunchError("The run failed.", failure_class="disk")
    house.queue()
    house.tick()
    assert house.task().status == "FAILED"
    assert house.task().error_message == "The run failed."
    assert house.job().failure_class == "disk"
    assert "Free some space" in house.job().advice
    assert house.job().live == 0
    assert house.attempts()[0].outcome == "failed"


def test_a_task_without_a_spec_is_refused(house: House):
    house.queue(spec=None)
    house.tick()
    assert house.task().status == "FAILED"


def test_without_the_lease_nothing_is_done(house: House):
    house.tick()
    other = House(house.settings, house.database, house.executor)
    house.queue()
    for _ in range(3):
        other.tick()
    assert not house.executor.launched
    house.tick()
    assert len(house.executor.launched) == 1


def test_the_claim_on_each_data_base(database: Database, house: House):
    there = House(house.settings, database, house.executor)
    there.queue()
    there.tick()
    assert there.task().status == "RUNNING"
    there.executor.end("TASK_1-1", 1)
    there.tick()
    assert there.job().attempt == 2
    there.says(("started", {}), ("stopped", {}))
    there.wish("stop")
    there.executor.end("TASK_1-2", 75)
    there.tick()
    assert there.task().status == "STOPPED"


def test_a_round_that_fails_is_said_once_and_the_loop_goes_on(house: House, caplog, monkeypatch):
    dispatcher = house.dispatcher
    real, broken = dispatcher.lease.hold, threading.Event()
    broken.set()

    def hold() -> bool:
        if broken.is_set():
            raise RuntimeError("away")
        return real()

    monkeypatch.setattr(dispatcher.lease, "hold", hold)
    house.queue()
    dispatcher.start()
    try:
        _until(lambda: dispatcher.failed_ticks >= 3)
        broken.clear()
        _until(lambda: house.executor.launched)
    finally:
        dispatcher.stop()
    assert sum("failed." in one.message for one in caplog.records) == 1
    assert not dispatcher.holds_lease


def _until(found) -> None:
    from tests.executors.runs import until

    until(found)


def test_a_task_that_left_the_queue_is_not_launched(house: House):
    house.queue()
    with house.database.write() as session:
        session.execute(update(Task).values(status="STOPPED"))
    assert not house.dispatcher.launcher.run("TASK_1", ("cpu",), {})
    assert not house.executor.launched
    assert house.job().live == 0


def test_one_started_again_waits_for_its_last_process(house: House):
    house.queue()
    house.tick()
    with house.database.write() as session:
        session.execute(update(Task).values(status="QUEUED"))
    house.tick()
    assert house.job().waiting_reason == "Its previous process is still ending."
    assert house.executor.asked == ["TASK_1-1"]
    house.executor.end("TASK_1-1", 75)
    house.tick()
    assert house.task().status == "RUNNING"
    assert house.job().attempt == 2
