"""Small runs of YOLOX in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tandem.spec.run import RunSpec
from tandem.train.engines.build_student import build_student
from tandem.train.export import final_model
from tests.train.yolo import runs
from tests.train.yolo.drawn import CLASSES

PUBLISHED = {"box_gain": 5.0, "cls_gain": 1.0, "mosaic": 0.0, "close_mosaic_epochs": 1}
"""What the student's own defaults say where a run comes in by a door."""


def spec_of(data: Path, out: Path, **changes: Any) -> dict:
    """A direct run of nano at 64 px; dotted keywords change it."""
    spec = runs.spec_of(data, out, student={"type": "yolox", "size": "yolox-nano"})
    spec["yolo"] = dict(PUBLISHED)
    for name, value in changes.items():
        section, _, key = name.partition("__")
        if key:
            spec.setdefault(section, {})[key] = value
        else:
            spec[section] = value
    return spec


def untaught(folder: Path, size: str) -> Path:
    """A final_model that was never trained: what it says of its classes, but not how well."""
    named = {"type": size.partition("-")[0], "size": size}
    spec = RunSpec.model_validate(spec_of(folder, folder, kind="detection", student=named))
    student = build_student(spec, len(CLASSES))
    return final_model.save(
        student, folder / "final_model", spec=spec, classes=CLASSES, metrics={}, card=""
    )
