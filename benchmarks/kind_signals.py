"""What warm signals cost the students of masks and clips: images/s with them over without.

Both take the same rows through the same loader, in the same views, in turn; medians of rounds.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.engine import changed, run
from benchmarks.row import Row
from benchmarks.unet_teaching import write_scenes
from tandem.spec.run import (
    CacheSpec,
    DataSpec,
    ExecutionSpec,
    OptimSpec,
    ReportSpec,
    RunSpec,
    StudentSpec,
    TeacherSpec,
)
from tandem.train.demo.small_qwen import build

ROUNDS, EPOCHS = 5, 3
UNET_SIZE, UNET_IMAGES = 128, 32
LSTM_SIZE, CLIPS, FRAMES = 64, 32, 6


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        build(folder / "teacher", depth=2, hidden=320, heads=4, window_size=112)
        write_scenes(folder / "scenes", UNET_IMAGES, 0, seed=1, size=UNET_SIZE, val=4)
        _write_clips(folder / "clips")
        return [
            _ratio(folder, "UNet-small", _unet(folder), 0.90),
            _ratio(folder, "LSTM-small", _lstm(folder), 0.95),
        ]


def _ratio(folder: Path, what: str, spec: RunSpec, least: float) -> Row:
    def place(name: str) -> RunSpec:
        return changed(spec, run={"output_dir": folder / "runs" / f"{what}-{name}"})

    run(place("warm"))
    ratios = []
    for turn in range(ROUNDS):
        plain = place(f"plain-{turn}").model_copy(update={"mode": "direct", "teacher": None})
        order = [place(f"taught-{turn}"), plain]
        rates = [run(one).images_per_second() for one in (order if turn % 2 else order[::-1])]
        taught, alone = rates if turn % 2 else rates[::-1]
        ratios.append(taught / alone)
    ratio = statistics.median(ratios)
    return Row(
        f"{what} with warm signals over without, images/s",
        f"{ratio:.3f}",
        f"≥ {least:.2f}",
        ratio >= least,
        f"{spec.data.image_size} px, batch {spec.optim.batch_size}; median of {ROUNDS} rounds in "
        f"turn ({' '.join(f'{one:.3f}' for one in ratios)})",
    )


def _unet(folder: Path) -> RunSpec:
    return _spec(folder, "scenes", StudentSpec(type="unet", size="unet-small"), UNET_SIZE)


def _lstm(folder: Path) -> RunSpec:
    student = StudentSpec(type="lstm", size="lstm-small", frames=FRAMES)
    return _spec(folder, "clips", student, LSTM_SIZE)


def _spec(folder: Path, data: str, student: StudentSpec, size: int) -> RunSpec:
    return RunSpec(
        task_id="bench",
        data=DataSpec(dataset=str(folder / data), image_size=size),
        teacher=TeacherSpec(path=str(folder / "teacher"), image_size=112, precision="fp32"),
        student=student,
        optim=OptimSpec(epochs=EPOCHS, batch_size=8, learning_rate=1e-4),
        cache=CacheSpec(root=folder / "cache"),
        run=ExecutionSpec(
            output_dir=folder / "runs", devices="cpu", precision="fp32", save_checkpoints=False
        ),
        report=ReportSpec(tensorboard=False),
    )


def _write_clips(folder: Path) -> None:
    random = np.random.default_rng(3)
    for split, count in (("train", CLIPS), ("val", 4)):
        for label in ("a", "b"):
            for clip in range(count // 2):
                below = folder / split / label / f"{clip:03d}"
                below.mkdir(parents=True)
                for frame in range(FRAMES + 2):
                    noise = random.integers(0, 255, (LSTM_SIZE, LSTM_SIZE, 3), dtype=np.uint8)
                    Image.fromarray(noise).save(below / f"{frame:03d}.jpg")
