"""Surface B with the real trainer: the contract's example, and a stop."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.conftest import make_shapes
from tests.server.faults.small_server import wait_for
from tests.server.faults.test_real_trainer import RealServer

B = "/api/training"
EXAMPLE = {
    "model_type": "image_classifier",
    "base_model": "resnet18",
    "dataset_path": "/datasets/my_images",
    "epochs": 1,
    "batch_size": 8,
    "learning_rate": 0.0001,
}
LONG_SECONDS = 240


@pytest.fixture(scope="module")
def server(tmp_path_factory, module_url):
    home = tmp_path_factory.mktemp("training") / "home"
    make_shapes(home / "datasets" / "my_images", train=4, val=2)
    env = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with RealServer(home, module_url("sqlite"), **env) as running:
        yield running


def test_the_contracts_example_trains_and_is_downloaded(server):
    task = server.post(f"{B}/start", EXAMPLE)["task_id"]

    def ended():
        found = server.get(f"{B}/status/{task}")
        return found if found["status"] in ("completed", "failed") else None

    done = wait_for(ended, LONG_SECONDS)
    assert done["status"] == "completed", done["error"]
    assert (done["progress"], done["current_epoch"], done["total_epochs"]) == (100, 1, 1)
    assert done["current_step"] == done["total_steps"] == 2  # of 12 pictures, by 8
    assert [one["task_id"] for one in server.get(f"{B}/history")] == [task]
    answer = server.ask("GET", f"{B}/download/{task}")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as model:
        assert {"model.safetensors", "config.json"} <= set(model.namelist())


def test_a_training_is_stopped(server):
    task = server.post(f"{B}/start", EXAMPLE | {"epochs": 5000, "output_dir": "mine"})["task_id"]
    status = f"{B}/status/{task}"
    wait_for(lambda: server.get(status)["current_epoch"], LONG_SECONDS)
    assert (server.home / "runs" / "mine" / "events.jsonl").is_file()
    server.ask("POST", f"{B}/stop/{task}")
    wait_for(lambda: server.get(status)["status"] == "cancelled", LONG_SECONDS)
