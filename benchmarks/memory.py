"""Resident memory of a run over 20,000 small images, by epoch: flat after the first.

What is in use does not grow: by glibc's mallinfo2 it is 407 MB after the first epoch and 410 after
each later one, in as many tensors and Python objects. What grows is what the allocator keeps of
freed blocks between live ones, 24 MB after the first epoch and 51 to 60 later, as batches, the
first evaluation and the first checkpoint find their places. The best weights are copied in place:
a new copy at each better epoch had been 45 MB more.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.engine import run
from benchmarks.images import write_tiny
from benchmarks.row import Row
from tandem.spec.run import (
    CacheSpec,
    DataSpec,
    ExecutionSpec,
    LossSpec,
    OptimSpec,
    ReportSpec,
    RunSpec,
    TeacherSpec,
    ViewSpec,
)
from tandem.train.demo.small_qwen import build

IMAGES, EPOCHS = 20_000, 10
GROWTH = 1.01


def measure(images: int = IMAGES) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        write_tiny(folder / "tiny", images)
        build(folder / "teacher", depth=1, hidden=32, heads=2, text_hidden=32, text_heads=2)
        ran = run(_spec(folder))
    megabytes = [one.memory_megabytes or 0.0 for one in ran.epochs]
    ratio = max(megabytes[1:]) / megabytes[1]
    return [
        Row(
            f"memory of a run over {images:,} small images: last epoch over second",
            f"{ratio:.3f}",
            f"flat (≤ {GROWTH})",
            ratio <= GROWTH,
            f"resident MB at the end of each epoch: {' '.join(f'{one:.0f}' for one in megabytes)}; "
            "16 x 16 BMP files, distillation with a cache",
        )
    ]


def _spec(folder: Path) -> RunSpec:
    return RunSpec(
        task_id="bench",
        data=DataSpec(root=folder, dataset="tiny", image_size=16),
        teacher=TeacherSpec(
            path=str(folder / "teacher"), image_size=28, precision="fp32", batch_size=512
        ),
        loss=LossSpec(distillation_type="hybrid"),
        optim=OptimSpec(epochs=EPOCHS, batch_size=256, learning_rate=1e-3),
        views=ViewSpec(count=1),
        cache=CacheSpec(root=folder / "cache"),
        run=ExecutionSpec(
            output_dir=folder / "run", devices="cpu", precision="fp32", save_checkpoints=False
        ),
        report=ReportSpec(tensorboard=False),
    )
