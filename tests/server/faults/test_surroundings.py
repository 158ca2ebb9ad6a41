"""The data base stops, the disk is full, the clock jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.server.faults.small_server import SmallServer, trainer_pids, wait_for
from tests.server.faults.small_trainer import journal_epochs, let_go
from tests.server.private_servers import SERVERS, private_server
from tests.small_disk import small_disk

A = "/model-distillation/tasks"


def epochs_told(server: SmallServer, task_id: str) -> list[int]:
    return [row["epoch"] for row in server.get(f"{A}/{task_id}/history")["data"]]


@pytest.mark.parametrize("kind", SERVERS)
def test_the_data_base_stops_under_load_and_comes_back(kind: str, home: Path):
    with private_server(kind) as base, SmallServer(home, base.url) as server:
        run = server.create(epochs=40, metrics=10, held=3, start=True)
        waiting = server.create(epochs=2, start=True)
        wait_for(lambda: server.task(run)["currentEpoch"] >= 3)
        base.kill()
        refused = server.ask("GET", A)
        assert refused.status_code == 503
        assert refused.json()["code"] == 503
        health = server.ask("GET", "/actuator/health")
        assert (health.status_code, health.json()["status"]) == (503, "DOWN")
        let_go(server.run_dir(run), until=20)
        wait_for(lambda: len(journal_epochs(server.run_dir(run))) == 20)
        base.start()
        wait_for(lambda: server.ask("GET", "/actuator/health").status_code == 200)
        let_go(server.run_dir(run))
        wait_for(lambda: server.task(run)["status"] == "COMPLETED")
        assert epochs_told(server, run) == list(range(1, 41))
        wait_for(lambda: server.task(waiting)["status"] == "COMPLETED")
        assert server.v1_task(run)["attempts"] == 1


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 6 MB."""
    with small_disk(tmp_path / "disk", "6m") as folder:
        yield folder


def test_a_full_disk_fails_the_run_and_nothing_else(disk: Path, make_url: Callable[[str], str]):
    (disk / "home").mkdir()
    with SmallServer(disk / "home", make_url("sqlite")) as server:
        task_id = server.create(epochs=5000, epoch_seconds=0.03, start=True)
        wait_for(lambda: server.task(task_id)["currentEpoch"] >= 3)
        with (disk / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass
        failed = wait_for(
            lambda: one if (one := server.task(task_id))["status"] == "FAILED" else None
        )
        assert server.v1_task(task_id)["failure_class"] == "disk"
        assert "disk" in failed["errorMessage"].lower()
        assert not trainer_pids(server.home, task_id, shim=True)
        (disk / "ballast").unlink()
        server.post(f"{A}/{task_id}/start")
        at = failed["currentEpoch"]
        wait_for(lambda: server.task(task_id)["currentEpoch"] > at + 2)
        epochs = epochs_told(server, task_id)
        assert epochs == list(range(1, len(epochs) + 1))


def test_a_clock_that_jumps_loses_no_run(
    home: Path, tmp_path: Path, make_url: Callable[[str], str]
):
    """A day forward, then two back."""
    shift = tmp_path / "shift"
    env = {"TANDEM_CPU_SLOTS": "2"}
    with SmallServer(home, make_url("sqlite"), clock_file=shift, **env) as server:
        task_id = server.create(epochs=80, held=3, start=True)
        wait_for(lambda: server.task(task_id)["currentEpoch"] >= 3)
        for jump in (86_400, -86_400):
            shift.write_text(str(jump))
            at = server.task(task_id)["currentEpoch"]
            let_go(server.run_dir(task_id), until=at + 8)
            wait_for(lambda seen=at: server.task(task_id)["currentEpoch"] == seen + 8)
            other = server.create(epochs=1, start=True)
            wait_for(lambda i=other: server.task(i)["status"] == "COMPLETED")
        let_go(server.run_dir(task_id))
        done = wait_for(
            lambda: one if (one := server.task(task_id))["status"] == "COMPLETED" else None
        )
        assert server.v1_task(task_id)["attempts"] == 1
        assert done["duration"] >= 0


def test_events_of_a_run_elsewhere_arrive_late_twice_and_out_of_order(client: TestClient):
    """It ran while no server could be reached; what it kept is delivered afterwards."""
    spec = {"mode": "direct", "data": {"dataset": "pictures"}, "student": {"size": "resnet18"}}
    made = client.post("/api/v1/tasks", json={"name": "elsewhere", "spec": spec, "start": False})
    task_id = made.json()["task_id"]

    def event(seq: int, type: str, **fields: object) -> dict[str, object]:
        at = datetime.now(UTC).isoformat()
        return {"seq": seq, "at": at, "task_id": task_id, "attempt": 1, "type": type, **fields}

    told = [event(1, "started", total_epochs=3, device="cpu", processes=1, pid=1)]
    told += [
        event(
            1 + n, "epoch", epoch=n, total_epochs=3, train_loss=1.0, terms={},
            learning_rate=0.1, seconds=1, images_per_second=1,
        )
        for n in (1, 2, 3)
    ]  # fmt: skip
    told.append(event(5, "finished", seconds=3, metrics={}))

    def sent(*which: int) -> int:
        answer = client.post(f"/api/v1/tasks/{task_id}/events", json=[told[i] for i in which])
        return answer.status_code

    def status() -> str:
        return str(client.get(f"{A}/{task_id}").json()["data"]["status"])

    assert sent(0, 1) == 200
    assert sent(3, 4) == 409  # a gap
    assert sent(0, 1) == 200  # the same again
    assert sent(1, 2, 3) == 200
    assert status() == "RUNNING"
    assert sent(4) == 200
    assert sent(0, 1, 2, 3, 4) == 200
    assert status() == "COMPLETED"
    history = client.get(f"{A}/{task_id}/history").json()["data"]
    assert [row["epoch"] for row in history] == [1, 2, 3]
