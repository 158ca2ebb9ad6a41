"""Surface B, by a real server and a real trainer."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.conftest import make_shapes
from tests.server.datasets import zips
from tests.server.faults.small_server import SmallServer, wait_for


class RealServer(SmallServer):
    """With the trainer that ships."""

    def __init__(self, home: Path, url: str) -> None:
        super().__init__(home, url)
        import sys

        self.command = (sys.executable, "-m", "tandem.cli", "serve", "--host", "127.0.0.1")
        self.arguments = ["--port", str(self.port)]


@pytest.fixture
def server(tmp_path: Path, make_url):
    home = tmp_path / "home"
    home.mkdir()
    with RealServer(home, make_url("sqlite")) as running:
        yield running


def test_the_specifications_classifier_is_trained_watched_and_downloaded(server):
    make_shapes(server.home / "datasets" / "my_images", train=4, val=2)
    body = {
        "model_type": "image_classifier", "base_model": "resnet50",
        "dataset_path": "/datasets/my_images", "epochs": 1, "batch_size": 4,
        "learning_rate": 0.0001, "seed": 3, "warmup_steps": 1, "save_steps": 10, "eval_steps": 5,
    }  # fmt: skip
    refused = server.ask("GET", "/api/training/download/none")
    assert refused.status_code == 404
    body["base_model"] = "resnet18"  # the same, in seconds
    started = server.ask("POST", "/api/training/start", json=body)
    assert started.status_code == 200, started.text
    task = started.json()["task_id"]
    early = server.get(f"/api/training/status/{task}")
    assert early["status"] in ("pending", "running")
    assert set(early) == {
        "task_id", "status", "progress", "current_epoch", "total_epochs", "current_step",
        "total_steps", "loss", "learning_rate", "metrics", "error", "started_at", "completed_at",
    }  # fmt: skip

    def ended():
        found = server.get(f"/api/training/status/{task}")
        assert found["status"] != "failed", found["error"]
        return found if found["status"] == "completed" else None

    done = wait_for(ended, 120)
    assert (done["progress"], done["current_epoch"], done["total_epochs"]) == (100, 1, 1)
    assert [one["task_id"] for one in server.get("/api/training/history")] == [task]
    answer = server.ask("GET", f"/api/training/download/{task}")
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert {"model.safetensors", "config.json"} <= set(names)


def test_what_cannot_be_trained_says_so(server):
    make_shapes(server.home / "datasets" / "a", train=2, val=1)
    good = {"model_type": "image_classifier", "base_model": "resnet50", "dataset_path": "a"}
    for change, status in (
        ({"model_type": "text_to_image"}, 501),
        ({"model_type": "llm"}, 501),
        ({"model_type": "none"}, 422),
        ({"base_model": "resnet51"}, 422),
        ({"base_model": "yolov8n"}, 422),
        ({"epochs": 0}, 422),
        ({"learning_rte": 1}, 422),
        ({"dataset_path": "../../etc"}, 403),
        ({"output_dir": "/tmp/x"}, 403),
        ({"dataset_path": "nothing"}, 422),
    ):
        answer = server.ask("POST", "/api/training/start", json=good | change)
        if change == {"dataset_path": "nothing"}:
            assert answer.status_code in (200, 422), answer.text
            continue
        assert answer.status_code == status, (change, answer.text)
        assert set(answer.json()) == {"detail"}
    models = server.get("/api/training/models?model_type=object_detector")
    assert [one["id"] for one in models] == [f"yolov8{size}" for size in "nsmlx"]
    assert "AGPL-3.0" in models[0]["description"]
    assert server.ask("GET", "/api/training/models?model_type=llm").status_code == 501


def test_a_data_set_in_one_request(server, tmp_path):
    content = zips.shapes(tmp_path / "shapes", "inside/")
    form = {"name": "pets", "type": "classification"}
    answer = server.ask(
        "POST", "/api/training/datasets/upload", files={"file": ("pets.zip", content)}, data=form
    )
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert set(made) == {"id", "name", "type", "size", "samples", "created_at"}
    assert (made["id"], made["type"], made["size"]) == ("pets", "classification", len(content))
    assert [one["id"] for one in server.get("/api/training/datasets")] == ["pets"]
    again = server.ask("POST", "/api/training/datasets/upload",
                       files={"file": ("pets.zip", content)}, data=form)  # fmt: skip
    assert again.status_code == 409
    bad = server.ask("POST", "/api/training/datasets/upload",
                     files={"file": ("bad.zip", zips.HOSTILE["climbs"])}, data={"name": "bad"})  # fmt: skip
    assert bad.status_code in (400, 422)
    assert server.ask("DELETE", "/api/training/datasets/pets").json() is None
    assert server.get("/api/training/datasets") == []


def test_a_training_is_stopped(server):
    make_shapes(server.home / "datasets" / "a", train=8, val=2)
    body = {"model_type": "image_classifier", "base_model": "resnet18", "dataset_path": "a",
            "epochs": 5000, "output_dir": "mine"}  # fmt: skip
    task = server.ask("POST", "/api/training/start", json=body).json()["task_id"]
    wait_for(lambda: server.get(f"/api/training/status/{task}")["current_epoch"], 120)
    assert (server.home / "runs" / "mine" / "events.jsonl").is_file()
    server.ask("POST", f"/api/training/stop/{task}")
    wait_for(lambda: server.get(f"/api/training/status/{task}")["status"] == "cancelled", 120)
