"""The untrained student of a run."""

from __future__ import annotations

import random

import numpy as np
import torch

from tandem.spec.run import RunSpec
from tandem.train.engines import quantize_aware
from tandem.train.lora import student_adapter
from tandem.train.registry import find
from tandem.train.types import Student


def build_student(spec: RunSpec, num_classes: int) -> Student:
    """The student with its initial weights, drawn from the run's seed."""
    # Rank 0 in every process: they start from the same weights, and only then differ.
    seed_everything(spec.run.seed, 0)
    entry = find("students", spec.student.type)
    student: Student = entry.make(spec.student, num_classes, spec.data.image_size)
    if student_adapter.wanted(spec):
        student_adapter.attach(student, spec.lora)
    if spec.student.quantise == "int8":
        quantize_aware.attach(student)
    return student


def seed_everything(seed: int, rank: int) -> None:
    """Seed Python, NumPy and torch. Processes differ, so that their dropout masks do."""
    random.seed(seed + rank)
    np.random.seed(seed + rank)  # noqa: NPY002  a library may still draw from it
    torch.manual_seed(seed + rank)
