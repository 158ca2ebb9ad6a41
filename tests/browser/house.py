"""The server that the browser's tests visit: `tandem serve`, with everything real."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.browser.console import WEB
from tests.conftest import make_shapes
from tests.server.faults.small_server import wait_for
from tests.server.faults.test_real_trainer import LONG, RealServer

TEACHER = "small-teacher"


class House(RealServer):
    """Furnished: `taught`, `failed` and `fresh` are tasks that are there from the beginning."""

    def __init__(self, home: Path, teacher: Path) -> None:
        make_shapes(home / "datasets" / "shapes", train=10, val=4, unlabelled=6)
        make_shapes(home / "datasets" / "brittle", train=4, val=2)
        (home / "datasets" / "brittle" / "train" / "circle" / "0.png").write_bytes(b"no picture")
        shutil.copytree(teacher, home / "models" / TEACHER)
        super().__init__(
            home,
            f"sqlite:///{home / 'tandem.db'}",
            OMP_NUM_THREADS="1",
            HF_HUB_OFFLINE="1",
            TANDEM_WEB_ROOT=str(WEB),
        )
        self.taught = self.failed = self.fresh = ""

    def __enter__(self) -> House:
        super().__enter__()
        self.taught = self.add_task("Shapes, taught", epochs=3, start=True)
        self.fresh = self.add_task("Shapes, not started", epochs=2)
        self.failed = self.add_task("Shapes, one broken", epochs=2, dataset="brittle", start=True)
        self.done(self.taught)
        self.done(self.failed)
        return self

    def add_task(
        self,
        name: str,
        *,
        epochs: int,
        dataset: str = "shapes",
        start: bool = False,
        **more: Any,
    ) -> str:
        """A distillation of the small teacher into a ResNet at 32 pixels; the task's id."""
        spec = {
            "data": {"dataset": dataset, "image_size": 32, "workers": 0},
            "teacher": {"path": str(self.home / "models" / TEACHER), "image_size": 56},
            "student": {"size": "resnet18"},
            "optim": {"epochs": epochs, "batch_size": 10, "learning_rate": 1e-3},
            "views": {"count": 1},
            "run": {"devices": "cpu", "checkpoint_interval": 1},
            "report": {"tensorboard": False},
            **more,
        }
        body = {"name": name, "spec": spec, "start": start}
        return str(self.post("/api/v1/tasks", body)["task_id"])

    def until(self, task_id: str, *states: str) -> dict[str, Any]:
        """The task, once it is in one of these states."""
        return wait_for(
            lambda: one if (one := self.task(task_id))["status"] in states else None, LONG
        )
