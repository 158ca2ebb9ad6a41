"""Small detection runs in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tandem.spec.run import RunSpec
from tandem.train.engines.build_student import build_student
from tandem.train.engines.context import Run
from tandem.train.engines.device import device_context
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.stop import StopRequest
from tandem.train.export import final_model
from tandem.train.pipeline.run import execute
from tandem.train.yolo.offline import prepare
from tests.train.yolo.drawn import CLASSES


def spec_of(data: Path, out: Path, **changes: Any) -> dict:
    """A direct run of YOLOv8n at 64 px; dotted keywords change it."""
    spec: dict = {
        "task_id": "found",
        "mode": "direct",
        "data": {"dataset": str(data), "image_size": 64},
        "student": {"type": "yolov8", "size": "yolov8n"},
        "optim": {
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 3e-3,
            "optimizer": "adamw",
            "warmup_epochs": 1.0,
            "max_grad_norm": 10.0,
        },
        "yolo": {"mosaic": 0.0, "nominal_batch_size": 8},
        "cache": {"verify_samples": 0},
        "run": {
            "output_dir": str(out),
            "devices": "cpu",
            "log_interval": 1,
            "checkpoint_interval": 100,
        },
        "report": {"tensorboard": False},
    }
    for name, value in changes.items():
        section, _, key = name.partition("__")
        if key:
            spec.setdefault(section, {})[key] = value
        else:
            spec[section] = value
    return spec


class Ear:
    """Hears everything, and may act on the count of batches."""

    out: Path

    def __init__(self, on_batch: Callable[[int], None] = lambda count: None) -> None:
        self.events: list[tuple[str, dict]] = []
        self.notices: list[str] = []
        self.on_batch, self.batches = on_batch, 0

    def emit(self, type: str, **fields: Any) -> None:
        self.events.append((type, fields))

    def notice(self, message: str, warning: bool = False) -> None:
        self.notices.append(message)

    def progress(self, doing: str, done: int, total: int) -> None:
        if doing.startswith("epoch"):
            self.batches += 1
            self.on_batch(self.batches)

    def said(self, kind: str) -> list[dict]:
        return [fields for type, fields in self.events if type == kind]


def run(spec: dict, on_batch: Callable[[int, StopRequest], None] | None = None) -> Ear:
    """The whole run. `on_batch` gets the count of batches and the stop to ask."""
    whole, stop = RunSpec.model_validate(spec), StopRequest()
    ear = Ear((lambda count: on_batch(count, stop)) if on_batch else lambda count: None)
    folder = Path(whole.run.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    execute(Run(whole, device_context(whole.run), RunFolder(folder), ear, stop))
    return ear


def untaught(folder: Path, size: str) -> Path:
    """A final_model that was never trained: what it says of its classes, but not how well."""
    prepare()
    changes = {"kind": "detection", "student__size": size}
    spec = RunSpec.model_validate(spec_of(folder, folder, **changes))
    student = build_student(spec, len(CLASSES))
    return final_model.save(
        student, folder / "final_model", spec=spec, classes=CLASSES, metrics={}, card=""
    )
