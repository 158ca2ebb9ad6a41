"""Names that no file can have, links in a circle, files where folders belong: never a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient

A = "/model-distillation"
FIELDS = ("data.root", "data.dataset", "data.val_dataset", "teacher.path", "teacher.name",
          "student.path", "cache.root")  # fmt: skip
NAMES = ("a" * 300, "b" * 2000, f"x/{'c' * 300}/y", "loop", "loop/x", "file/x")


@pytest.fixture
def roots(home: Path) -> list[Path]:
    """The service's folders, with a link to itself and a plain file in each."""
    found = [home / name for name in ("datasets", "models", "cache", "runs")]
    for root in found:
        root.mkdir(exist_ok=True)
        (root / "loop").symlink_to(root / "loop")
        (root / "file").touch()
    return found


def answered(answer: httpx.Response) -> None:
    assert answer.status_code < 500, (answer.request.url.path[:80], answer.text[:300])
    assert "Traceback" not in answer.text


def spellings(name: str, roots: list[Path]) -> Iterator[str]:
    yield name
    yield from (f"{root}/{name}" for root in roots[:2])


@pytest.mark.parametrize("field", FIELDS)
def test_in_a_field_of_the_spec(client: TestClient, roots: list[Path], field: str):
    section, _, key = field.partition(".")
    for name in (one for short in NAMES for one in spellings(short, roots)):
        spec: dict = {"mode": "distillation" if section == "teacher" else "direct",
                      "data": {"dataset": "pictures"}, "student": {"size": "resnet18"}}  # fmt: skip
        spec.setdefault(section, {})[key] = name
        answered(client.post("/api/v1/tasks", json={"name": "x", "spec": spec, "start": False}))
        answered(client.post("/api/v1/tasks/preview", json={"spec": spec}))


@pytest.mark.parametrize("name", NAMES)
def test_in_an_address_or_a_body(client: TestClient, roots: list[Path], name: str):
    there = quote(name, safe="")
    for below in ("", "/stats", "/samples", "/versions", "/samples/train/0/picture"):
        answered(client.get(f"/api/v1/datasets/{there}{below}"))
    answered(client.post(f"/api/v1/datasets/{there}/check"))
    answered(client.post(f"/api/v1/datasets/{there}/split", json={"name": name}))
    answered(client.delete(f"/api/v1/datasets/{there}"))
    answered(client.delete(f"/api/training/datasets/{there}"))
    answered(client.get(f"/api/v1/models/{there}/download"))
    answered(client.post("/api/v1/uploads", json={"name": name, "size": 10}))
    for path in (name, str(roots[1] / name)):
        answered(client.post("/api/v1/models/import", json={"path": path, "name": "x"}))
        answered(client.post("/api/v1/inference", json={"model": path, "input_dir": path}))
    query = {"taskId": "x", "inputDir": name, "outputDir": name, "datasetId": name}
    answered(client.post(f"{A}/inference/submit", params=query))
    plain = {"model_type": "resnet18", "dataset_id": name, "task_name": name}
    answered(client.post("/api/training/start", json=plain))
    task = {"taskName": "x", "teacherModel": name, "studentModel": "resnet18", "datasetId": name}
    answered(client.post(f"{A}/tasks", json=task))
