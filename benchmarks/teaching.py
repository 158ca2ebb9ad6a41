"""What a teacher gains its student, as a line of the table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.engine import Ran
from benchmarks.row import Row


def gain_row(claim: str, size: int, teacher: Ran, pairs: Sequence[Ran]) -> Row:
    """The mean gain over the seeds, which must be more than the seeds themselves make a difference.

    `size` is the pictures' side in pixels; each of `pairs` has a baseline without the teacher.
    """
    with_it = [one.accuracy for one in pairs]
    alone = [one.baseline_accuracy for one in pairs]
    spread = max(max(alone) - min(alone), max(with_it) - min(with_it))
    gain = statistics.mean(with_it) - statistics.mean(alone)
    said = " ".join(f"{one:.3f}/{other:.3f}" for one, other in zip(with_it, alone, strict=True))
    return Row(
        claim,
        f"{gain:+.3f}",
        f"> {spread:.3f}, the spread of three seeds",
        gain > spread,
        f"drawn shapes of {size} px; with/without by seed {said}; "
        f"the teacher {teacher.accuracy:.3f}",
    )
