"""What happens to runs when servers die, come back, and come in twos."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.server.faults.small_server import SmallServer, trainer_pids, wait_for
from tests.server.faults.small_trainer import journal_epochs, let_go

SLOTS = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, module_url: Callable[[str], str]):
    home = tmp_path_factory.mktemp("servers") / "home"
    home.mkdir()
    with SmallServer(home, module_url("sqlite"), TANDEM_CPU_SLOTS=str(SLOTS)) as running:
        yield running


def epochs_told(server: SmallServer, task_id: str) -> list[int]:
    rows = server.get(f"/model-distillation/tasks/{task_id}/history")["data"]
    return [row["epoch"] for row in rows]


def test_what_runs_do_without_a_server_is_known_to_the_next_one(server: SmallServer):
    """One ends meanwhile, one dies with the server, and one goes on and is adopted."""
    ends = server.create(epochs=20, held=3, start=True)
    dies = server.create(epochs=40, held=3, start=True)
    goes_on = server.create(epochs=60, held=3, start=True)
    for task_id in (ends, dies, goes_on):
        wait_for(lambda i=task_id: server.task(i)["currentEpoch"] >= 3)
    server.kill()
    for pid in trainer_pids(server.home, dies, shim=True):
        with suppress(ProcessLookupError):  # the shell ends with its child
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not trainer_pids(server.home, dies, shim=True))
    for task_id in (ends, dies):
        let_go(server.run_dir(task_id))
    [pid] = trainer_pids(server.home, goes_on)
    let_go(server.run_dir(goes_on), until=10)
    wait_for(lambda: len(journal_epochs(server.run_dir(goes_on))) == 10)
    wait_for(lambda: len(journal_epochs(server.run_dir(ends))) == 20)
    assert len(journal_epochs(server.run_dir(dies))) == 3
    server.start()
    assert trainer_pids(server.home, goes_on) == [pid]
    let_go(server.run_dir(goes_on))
    for task_id, epochs, attempts in ((ends, 20, 1), (dies, 40, 2), (goes_on, 60, 1)):
        wait_for(lambda i=task_id: server.task(i)["status"] == "COMPLETED")
        assert epochs_told(server, task_id) == list(range(1, epochs + 1))
        assert server.v1_task(task_id)["attempts"] == attempts


def test_a_killed_trainer_is_resumed_once_twice_and_then_given_up(server: SmallServer):
    task_id = server.create(epochs=500, held=3, start=True)
    for attempt in (1, 2, 3):
        wait_for(lambda n=attempt: server.v1_task(task_id)["attempts"] == n)
        [pid] = wait_for(lambda: trainer_pids(server.home, task_id))
        let_go(server.run_dir(task_id), until=3 * attempt)
        wait_for(lambda n=3 * attempt: max(journal_epochs(server.run_dir(task_id)), default=0) == n)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda p=pid: not psutil.pid_exists(p))
    failed = wait_for(lambda: one if (one := server.task(task_id))["status"] == "FAILED" else None)
    assert "memory" in failed["errorMessage"]
    epochs = journal_epochs(server.run_dir(task_id))
    assert epochs_told(server, task_id) == sorted(set(epochs))
    assert server.v1_task(task_id)["attempts"] == 3
    server.post(f"/model-distillation/tasks/{task_id}/start")
    wait_for(lambda: server.task(task_id)["status"] == "RUNNING")
    server.post(f"/model-distillation/tasks/{task_id}/stop")
    wait_for(lambda: server.task(task_id)["status"] == "STOPPED")


def test_sigterm_leaves_trainings_running(server: SmallServer):
    task_id = server.create(epochs=20, held=1, start=True)
    wait_for(lambda: server.task(task_id)["currentEpoch"] >= 1)
    assert server.terminate() == 0
    [pid] = trainer_pids(server.home, task_id)
    assert psutil.pid_exists(pid)
    let_go(server.run_dir(task_id))
    server.start()
    wait_for(lambda: server.task(task_id)["status"] == "COMPLETED")
    assert epochs_told(server, task_id) == list(range(1, 21))


def test_of_two_servers_one_dispatches_and_the_other_takes_over(
    home: Path, make_url: Callable[[str], str]
):
    url = make_url("postgresql")
    with SmallServer(home, url) as one, SmallServer(home, url) as other:
        task_id = other.create(epochs=40, held=2, start=True)
        wait_for(lambda: other.task(task_id)["currentEpoch"] >= 2)
        later = other.create(epochs=2, start=True)
        one.kill()
        [pid] = trainer_pids(home, task_id)
        let_go(other.run_dir(task_id))
        wait_for(lambda: other.task(later)["status"] == "COMPLETED")
        assert other.task(task_id)["status"] == "COMPLETED"
        assert epochs_told(other, task_id) == list(range(1, 41))
        assert not psutil.pid_exists(pid)
        assert other.v1_task(task_id)["attempts"] == 1


def test_queued_tasks_keep_their_order_over_a_restart(server: SmallServer):
    """The last one here: those it leaves waiting end with their server."""
    blockers = [server.create(epochs=10_000, held=1, start=True) for _ in range(SLOTS)]
    for one in blockers:
        wait_for(lambda i=one: server.task(i)["status"] == "RUNNING")
    tasks = [server.create(epochs=1, start=True) for _ in range(40)]
    assert server.queued() == tasks
    server.kill()
    server.start()
    assert server.queued() == tasks
    server.post(f"/model-distillation/tasks/{blockers[0]}/stop")
    wait_for(lambda: server.task(tasks[2])["status"] == "COMPLETED")
    ends = [server.task(one)["startTime"] for one in tasks[:3]]
    assert ends == sorted(ends)
    queued = server.queued()  # once: it grows shorter all the time
    assert queued == tasks[len(tasks) - len(queued) :]
