"""The dispatcher's own thread with real processes, also after its server was killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tandem.executors.local import LocalExecutor
from tandem.server.db.database import Database
from tandem.server.settings import ServerSettings
from tests.executors.runs import until
from tests.server.dispatch.conftest import House

TRAINER = Path(__file__).parents[1] / "faults" / "small_trainer.py"
DEAF = Path(__file__).with_name("deaf.py")


@pytest.fixture
def make(sqlite: Database, settings_of: Callable[..., ServerSettings], monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    url = sqlite.url.render_as_string(hide_password=False)
    settings = settings_of(url, TANDEM_CPU_SLOTS="1", TANDEM_STOP_GRACE_SECONDS="1")
    made: list[House] = []

    def house(script: Path) -> House:
        one = House(settings, sqlite, LocalExecutor(command=(sys.executable, str(script))))
        one.dispatcher = type(one.dispatcher)(one.context)
        made.append(one)
        one.dispatcher.start()
        return one

    yield house
    for one in made:
        one.dispatcher.stop()


def test_a_run_is_launched_heard_and_ended(make):
    house = make(TRAINER)
    house.queue()
    house.context.wake()
    until(lambda: house.task().status == "COMPLETED")
    until(lambda: house.job().live == 0)
    assert house.attempts()[0].exit_code == 0
    assert house.task().progress == 100


def test_one_that_does_not_hear_is_killed_after_the_grace(make):
    house = make(DEAF)
    house.queue()
    house.context.wake()
    until(lambda: (house.settings.home / "runs" / "TASK_1" / "pid").exists())
    house.wish("stop")
    until(lambda: house.task().status == "STOPPED")
    assert house.attempts()[0].exit_code == -9


def test_a_stopped_dispatcher_leaves_its_runs_and_the_next_one_adopts(make):
    house = make(DEAF)
    house.queue()
    house.context.wake()
    pid_file = house.settings.home / "runs" / "TASK_1" / "pid"
    until(pid_file.exists)
    house.dispatcher.stop()
    os.kill(int(pid_file.read_text()), 0)
    after = make(DEAF)
    until(lambda: any(one.startswith("adopted") for one in after.told()))
    assert after.job().attempt == 1, after.told()
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGKILL)
    until(lambda: after.job().attempt == 2)
    assert after.attempts()[0].exit_code == -9
    until(lambda: pid_file.read_text() not in ("", str(pid)))
    after.wish("stop")
    until(lambda: after.task().status == "STOPPED")
