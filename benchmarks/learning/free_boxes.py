"""The same as `boxes` with the detector under a free licence, YOLOX-nano."""

from __future__ import annotations

from pathlib import Path

from benchmarks.learning.boxes import measure_size
from benchmarks.learning.compare import Effort, Line
from tandem.spec.run import StudentSpec


def measure(folder: Path, effort: Effort) -> list[Line]:
    student = StudentSpec(type="yolox", size="yolox-nano")
    return measure_size(folder, effort, "free_boxes", student)
