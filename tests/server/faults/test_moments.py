"""Asked at the wrong moment: twice, while queued, launching or saving, while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.faults.small_server import SmallServer, trainer_pids, wait_for
from tests.server.faults.small_trainer import journal_epochs, let_go

A = "/model-distillation/tasks"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, module_url: Callable[[str], str]):
    home = tmp_path_factory.mktemp("home")
    env = {"TANDEM_STOP_GRACE_SECONDS": "300", "TANDEM_CPU_SLOTS": "4"}
    with SmallServer(home, module_url("sqlite"), **env) as running:
        yield running


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, module_url: Callable[[str], str]):
    """It gives a run that is asked to stop one second: for those that do not hear at all."""
    home = tmp_path_factory.mktemp("impatient")
    with SmallServer(home, module_url("sqlite"), TANDEM_STOP_GRACE_SECONDS="1") as running:
        yield running


def test_of_many_starts_at_once_one_wins(server: SmallServer):
    task_id = server.create(epochs=300, held=1)
    codes: list[int] = []

    def start() -> None:
        codes.append(server.ask("POST", f"{A}/{task_id}/start").status_code)

    threads = [threading.Thread(target=start) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(codes) == [200] + [409] * 11
    wait_for(lambda: server.task(task_id)["currentEpoch"] >= 1)
    assert len(trainer_pids(server.home, task_id)) == 1
    server.post(f"{A}/{task_id}/stop")
    wait_for(lambda: server.task(task_id)["status"] == "STOPPED")


def test_stopped_while_queued(server: SmallServer, tmp_path: Path):
    blockers = [server.create(epochs=9000, held=1, start=True) for _ in range(4)]
    for one in blockers:
        wait_for(lambda i=one: server.task(i)["status"] == "RUNNING")
    task_id = server.create(epochs=2, start=True)
    assert server.task(task_id)["status"] == "QUEUED"
    wait_for(lambda: server.v1_task(task_id)["waiting_reason"])
    server.post(f"{A}/{task_id}/stop")
    assert server.task(task_id)["status"] == "STOPPED"
    assert not trainer_pids(server.home, task_id)
    for one in blockers:
        server.post(f"{A}/{one}/stop")
    for one in blockers:
        wait_for(lambda i=one: server.task(i)["status"] == "STOPPED")


def test_stopped_while_launching(impatient: SmallServer):
    server = impatient
    task_id = server.create(epochs=300, start_seconds=30, start=True)
    wait_for(lambda: server.task(task_id)["status"] == "RUNNING")
    server.post(f"{A}/{task_id}/stop")
    wait_for(lambda: server.task(task_id)["status"] == "STOPPED")
    assert not trainer_pids(server.home, task_id)


def test_stopped_while_saving(server: SmallServer):
    task_id = server.create(epochs=300, held=2, save_seconds=1, start=True)
    wait_for(lambda: server.task(task_id)["currentEpoch"] >= 2)
    server.post(f"{A}/{task_id}/stop")
    server.ask("POST", f"{A}/{task_id}/stop")  # again, in the middle of it
    wait_for(lambda: server.task(task_id)["status"] == "STOPPED")
    epoch = server.task(task_id)["currentEpoch"]
    assert (server.run_dir(task_id) / "saved").read_text() == str(epoch)


def test_a_run_that_does_not_hear_is_killed_after_the_grace(impatient: SmallServer):
    server = impatient
    task_id = server.create(epochs=9000, held=1, deaf=1, start=True)
    wait_for(lambda: server.task(task_id)["currentEpoch"] >= 1)
    server.post(f"{A}/{task_id}/stop")
    wait_for(lambda: server.task(task_id)["status"] == "STOPPED")
    assert not trainer_pids(server.home, task_id, shim=True)


def test_a_pause_keeps_its_place(server: SmallServer):
    task_id = server.create(epochs=300, held=2, start=True)
    wait_for(lambda: server.task(task_id)["currentEpoch"] >= 2)
    server.post(f"/api/v1/tasks/{task_id}/pause")
    wait_for(lambda: server.task(task_id)["status"] == "PAUSED")
    paused_at = server.task(task_id)["currentEpoch"]
    let_go(server.run_dir(task_id), until=paused_at + 3)
    server.post(f"{A}/{task_id}/start")
    wait_for(lambda: server.task(task_id)["currentEpoch"] > paused_at)
    epochs = journal_epochs(server.run_dir(task_id))
    assert epochs == sorted(set(epochs))
    server.post(f"{A}/{task_id}/stop")
    wait_for(lambda: server.task(task_id)["status"] == "STOPPED")


def test_a_running_task_is_not_deleted(server: SmallServer):
    task_id = server.create(epochs=300, held=1, start=True)
    wait_for(lambda: server.task(task_id)["status"] == "RUNNING")
    assert server.ask("DELETE", f"{A}/{task_id}").status_code == 409
    server.post(f"{A}/{task_id}/stop")
    wait_for(lambda: server.task(task_id)["status"] == "STOPPED")
    assert server.ask("DELETE", f"{A}/{task_id}").status_code == 200
    assert server.ask("GET", f"{A}/{task_id}").status_code == 404
