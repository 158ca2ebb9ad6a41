"""What a teacher's adapters learn from, and its rows in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tandem.spec.run import RunSpec, TeacherSpec
from tandem.train.data.augment import Views
from tandem.train.data.loader import BatchPlan, batches, worker_count
from tandem.train.teachers.hf_text import HfTextTeacher
from tandem.train.teachers.hf_vision import HfVisionTeacher
from tandem.train.teachers.qwen_vl import QwenVLTeacher
from tandem.train.types import Batch, ImageTable, RowIndices, Teacher

Adaptable = QwenVLTeacher | HfVisionTeacher | HfTextTeacher


@dataclass(frozen=True)
class AdapterTask:
    """What the adapter learns from."""

    spec: RunSpec
    table: ImageTable
    views: Views
    learn_n: RowIndices
    held_out_n: RowIndices
    half: int
    """Which half of the labels it learns from, 0 or 1; the other is held out."""
    base: Adaptable
    """The teacher before it learns, opened but not loaded."""

    @property
    def teacher(self) -> TeacherSpec:
        assert self.spec.teacher is not None
        return self.spec.teacher

    def batches(self, plan: BatchPlan) -> Iterator[Batch]:
        """The batches of `plan` as the teacher is shown them: uint8, on the CPU."""
        data = self.spec.data
        yield from batches(
            self.table,
            self.views,
            plan,
            image_size=self.base.image_size,
            max_pixels=data.max_image_pixels,
            workers=worker_count(data.workers),
        )


@dataclass(frozen=True)
class AdaptedTeacher:
    """What `fit_teacher.adapt` gives."""

    teacher: Teacher
    """Its `logits_BK` are both adapters'."""
    fold_N: RowIndices
    """The adapter that has not learnt from a row; `two_adapters.BOTH` where neither has."""
    temperature: float
    accuracy: float
    """On all labelled rows, each by the adapter that has not learnt from it."""
    probe_accuracy: float
    """A probe's on the features before they were adapted, each row by its fold."""


def whole_views(rows: RowIndices, size: int) -> BatchPlan:
    """`rows` in their order, each in its first view, `size` at a time."""
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [(part, np.zeros_like(part)) for part in parts]
