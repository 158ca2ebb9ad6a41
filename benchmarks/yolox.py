"""The free detector beside YOLOv8n: what both find after as many epochs, and what a step costs.

The same drawn shapes, seeds, sizes, optimizer and augmentation for both; each loss has the weights
that it is published with.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import torch

from benchmarks.engine import Ran, changed, run
from benchmarks.row import Row
from benchmarks.yolo_teaching import SIZE as DRAWN_SIZE
from benchmarks.yolo_teaching import write_shapes
from tandem.spec.plugins.students import defaults
from tandem.spec.run import (
    DataSpec,
    ExecutionSpec,
    OptimSpec,
    ReportSpec,
    RunSpec,
    StudentSpec,
    YoloSpec,
)

SEEDS, TRAIN, EPOCHS = (0, 1, 2), 128, 40
STEP_SIZE, STEP_IMAGES, STEP_EPOCHS, ROUNDS, BATCH = 320, 32, 3, 3, 4
MOST_BEHIND, MOST_TIMES = 0.03, 3.0


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        write_shapes(folder / "shapes", TRAIN, 0, seed=1)
        write_shapes(folder / "few", STEP_IMAGES, 0, seed=2)
        return [_found(folder), _step(folder)]


def _found(folder: Path) -> Row:
    figures: dict[str, list[float]] = {}
    for size in ("yolov8n", "yolox-nano"):
        spec = _spec(folder / "shapes", size, DRAWN_SIZE, EPOCHS)
        ran = [_run(folder, spec, f"{size}-{seed}", seed) for seed in SEEDS]
        figures[size] = [one.accuracy for one in ran]
    means = {size: statistics.mean(values) for size, values in figures.items()}
    lead = means["yolox-nano"] - means["yolov8n"]
    shown = "; ".join(
        f"{size} {' '.join(f'{one:.3f}' for one in values)}" for size, values in figures.items()
    )
    return Row(
        f"YOLOX-nano's mAP50 over YOLOv8n's after {EPOCHS} epochs",
        f"{lead:+.3f}",
        f"≥ -{MOST_BEHIND:.2f}",
        lead >= -MOST_BEHIND,
        f"{TRAIN} drawn pictures of {DRAWN_SIZE} px, seeds {SEEDS}: {shown}",
    )


def _step(folder: Path) -> Row:
    rates: dict[str, list[float]] = {"yolov8n": [], "yolox-s": []}
    sizes = list(rates)
    for turn in range(ROUNDS):
        for size in sizes if turn % 2 == 0 else sizes[::-1]:
            spec = _spec(folder / "few", size, STEP_SIZE, STEP_EPOCHS)
            rates[size].append(_run(folder, spec, f"step-{size}-{turn}", 0).images_per_second())
            print(f"    {size}: {rates[size][-1]:.2f} images/s", flush=True)
    ratios = [one / other for one, other in zip(rates["yolov8n"], rates["yolox-s"], strict=True)]
    times = statistics.median(ratios)
    return Row(
        "a YOLOX-s step over a YOLOv8n step, seconds",
        f"{times:.2f} x",
        f"≤ {MOST_TIMES:.0f} x",
        times <= MOST_TIMES,
        f"{STEP_SIZE} px, batch {BATCH}, mosaic, {torch.get_num_threads()} threads; median of "
        f"{ROUNDS} rounds in turn ({' '.join(f'{one:.2f}' for one in ratios)})",
    )


def _run(folder: Path, spec: RunSpec, name: str, seed: int) -> Ran:
    return run(changed(spec, run={"output_dir": folder / "runs" / name, "seed": seed}))


def _spec(data: Path, size: str, side: int, epochs: int) -> RunSpec:
    family = size.split("-")[0] if size.startswith("yolox") else "yolov8"
    own = {k.removeprefix("yolo."): v for k, v in defaults(family).items() if k.startswith("yolo.")}
    # The last quarter without mosaics, for both: YOLOX's own 15 epochs are of 300.
    known = own | {"mosaic": 1.0, "close_mosaic_epochs": epochs // 4, "nominal_batch_size": BATCH}
    return RunSpec(
        task_id="bench",
        mode="direct",
        data=DataSpec(dataset=str(data), image_size=side),
        student=StudentSpec(type=family, size=size),
        optim=OptimSpec(epochs=epochs, batch_size=BATCH, learning_rate=2e-3, optimizer="adamw",
                        warmup_epochs=1.0, max_grad_norm=10.0),
        yolo=YoloSpec.model_validate(known),
        run=ExecutionSpec(output_dir=data, devices="cpu", save_checkpoints=False),
        report=ReportSpec(tensorboard=False),
    )  # fmt: skip
