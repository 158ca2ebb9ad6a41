"""The faults again with the real trainer: pictures, epochs, checkpoints, ranks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tandem.train.sinks.delivery import waiting
from tandem.train.sinks.http import deliver
from tests.conftest import make_shapes
from tests.server.faults.small_server import SmallServer, trainer_pids, wait_for
from tests.server.faults.small_trainer import journal_epochs
from tests.train.engines.runs import run_here

A = "/model-distillation/tasks"
LONG = 240.0
EPOCHS = 12


class RealServer(SmallServer):
    """`tandem serve`."""

    command = (sys.executable, "-m", "tandem.cli", "serve", "--port")

    def run(
        self, *, epochs: int, dataset: str = "shapes", start: bool = True, **execution: Any
    ) -> str:
        spec = {
            "mode": "direct",
            "data": {"dataset": dataset, "image_size": 32, "workers": 0},
            "student": {"size": "resnet18"},
            "optim": {"epochs": epochs, "batch_size": 12},
            "run": {"devices": "cpu", "checkpoint_interval": 1, **execution},
            "report": {"tensorboard": False},
        }
        body = {"name": "real", "spec": spec, "start": start}
        return str(self.post("/api/v1/tasks", body)["task_id"])

    def done(self, task_id: str) -> dict[str, Any]:
        ends = ("COMPLETED", "FAILED", "STOPPED")
        return wait_for(
            lambda: one if (one := self.task(task_id))["status"] in ends else None, LONG
        )

    def epochs_told(self, task_id: str) -> list[int]:
        return [row["epoch"] for row in self.get(f"{A}/{task_id}/history")["data"]]


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, module_url: Callable[[str], str]
) -> Iterator[RealServer]:
    home = tmp_path_factory.mktemp("real") / "home"
    make_shapes(home / "datasets" / "shapes", train=2, val=1)
    env = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with RealServer(home, module_url("sqlite"), **env) as running:
        yield running


def epoch_beyond(server: RealServer, task_id: str, epoch: int) -> None:
    wait_for(lambda: max(journal_epochs(server.run_dir(task_id)), default=0) > epoch, LONG)


def ranks_of(server: RealServer, task_id: str) -> list[psutil.Process]:
    found = [psutil.Process(pid) for pid in trainer_pids(server.home, task_id)]
    return [one for one in found if "RANK" in one.environ()]


@pytest.mark.timeout(600)
def test_a_real_run_outlives_its_server_and_the_death_of_a_rank(server: RealServer):
    task_id = server.run(epochs=EPOCHS, processes=2)
    epoch_beyond(server, task_id, 0)
    server.kill()
    pids = sorted(trainer_pids(server.home, task_id))
    seen = max(journal_epochs(server.run_dir(task_id)))
    epoch_beyond(server, task_id, seen)
    ranks = ranks_of(server, task_id)
    assert len(ranks) == 2
    for rank in ranks:  # the run is not to end before there is a server again
        rank.suspend()
    server.start()
    assert sorted(trainer_pids(server.home, task_id)) == pids
    wait_for(lambda: server.task(task_id)["currentEpoch"] > seen)
    dies = max(ranks, key=lambda rank: rank.pid)
    dies.kill()  # before the others go on: the run is not to end first
    for rank in ranks:
        if rank != dies:
            rank.resume()
    wait_for(lambda: server.v1_task(task_id)["attempts"] == 2, LONG)
    done = server.done(task_id)
    assert done["status"] == "COMPLETED", done["errorMessage"]
    assert server.epochs_told(task_id) == list(range(1, EPOCHS + 1))
    assert server.v1_task(task_id)["attempts"] == 2
    assert (Path(done["modelPath"]) / "model.safetensors").is_file()
    epochs = journal_epochs(server.run_dir(task_id))
    assert len(epochs) <= EPOCHS + 2  # it went on from its checkpoint: an epoch or two, not all


def test_a_users_error_is_told_and_not_tried_again(server: RealServer):
    task_id = server.run(epochs=2, dataset="nothing-there", start=False)
    server.post(f"{A}/{task_id}/start")
    done = server.done(task_id)
    assert done["status"] == "FAILED"
    assert "nothing-there" in done["errorMessage"]
    about = server.v1_task(task_id)
    assert about["attempts"] == 1
    assert about["failure_class"] in ("data", "user_input")
    assert about["advice"]


def test_a_run_elsewhere_that_never_reached_the_server_is_heard_afterwards(server: RealServer):
    """As `train_qwen_vl_distillation.py --api_base_url` does, on surface A."""
    fields = {
        "taskName": "elsewhere",
        "teacherModel": "qwen2.5-vl-7b",
        "studentModel": "resnet18",
        "datasetId": "shapes",
        "trainingMode": "direct",
        "epochs": 2,
    }
    task_id = server.post(A, fields)["data"]["taskId"]
    server.kill()
    spec = {
        "task_id": task_id,
        "mode": "direct",
        "data": {"root": str(server.home / "datasets"), "dataset": "shapes", "image_size": 32},
        "student": {"size": "resnet18"},
        "optim": {"epochs": 2, "batch_size": 12},
        "run": {"output_dir": str(server.run_dir(task_id)), "devices": "cpu"},
        "report": {
            "api_base_url": server.base_url,
            "delivery_grace_seconds": 0,
            "tensorboard": False,
        },
    }
    assert run_here(spec, server.home / "tmp") == 0
    assert waiting(server.run_dir(task_id)) > 0
    server.start()
    delivered = deliver(server.run_dir(task_id), server.base_url)
    assert delivered.left == 0
    task = server.task(task_id)
    assert (task["status"], task["progress"]) == ("COMPLETED", 100)
    assert task["modelPath"] == str(server.run_dir(task_id) / "final_model")
    assert server.epochs_told(task_id) == [1, 2]
    assert len(server.get(f"{A}/{task_id}/evaluations")["data"]) == 1
    assert deliver(server.run_dir(task_id), server.base_url).sent == 0
