"""Surface B line by line; the trainings themselves are in test_training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tandem.server.datasets.uploads import hash_of
from tandem.server.db.dataset_tables import DatasetRow
from tandem.server.host.clock import now
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


def spec_of(client: TestClient, **changes: Any) -> Any:
    answer = start(client, **changes)
    assert answer.status_code == 200, answer.text
    return client.get(f"/api/v1/tasks/{answer.json()['task_id']}").json()["spec"]


def test_the_guides_other_settings_reach_the_run(client: TestClient, images: Path):
    more = {"image_size": 96, "early_stopping": 4, "mixed_precision": "bf16", "dropout": 0.25,
            "num_workers": 2, "augmentation": False}  # fmt: skip
    spec = spec_of(client, **more)
    assert spec["data"]["image_size"] == 96
    assert spec["data"]["workers"] == 2
    assert spec["optim"]["early_stopping_epochs"] == 4
    assert spec["run"]["precision"] == "bf16"
    assert spec["student"]["dropout"] == 0.25
    views = spec["views"]
    assert (views["crop_scale_min"], views["flip"], views["colour"]) == (1, "off", 0)
    stopping = {
        10: {"early_stopping": True},
        0: {"early_stopping": False, "early_stopping_patience": 3},
        3: {"early_stopping": True, "early_stopping_patience": 3},
        7: {"early_stopping_patience": 7},
    }
    for epochs, said in stopping.items():
        assert spec_of(client, **said)["optim"]["early_stopping_epochs"] == epochs
    for said, precision in ((True, "auto"), (False, "fp32"), ("no", "fp32"), ("fp16", "fp16")):
        assert spec_of(client, mixed_precision=said)["run"]["precision"] == precision
    assert spec_of(client, workers=0)["data"]["workers"] == 0
    detector = {"model_type": "object_detector", "base_model": "yolov8n", "augmentation": False}
    assert spec_of(client, **detector)["yolo"]["mosaic"] == 0


@pytest.mark.parametrize(
    ("model", "epochs", "batch", "size"),
    [("image_classifier/resnet50", 15, 16, 224), ("object_detector/yolov8n", 100, 16, 640)],
)
def test_what_is_left_out_is_as_the_guide_recommends(
    model: str, epochs: int, batch: int, size: int, client: TestClient, images: Path
):
    model_type, base_model = model.split("/")
    body = {"model_type": model_type, "base_model": base_model, "dataset_path": "my_images"}
    answer = client.post(f"{B}/start", json=body)
    spec = client.get(f"/api/v1/tasks/{answer.json()['task_id']}").json()["spec"]
    assert (spec["optim"]["epochs"], spec["optim"]["batch_size"]) == (epochs, batch)
    assert spec["data"]["image_size"] == size


def test_data_that_cannot_be_used_is_refused_at_once(client: TestClient, images: Path):
    answer = start(client, dataset_path="/datasets/nothing")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == "dataset_path"
    assert "is not there" in answer.json()["detail"][0]["problem"]
    context = client.app.state.context
    row = DatasetRow(name_hash=hash_of("my_images"), name="my_images", status="FAULTY",
                     errors=3, created_at=now())  # fmt: skip
    context.database.run(lambda session: session.add(row))
    faulty = start(client)
    assert faulty.status_code == 422
    assert "mend" in faulty.json()["detail"][0]["problem"].lower()
    assert client.get(f"{B}/tasks").json() == []


def test_a_detectors_figure_is_called_by_its_name(client: TestClient, images: Path):
    shown = {}
    for model_type, base_model in (
        ("image_classifier", "resnet18"),
        ("object_detector", "yolov8n"),
    ):
        made = start(client, model_type=model_type, base_model=base_model).json()["task_id"]
        answer = client.put(
            f"/model-distillation/tasks/{made}/progress",
            params={"currentEpoch": 1, "accuracy": 61.5, "loss": 0.4},
        )
        assert answer.status_code == 200, answer.text
        shown[model_type] = client.get(f"{B}/status/{made}").json()["metrics"]
    assert shown["image_classifier"] == {"accuracy": 61.5, "best_accuracy": 61.5}
    assert shown["object_detector"] == {"map50": 61.5, "best_map50": 61.5}


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
        ({"image_size": 8}, 422, "image_size"),
        ({"mixed_precision": "fp8"}, 422, "mixed_precision"),
        ({"dropout": 1}, 422, "dropout"),
        ({"early_stopping": 3, "early_stopping_patience": 4}, 422, "early_stopping_patience"),
        (
            {"model_type": "object_detector", "base_model": "yolov8n", "dropout": 0.1},
            422,
            "dropout",
        ),
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
    known = [one["id"] for one in detectors if one["id"].startswith("yolov8")]
    assert known == [f"yolov8{size}" for size in "nsmlx"]
    licences = {one["id"]: "AGPL-3.0" in one["description"] for one in detectors}
    assert licences == {name: name.startswith("yolov8") for name in licences}
    assert "yolox-nano" in licences
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
    # The same bytes by another name are another data set, as they were asked for.
    second = upload(archive, name="mine too", type="image_classification").json()
    assert (second["id"], second["name"], second["type"]) == (
        "mine too", "mine too", "classification"
    )  # fmt: skip
    assert client.delete(f"{B}/datasets/mine too").status_code == 200
    odd = upload(archive, name="odd", type="anything")
    assert odd.status_code == 422
    assert odd.json()["detail"][0]["field"] == "type"
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
