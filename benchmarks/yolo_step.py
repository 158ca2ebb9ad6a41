"""YOLOv8n through Tandem against Ultralytics' own training, and with warm dense signals.

The same pictures, boxes, augmentation, optimizer and threads. The three take turns, an epoch of
steps counts from its first picture read to its last step done, without the validation. Each round
gives two ratios; the medians count.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.engine import changed, run
from benchmarks.images import write_photos
from benchmarks.row import Row
from tandem.spec.run import (
    CacheSpec,
    DataSpec,
    ExecutionSpec,
    OptimSpec,
    ReportSpec,
    RunSpec,
    StudentSpec,
    TeacherSpec,
    YoloSpec,
)
from tandem.train.demo.small_qwen import build
from tandem.train.engines.device import device_context
from tandem.train.pipeline.resolve import with_defaults
from tandem.train.yolo.offline import prepare

ROUNDS, EPOCHS, IMAGES, CLASSES = 3, 4, 48, 4
SIZE, BATCH = 320, 8
KINDS = ("ultralytics", "tandem", "dense")


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        _write(folder / "boxes")
        build(folder / "teacher", depth=2, hidden=320, heads=4, window_size=112)
        spec = _spec(folder)
        run(_named(spec, "dense-warm"))
        rates = {kind: [0.0] * ROUNDS for kind in KINDS}
        for turn in range(ROUNDS):
            for kind in KINDS[turn % 3 :] + KINDS[: turn % 3]:
                rates[kind][turn] = _rate(spec, kind, turn)
                print(f"    {kind}: {rates[kind][turn]:.2f} images/s", flush=True)
    return [
        _row("a YOLOv8n step through Tandem, no teacher, over Ultralytics' own train",
             rates["tandem"], rates["ultralytics"], 0.97),
        _row("YOLOv8n with warm dense signals over without", rates["dense"], rates["tandem"], 0.90),
    ]  # fmt: skip


def _row(claim: str, one: list[float], other: list[float], least: float) -> Row:
    ratios = [mine / its for mine, its in zip(one, other, strict=True)]
    ratio = statistics.median(ratios)
    return Row(
        f"{claim}, images/s",
        f"{ratio:.3f}",
        f"≥ {least:.2f}",
        ratio >= least,
        f"{SIZE} px, batch {BATCH}, mosaic, {IMAGES} JPEG files of 500 x 375, "
        f"{torch.get_num_threads()} threads; median of {ROUNDS} rounds in turn "
        f"({' '.join(f'{value:.3f}' for value in ratios)})",
    )


def _rate(spec: RunSpec, kind: str, turn: int) -> float:
    named = _named(spec, f"{kind}-{turn}")
    if kind == "dense":
        return run(named).images_per_second()
    direct = named.model_copy(update={"mode": "direct", "teacher": None})
    return run(direct).images_per_second() if kind == "tandem" else _plain(direct)


def _plain(spec: RunSpec) -> float:
    """Ultralytics' own trainer, told the same; images/s, median of the epochs but the first."""
    prepare()
    from ultralytics.models.yolo.detect import DetectionTrainer

    from tandem.train.yolo import settings

    data = Path(spec.data.dataset)
    names = {number: f"kind{number}" for number in range(CLASSES)}

    class Plain(DetectionTrainer):
        def get_dataset(self) -> dict[str, Any]:
            """What it reads from a data.yaml, without looking for fonts."""
            paths = {split: str(data / "images" / split) for split in ("train", "val")}
            return {**paths, "nc": CLASSES, "names": names, "channels": 3}

        def final_eval(self) -> None:
            """After the steps that are measured."""

    spec = with_defaults(spec)
    here = device_context(spec.run)
    threads = torch.get_num_threads()
    told = settings.overrides(spec, here, str(spec.run.output_dir), list(names.values()))
    trainer = Plain(overrides=told | {"save": False})
    torch.set_num_threads(threads)
    seconds: list[float] = []
    trainer.add_callback("on_train_epoch_start", lambda _: seconds.append(-time.perf_counter()))

    def end(_: Any) -> None:
        seconds[-1] += time.perf_counter()

    trainer.add_callback("on_train_epoch_end", end)
    trainer.train()
    return IMAGES / statistics.median(seconds[1:])


def _write(folder: Path) -> None:
    """Photographs in the YOLO layout, three boxes in each."""
    photos = write_photos(folder / "photos", IMAGES, val=8, classes=CLASSES)
    random = np.random.default_rng(1)
    for split in ("train", "val"):
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for file in sorted((photos / split).rglob("*.jpg")):
            file.rename(images / file.name)
            lines = []
            for _ in range(3):
                side = random.uniform(0.1, 0.4, 2)
                x, y = random.uniform(side / 2, 1 - side / 2)
                lines.append(f"{random.integers(CLASSES)} {x} {y} {side[0]} {side[1]}\n")
            (labels / file.name).with_suffix(".txt").write_text("".join(lines))
    names = ", ".join(f"kind{number}" for number in range(CLASSES))
    (folder / "data.yaml").write_text(
        f"path: .\ntrain: images/train\nval: images/val\nnames: [{names}]\n"
    )


def _named(spec: RunSpec, name: str) -> RunSpec:
    return changed(spec, run={"output_dir": Path(spec.run.output_dir) / name})


def _spec(folder: Path) -> RunSpec:
    return RunSpec(
        task_id="bench",
        data=DataSpec(dataset=str(folder / "boxes"), image_size=SIZE),
        teacher=TeacherSpec(path=str(folder / "teacher"), image_size=224, precision="fp32"),
        student=StudentSpec(type="yolov8", size="yolov8n"),
        optim=OptimSpec(epochs=EPOCHS, batch_size=BATCH, learning_rate=1e-3, optimizer="sgd",
                        max_grad_norm=10.0),
        yolo=YoloSpec(close_mosaic_epochs=0),
        cache=CacheSpec(root=folder / "cache", verify_samples=0),
        run=ExecutionSpec(output_dir=folder / "runs", devices="cpu", precision="fp32",
                          save_checkpoints=False),
        report=ReportSpec(tensorboard=False),
    )  # fmt: skip
