"""A detector with a teacher that has seen more boxes, against itself without one.

Shapes are drawn on the spot, with exact boxes. A YOLOv8n trained on many of them teaches another
on a few annotated pictures and many that nobody annotated. The same student learns alone from the
few, from the same first weights and for as many steps; three seeds.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.engine import Ran, changed, run
from benchmarks.row import Row
from benchmarks.teaching import gain_row
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
    YoloSpec,
)

SEEDS = (0, 1, 2)
SIZE, MANY, FEW, UNSEEN, VAL = 64, 256, 6, 160, 48
SHAPES = ("square", "disc", "triangle")
Box = tuple[str, int, int, int, int]


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        write_shapes(folder / "many", MANY, 0, seed=1)
        write_shapes(folder / "few", FEW, UNSEEN, seed=2)
        teacher = _direct(_spec(folder, "many", epochs=14), folder / "runs" / "teacher")
        taught = run(teacher)
        pairs = [_taught(folder, seed) for seed in SEEDS]
    return [_row(taught, pairs)]


def _row(teacher: Ran, pairs: list[Ran]) -> Row:
    claim = (
        f"YOLOv8n, {FEW} annotated pictures and {UNSEEN} without: mAP50 gained by a teacher that "
        f"learnt from {MANY}"
    )
    return gain_row(claim, SIZE, teacher, pairs)


def _taught(folder: Path, seed: int) -> Ran:
    spec = _spec(folder, "few", epochs=12)
    return run(
        changed(
            spec,
            teacher={"path": str(folder / "runs" / "teacher" / "final_model")},
            run={"output_dir": folder / "runs" / f"taught-{seed}", "seed": seed},
            report={"baseline": True},
        )
    )


def _direct(spec: RunSpec, out: Path) -> RunSpec:
    direct = spec.model_copy(update={"mode": "direct", "teacher": None})
    return changed(direct, run={"output_dir": out})


def _spec(folder: Path, data: str, epochs: int) -> RunSpec:
    return RunSpec(
        task_id="bench",
        data=DataSpec(dataset=str(folder / data), image_size=SIZE),
        teacher=TeacherSpec(path="of the run"),
        student=StudentSpec(type="yolov8", size="yolov8n"),
        loss=LossSpec(hard_label_weight=1.0, feature_weight=1.0, soft_label_weight=1.0),
        optim=OptimSpec(epochs=epochs, batch_size=8, learning_rate=3e-3, optimizer="adamw",
                        warmup_epochs=1.0, max_grad_norm=10.0),
        yolo=YoloSpec(mosaic=0.0, nominal_batch_size=8),
        cache=CacheSpec(root=folder / "cache"),
        run=ExecutionSpec(output_dir=folder / "runs", devices="cpu", save_checkpoints=False),
        report=ReportSpec(tensorboard=False),
    )  # fmt: skip


def write_shapes(folder: Path, annotated: int, unseen: int, seed: int) -> None:
    """LabelMe: without a JSON, nobody has looked at a picture. Val is the same in all."""
    for split, count, random in (
        ("train", annotated + unseen, np.random.default_rng(seed)),
        ("val", VAL, np.random.default_rng(99)),
    ):
        (folder / split).mkdir(parents=True)
        for number in range(count):
            image, boxes = _draw(random)
            file = folder / split / f"{number:04d}.png"
            image.save(file)
            if split == "val" or number < annotated:
                file.with_suffix(".json").write_text(json.dumps(_labelme(file.name, boxes)))


def _draw(random: np.random.Generator) -> tuple[Image.Image, list[Box]]:
    """One to three bright shapes, none over another, on a dark and noisy ground."""
    noise = random.normal(0, 8, (SIZE, SIZE, 3)) + random.integers(0, 90, 3)
    image = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
    pen, boxes = ImageDraw.Draw(image), list[Box]()
    for _ in range(int(random.integers(1, 4))):
        side = int(random.integers(12, 26))
        left, top = (int(one) for one in random.integers(0, SIZE - side, 2))
        right, bottom = left + side, top + side
        if any(left < b[3] and b[1] < right and top < b[4] and b[2] < bottom for b in boxes):
            continue
        shape = SHAPES[int(random.integers(len(SHAPES)))]
        colour = tuple(random.integers(130, 256, 3).tolist())
        where = (left, top, right - 1, bottom - 1)
        if shape == "square":
            pen.rectangle(where, fill=colour)
        elif shape == "disc":
            pen.ellipse(where, fill=colour)
        else:
            tip = ((left + right) // 2, top)
            pen.polygon([tip, (left, bottom - 1), (right - 1, bottom - 1)], fill=colour)
        boxes.append((shape, left, top, right, bottom))
    return image, boxes


def _labelme(name: str, boxes: list[Box]) -> dict[str, object]:
    shapes: list[dict[str, object]] = [
        {
            "label": shape,
            "points": [[left, top], [right, bottom]],
            "shape_type": "rectangle",
            "group_id": None,
            "flags": {},
        }
        for shape, left, top, right, bottom in boxes
    ]
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": name,
        "imageData": None,
        "imageHeight": SIZE,
        "imageWidth": SIZE,
    }
