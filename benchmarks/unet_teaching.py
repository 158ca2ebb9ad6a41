"""A mask student with a teacher that has seen more masks, against itself without one.

Shapes are drawn on the spot, with exact masks. A UNet trained on many of them teaches another on a
few masks and many pictures without one. The same student learns alone from the few, from the same
first weights and for as many steps; three seeds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

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
)

SEEDS = (0, 1, 2)
SIZE, MANY, FEW, UNSEEN, VAL = 64, 192, 8, 120, 48
CLASSES = ("background", "square", "disc", "triangle")


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        write_scenes(folder / "many", MANY, 0, seed=1)
        write_scenes(folder / "few", FEW, UNSEEN, seed=2)
        direct = _spec(folder, "many", epochs=14)
        direct = direct.model_copy(update={"mode": "direct", "teacher": None})
        teacher = run(changed(direct, run={"output_dir": folder / "runs" / "teacher"}))
        print(f"    the teacher: {teacher.said()}", flush=True)
        pairs = []
        for seed in SEEDS:
            pairs.append(_taught(folder, seed))
            print(f"    seed {seed}: {pairs[-1].said()}", flush=True)
    return [_row(teacher, pairs)]


def _row(teacher: Ran, pairs: list[Ran]) -> Row:
    claim = (
        f"UNet-small, {FEW} masks and {UNSEEN} pictures without: mean IoU gained by a teacher that "
        f"learnt from {MANY}"
    )
    return gain_row(claim, SIZE, teacher, pairs)


def _taught(folder: Path, seed: int) -> Ran:
    return run(
        changed(
            _spec(folder, "few", epochs=14),
            teacher={"path": str(folder / "runs" / "teacher" / "final_model")},
            run={"output_dir": folder / "runs" / f"taught-{seed}", "seed": seed},
            report={"baseline": True},
        )
    )


def _spec(folder: Path, data: str, epochs: int) -> RunSpec:
    return RunSpec(
        task_id="bench",
        data=DataSpec(dataset=str(folder / data), image_size=SIZE),
        teacher=TeacherSpec(path="of the run", image_size=SIZE),
        student=StudentSpec(type="unet", size="unet-small"),
        loss=LossSpec(
            hard_label_weight=1.0, soft_label_weight=4.0, temperature=1.0, feature_weight=0.2
        ),
        optim=OptimSpec(epochs=epochs, batch_size=8, learning_rate=1e-3),
        cache=CacheSpec(root=folder / "cache"),
        run=ExecutionSpec(output_dir=folder / "runs", devices="cpu", save_checkpoints=False),
        report=ReportSpec(tensorboard=False),
    )


def write_scenes(
    folder: Path, masks: int, unseen: int, *, seed: int, size: int = SIZE, val: int = VAL
) -> None:
    """Pictures and masks; val is the same for every seed."""
    for split, count, random in (
        ("train", masks + unseen, np.random.default_rng(seed)),
        ("val", val, np.random.default_rng(99)),
    ):
        for below in ("images", "masks"):
            (folder / below / split).mkdir(parents=True)
        for number in range(count):
            image, mask = _draw(random, size)
            image.save(folder / "images" / split / f"{number:04d}.png")
            if split == "val" or number < masks:
                mask.save(folder / "masks" / split / f"{number:04d}.png")
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")


def _draw(random: np.random.Generator, size: int) -> tuple[Image.Image, Image.Image]:
    """One to three bright shapes on a dark and noisy ground."""
    noise = random.normal(0, 8, (size, size, 3)) + random.integers(0, 90, 3)
    image = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
    mask = Image.new("L", (size, size))
    pens = ImageDraw.Draw(image), ImageDraw.Draw(mask)
    for _ in range(int(random.integers(1, 4))):
        side = int(random.integers(size // 5, size * 2 // 5))
        left, top = (int(one) for one in random.integers(0, size - side, 2))
        label = int(random.integers(1, len(CLASSES)))
        colour = tuple(random.integers(130, 256, 3).tolist())
        where = (left, top, left + side - 1, top + side - 1)
        fills: tuple[Any, Any] = (colour, label)
        for pen, fill in zip(pens, fills, strict=True):
            if label == 1:
                pen.rectangle(where, fill=fill)
            elif label == 2:
                pen.ellipse(where, fill=fill)
            else:
                tip = ((left + where[2]) // 2, top)
                pen.polygon([tip, (left, where[3]), where[2:]], fill=fill)
    return image, mask
