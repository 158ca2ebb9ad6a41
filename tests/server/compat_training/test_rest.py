"""Surface B line by line; the trainings themselves are in test_training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.conftest import make_shapes
from tests.server.datasets.archives import shapes_zip

B = "/api/training"
EXAMPLE = {
    "model_type": "image_classifier",
    "base_model": "resnet18",
    "dataset_path": "/datasets/my_images",
    "epochs": 1,
    "batch_size": 8,
    "learning_rate": 0.0001,
}
STATUS = {
    "task_id", "status", "progress", "current_epoch", "total_epochs", "current_step",
    "total_steps", "loss", "learning_rate", "metrics", "error", "started_at", "completed_at",
}  # fmt: skip


def start(client: TestClient, **changes: Any) -> Any:
    return client.post(f"{B}/start", json=EXAMPLE | changes)


@pytest.fixture
def images(home: Path) -> Path:
    return make_shapes(home / "datasets" / "my_images", train=4, val=2)


def test_start_makes_a_task_that_all_surfaces_show(client: TestClient, images: Path):
    answer = start(client)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"task_id"}
    task_id = answer.json()["task_id"]
    status = client.get(f"{B}/status/{task_id}").json()
    assert set(status) == STATUS
    assert status["status"] == "pending"
    assert [one["task_id"] for one in client.get(f"{B}/tasks").json()] == [task_id]
    assert client.get(f"{B}/history").json() == []
    task = client.get(f"/model-distillation/tasks/{task_id}").json()["data"]
    assert (task["trainingMode"], task["datasetId"]) == ("direct", "my_images")
    assert client.get(f"{B}/download/{task_id}").status_code == 409
    assert client.post(f"{B}/stop/{task_id}").json()["status"] == "cancelled"
    assert [one["task_id"] for one in client.get(f"{B}/history").json()] == [task_id]
    assert client.post(f"{B}/stop/{task_id}").status_code == 409


def test_every_hyper_parameter_reaches_the_run(client: TestClient, images: Path):
    more = {"warmup_steps": 7, "max_grad_norm": 0.5, "weight_decay": 0.02, "seed": 9,
            "save_steps": 10, "eval_steps": 10, "output_dir": "mine/first"}  # fmt: skip
    task_id = start(client, **more).json()["task_id"]
    spec = client.get(f"/api/v1/tasks/{task_id}").json()["spec"]
    optim = spec["optim"]
    assert (optim["warmup_steps"], optim["max_grad_norm"], optim["weight_decay"]) == (7, 0.5, 0.02)
    assert (optim["epochs"], optim["batch_size"], optim["learning_rate"]) == (1, 8, 0.0001)
    assert spec["run"]["seed"] == 9
    assert spec["run"]["output_dir"].endswith("/mine/first")


@pytest.mark.parametrize("kind", ["text_to_image", "llm"])
def test_what_comes_later_says_so(kind: str, client: TestClient):
    answer = start(client, model_type=kind)
    assert answer.status_code == 501
    assert "later" in answer.json()["detail"]
    assert client.get(f"{B}/models", params={"model_type": kind}).status_code == 501


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"momentum": 1}, 422, "momentum"),
        ({"model_type": "none"}, 422, "model_type"),
        ({"epochs": 0}, 422, "epochs"),
        ({"base_model": "resnet51"}, 422, "base_model"),
        ({"base_model": "yolov8n"}, 422, "base_model"),
        ({"model_type": "object_detector"}, 422, "base_model"),
        ({"dataset_path": "/etc"}, 403, "dataset_path"),
        ({"dataset_path": "../../etc"}, 403, "dataset_path"),
        ({"output_dir": "/tmp/x"}, 403, "output_dir"),
        ({"output_dir": "../x"}, 403, "output_dir"),
    ],
)
def test_bad_requests_are_refused_by_name(
    changes: dict[str, Any], status: int, word: str, client: TestClient, images: Path
):
    answer = start(client, **changes)
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}
    assert word in str(answer.json()["detail"])
    assert client.get(f"{B}/tasks").json() == []


def test_unknown_tasks_are_404(client: TestClient):
    for method, path in (("GET", "status"), ("POST", "stop"), ("GET", "download")):
        answer = client.request(method, f"{B}/{path}/TASK_00000000")
        assert (answer.status_code, set(answer.json())) == (404, {"detail"})


def test_models_come_with_their_licences(client: TestClient):
    classifiers = client.get(f"{B}/models", params={"model_type": "image_classifier"}).json()
    assert "resnet50" in [one["id"] for one in classifiers]
    assert all(set(one) == {"id", "name", "description"} for one in classifiers)
    detectors = client.get(f"{B}/models", params={"model_type": "object_detector"}).json()
    assert [one["id"] for one in detectors] == [f"yolov8{size}" for size in "nsmlx"]
    assert all("AGPL-3.0" in one["description"] for one in detectors if "yolo" in one["id"])
    assert len(client.get(f"{B}/models").json()) >= len(classifiers)


def test_a_dataset_is_uploaded_at_once_listed_and_deleted(client: TestClient, tmp_path: Path):
    archive = shapes_zip(tmp_path / "made", inside="any/")
    form = {"name": "mine", "type": "classification"}

    def upload(data: bytes, **fields: str) -> Any:
        files = {"file": ("shapes.zip", data, "application/zip")}
        return client.post(f"{B}/datasets/upload", files=files, data=form | fields)

    made = upload(archive)
    assert made.status_code == 200, made.text
    one = made.json()
    assert set(one) == {"id", "name", "type", "size", "samples", "created_at"}
    assert (one["id"], one["type"], one["size"], one["samples"]) == (
        "mine", "classification", len(archive), 18
    )  # fmt: skip
    assert upload(archive).json() == one  # recognised
    assert client.get(f"{B}/datasets").json() == [one]
    assert upload(b"no archive", name="other").status_code == 422
    assert upload(archive, colour="red").status_code == 422
    assert client.post(f"{B}/datasets/upload", data=form).status_code == 422
    assert client.get(f"{B}/datasets").json() == [one]
    assert start(client, dataset_path="mine").status_code == 200
    assert client.delete(f"{B}/datasets/mine").status_code == 409
    client.post(f"{B}/stop/{client.get(f'{B}/tasks').json()[0]['task_id']}")
    gone = client.delete(f"{B}/datasets/mine")
    assert (gone.status_code, gone.json()) == (200, None)
    assert client.get(f"{B}/datasets").json() == []
    assert client.delete(f"{B}/datasets/mine").status_code == 404
