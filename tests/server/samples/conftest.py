"""Two real trainings, of classes and of masks, and tasks that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tandem.server.db.tables import Job, Task
from tests.conftest import make_shapes
from tests.server.rows import here
from tests.train.engines.runs import run_here
from tests.train.kinds import made

Listed = Callable[..., dict]
PLACES = {"shapes": "TASK_CLASSES", "masks": "TASK_MASKS"}
STUDENTS = {
    "shapes": {"type": "resnet", "size": "resnet18"},
    "masks": {"type": "unet", "size": "small"},
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TANDEM_HOME with two data sets and a finished run of each."""
    home = tmp_path_factory.mktemp("samples") / "home"
    make_shapes(home / "datasets" / "shapes")
    made.masks(home / "datasets" / "masks", train=8, val=5)
    for dataset, task_id in PLACES.items():
        spec = {
            "task_id": task_id,
            "mode": "direct",
            "data": {
                "root": str(home / "datasets"),
                "dataset": dataset,
                "image_size": 32,
                "workers": 0,
            },
            "student": STUDENTS[dataset],
            "optim": {"epochs": 1, "batch_size": 8},
            "run": {"output_dir": str(home / "runs" / task_id), "devices": "cpu"},
            "report": {"tensorboard": False},
            "cache": {"root": str(home / "cache")},
        }
        assert run_here(spec, home / "given" / dataset) == 0
    return home


@pytest.fixture
def home(trained: Path) -> Path:
    return trained


@pytest.fixture
def shown(client: TestClient, trained: Path) -> TestClient:
    """The service, knowing both tasks and one that has not begun."""
    know(client, *PLACES.values(), "TASK_NEW")
    assert _output(client) == trained / "runs"
    return client


def know(client: TestClient, *task_ids: str) -> None:
    """Put finished tasks into its data base, their runs where the settings say."""
    with here(client).database.write() as session:
        for task_id in task_ids:
            session.add(
                Task(
                    task_id=task_id,
                    task_name=task_id,
                    teacher_model="vit",
                    student_model="resnet18",
                    status="COMPLETED",
                )
            )
            session.add(Job(task_id=task_id, run_dir=str(_output(client) / task_id)))


def _output(client: TestClient) -> Path:
    return here(client).settings.output_root


@pytest.fixture
def listed(shown: TestClient) -> Listed:
    """`listed("TASK_CLASSES", order="best")`: the whole answer."""

    def ask(task_id: str, **params: object) -> dict:
        answer = shown.get(f"/api/v1/tasks/{task_id}/samples", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask
