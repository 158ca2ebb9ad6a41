"""Predicting a folder, side by side: YOLOv8n over Ultralytics' own, ResNet-50 over the bare model.

Each pair takes turns in one process, the best of several rounds counts. Ultralytics' own is given
each batch size in turn and the fastest is taken; the bare model gets batches that are already on
its device, the fastest batch size too.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import tandem
from benchmarks.predict_memory import save_small
from benchmarks.row import Row
from tandem.predict.predictor import load
from tandem.spec.run import DataSpec, ExecutionSpec, RunSpec, StudentSpec
from tandem.train.export import final_model
from tandem.train.registry import find

ROUNDS = 3
BATCHES = (1, 4, 8, 16, 32)


def measure(images: int = 64, rounds: int = ROUNDS) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "in", images)
        return [_yolo(folder, images, rounds), _resnet(folder, images, rounds)]


def draw(folder: Path, images: int) -> None:
    """Photograph-like JPEGs of 640 x 480."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(images):
        small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8))
        small.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg")


def _yolo(folder: Path, images: int, rounds: int) -> Row:
    from tandem.train.yolo.offline import prepare
    from tandem.train.yolo.student import YoloStudent

    prepare()
    from ultralytics import YOLO

    torch.manual_seed(0)
    spec = RunSpec(
        task_id="B",
        kind="detection",
        mode="direct",
        data=DataSpec(dataset="-", image_size=640),
        student=StudentSpec(type="yolov8", size="yolov8n"),
        run=ExecutionSpec(output_dir=folder / "yolo"),
    )
    student = find("students", "yolov8").make(spec.student, 80, 640)
    assert isinstance(student, YoloStudent)
    names = [str(one) for one in range(80)]
    final_model.save(student, folder / "yolo", spec=spec, classes=names, metrics={}, card="#\n")
    theirs = YOLO("yolov8n.yaml", verbose=False)
    theirs.model.load_state_dict(student.net.state_dict())
    ours = load(folder / "yolo")

    def run_theirs(batch: int) -> None:
        # A square canvas for both: theirs would else shrink it to the picture's shape.
        found = theirs.predict(
            str(folder / "in"), batch=batch, imgsz=640, stream=True, verbose=False, rect=False
        )
        assert sum(1 for _ in found) == images

    def run_ours(batch: int) -> None:
        assert sum(1 for _ in ours.predict_folder(folder / "in", batch)) == images

    return _pair("Predicting a folder with YOLOv8n, over Ultralytics' own predict at its best "
                 "batch size", run_ours, run_theirs, images, rounds, 1.0)  # fmt: skip


def _resnet(folder: Path, images: int, rounds: int) -> Row:
    save_small(folder / "resnet", "resnet50", 224)
    ours = tandem.load(folder / "resnet")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    bare, _ = final_model.load(folder / "resnet", device)

    def run_theirs(batch: int) -> None:
        given = torch.rand(batch, 3, 224, 224, device=device)
        with torch.inference_mode():
            for begins in range(0, images, batch):
                said = bare(given[: min(batch, images - begins)]).logits_BK.cpu()
        assert len(said)

    def run_ours(batch: int) -> None:
        assert sum(1 for _ in ours.predict_folder(folder / "in", batch)) == images

    return _pair("Predicting a folder with ResNet-50, over the bare model's best batched rate",
                 run_ours, run_theirs, images, rounds, 0.95)  # fmt: skip


def _pair(
    claim: str,
    ours: Callable[[int], None],
    theirs: Callable[[int], None],
    images: int,
    rounds: int,
    must: float,
) -> Row:
    best: dict[str, tuple[float, int]] = {"ours": (1e9, 0), "theirs": (1e9, 0)}
    for run in (ours, theirs):
        run(4)  # the first call warms it up
    for _ in range(rounds):
        for batch in BATCHES:
            for name, run in (("ours", ours), ("theirs", theirs)):
                began = time.perf_counter()
                run(batch)
                best[name] = min(best[name], (time.perf_counter() - began, batch))
    ratio = best["theirs"][0] / best["ours"][0]
    rates = {name: (images / seconds, batch) for name, (seconds, batch) in best.items()}
    said = ", ".join(f"{n}: {rate:.1f}/s at {batch}" for n, (rate, batch) in rates.items())
    place = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return Row(claim, f"{ratio:.2f}", f">= {must}", ratio >= must, f"{place}; {said}")


if __name__ == "__main__":
    for row in measure(*(int(one) for one in sys.argv[1:])):
        print(row)
