"""Filling the cache from JPEG files, images/s, over the bare tower's best batched forward.

The bare tower gets ready float pixels and its best batch size of four; the fill decodes the
files, runs the tower, pools, projects and writes. Each of three fills is compared with the mean of
the bare passes before and after it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.images import write_photos
from benchmarks.row import Row
from tandem.spec.run import CacheSpec, DataSpec, TeacherSpec, ViewSpec
from tandem.train.cache import SourceRequest, SourceSetup, WantedSignals, open_source
from tandem.train.data import classification
from tandem.train.data.augment import Views
from tandem.train.demo.small_qwen import build
from tandem.train.registry import find
from tandem.train.types import ImageTable, SilentProgress, Teacher

IMAGES, SIZE, GRID, ROUNDS = 192, 224, 7, 3
BATCHES = (4, 8, 16, 32)
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Task:
    """What is filled."""

    table: ImageTable
    views: Views
    teacher: Teacher
    batch_size: int

    def fill(self, root: Path) -> float:
        """Seconds for all pictures into an empty cache."""
        began = time.perf_counter()
        wanted = WantedSignals(tokens=True, grid=GRID)
        open_source(
            self.teacher,
            SourceRequest(self.table, self.views, 1, wanted),
            SourceSetup(CacheSpec(root=root), CPU, self.batch_size, 10**8),
        )
        return time.perf_counter() - began

    def ready(self) -> Tensor:
        """Every picture as the tower sees it, float."""
        rows = np.arange(len(self.table))
        batch = self.table.batch(self.views, rows, np.zeros_like(rows), SIZE, 10**8)
        return batch.inputs.float().div_(255)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        task = _task(folder)
        ready_NCHW = task.ready()
        best = min(BATCHES, key=lambda size: _bare(task.teacher, ready_NCHW[:64], size))
        task = Task(task.table, task.views, task.teacher, best)
        bare, filling = [_bare(task.teacher, ready_NCHW, best)], []
        for turn in range(ROUNDS):
            filling.append(task.fill(folder / f"cache-{turn}"))
            bare.append(_bare(task.teacher, ready_NCHW, best))
        decode = _seconds(task.ready)
    around = [(one + other) / 2 for one, other in pairwise(bare)]
    ratios = [one / other for one, other in zip(around, filling, strict=True)]
    ratio = statistics.median(ratios)
    tower, fill, files = (
        1000 * seconds / IMAGES
        for seconds in (statistics.median(bare), statistics.median(filling), decode)
    )
    return [
        Row(
            "filling the cache from JPEG files over the bare tower, images/s",
            f"{ratio:.3f}",
            "≥ 0.90, tower ≥ 20 ms an image",
            ratio >= 0.90 and tower >= 20,
            f"{fill:.1f} ms an image against {tower:.1f} ms of the tower at {SIZE} px (best batch "
            f"{best}; rounds {' '.join(f'{one:.3f}' for one in ratios)}). Decoding and resizing a "
            f"500 x 375 JPEG takes {files:.1f} ms of a core while the tower computes; the rest "
            f"fits and applies the projection and writes {GRID} x {GRID} tokens of 256 in half "
            "precision",
        )
    ]


def _task(folder: Path) -> Task:
    write_photos(folder / "photos", IMAGES)
    build(folder / "teacher", depth=8, hidden=384, heads=6, window_size=112, full_attention=(3, 7))
    spec = TeacherSpec(path=str(folder / "teacher"), image_size=SIZE, precision="fp32")
    teacher: Teacher = find("teachers", "qwen_vl").make(spec, CPU)
    splits = classification.read(
        DataSpec(root=folder, dataset="photos"),
        index_root=folder / "index",
        progress=SilentProgress(),
    )
    return Task(splits.train, Views.draw(splits.train, ViewSpec(count=1)), teacher, BATCHES[0])


def _bare(teacher: Teacher, images_NCHW: Tensor, size: int) -> float:
    """Seconds for all pictures; the first call loads the weights and is not counted."""
    teacher.signals(images_NCHW[:size])
    return _seconds(lambda: [teacher.signals(batch) for batch in images_NCHW.split(size)])


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
