"""Distillation from a warm cache against the same student's supervised training, images/s.

Every picture has a label, so both take the same rows through the same loader, in the same views.
The three kinds of run take turns, three rounds; each round gives one ratio, the median counts.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

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
    TeacherSpec,
)
from tandem.train.demo.small_qwen import build

ROUNDS, EPOCHS, IMAGES = 3, 3, 384
KINDS = {"supervised": "", "logits": "logit", "dense": "hybrid"}


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        write_photos(folder / "photos", IMAGES)
        build(folder / "teacher", depth=2, hidden=320, heads=4, window_size=112)
        spec = _spec(folder)
        for kind in ("logits", "dense"):
            run(_kind(spec, kind, "warm"))
        rates = {kind: [0.0] * ROUNDS for kind in KINDS}
        for turn in range(ROUNDS):
            for kind in _rotated(turn):
                rates[kind][turn] = run(_kind(spec, kind, str(turn))).images_per_second()
    return [
        _row("logits and pooled", "logits", rates, 0.97),
        _row("dense (4 x 4 tokens of 256)", "dense", rates, 0.90),
    ]


def _row(what: str, kind: str, rates: dict[str, list[float]], least: float) -> Row:
    ratios = [one / plain for one, plain in zip(rates[kind], rates["supervised"], strict=True)]
    ratio = statistics.median(ratios)
    return Row(
        f"distillation from a warm cache over supervised, images/s: {what}",
        f"{ratio:.3f}",
        f"≥ {least:.2f}",
        ratio >= least,
        f"ResNet-18 at 128 px, batch 32, {IMAGES} JPEG files of 500 x 375; median of {ROUNDS} "
        f"rounds in turn ({' '.join(f'{one:.3f}' for one in ratios)})",
    )


def _rotated(turn: int) -> list[str]:
    kinds = list(KINDS)
    return kinds[turn % 3 :] + kinds[: turn % 3]


def _kind(spec: RunSpec, kind: str, name: str) -> RunSpec:
    run_spec = changed(spec, run={"output_dir": spec.run.output_dir / f"{kind}-{name}"})
    if kind == "supervised":
        return run_spec.model_copy(update={"mode": "direct", "teacher": None})
    return changed(run_spec, loss={"distillation_type": KINDS[kind]})


def _spec(folder: Path) -> RunSpec:
    return RunSpec(
        task_id="bench",
        data=DataSpec(root=folder, dataset="photos", image_size=128),
        teacher=TeacherSpec(path=str(folder / "teacher"), image_size=112, precision="fp32"),
        optim=OptimSpec(epochs=EPOCHS, batch_size=32),
        cache=CacheSpec(root=folder / "cache"),
        run=ExecutionSpec(
            output_dir=folder / "runs", devices="cpu", precision="fp32", save_checkpoints=False
        ),
        report=ReportSpec(tensorboard=False),
    )
