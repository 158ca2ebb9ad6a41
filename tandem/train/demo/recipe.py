"""The demonstration's settings: what is taught to whom, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tandem.spec.run import (
    CacheSpec,
    DataSpec,
    ExecutionSpec,
    LossSpec,
    OptimSpec,
    ReportSpec,
    RunSpec,
    StudentSpec,
    TeacherSpec,
    ViewSpec,
)
from tandem.train.demo import digits, digits_teacher

DATASET = "digits"
EPOCHS = 4
"""164 steps of 32 pictures; the student on labels alone gets as many, of the same size."""


def make_spec(
    output_dir: Path,
    *,
    datasets: Path,
    teacher: Path,
    cache: Path,
    seed: int,
    dataset: str = DATASET,
) -> RunSpec:
    """ResNet-18 at 32 pixels, taught and (as the baseline) not."""
    return RunSpec(
        task_id=output_dir.name,
        data=DataSpec(root=datasets, dataset=dataset, image_size=digits.PIXELS, workers=0),
        teacher=TeacherSpec(
            path=str(teacher), image_size=digits_teacher.PIXELS, precision="fp32", batch_size=128
        ),
        student=StudentSpec(type="resnet", size="resnet18"),
        loss=LossSpec(
            temperature=2.0, hard_label_weight=0.5, soft_label_weight=0.5, feature_weight=1.0
        ),
        optim=OptimSpec(epochs=EPOCHS, batch_size=32, learning_rate=1e-3),
        views=ViewSpec(count=4, crop_scale_min=0.85, colour=0.0),
        cache=CacheSpec(root=cache),
        run=ExecutionSpec(output_dir=output_dir, seed=seed, devices=_devices(), precision="fp32"),
        report=ReportSpec(baseline=True),
    )


def _devices() -> list[int] | Literal["cpu"]:
    """One GPU at most: this is too little work for several."""
    import torch

    return [0] if torch.cuda.is_available() else "cpu"
