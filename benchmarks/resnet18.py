"""ResNet-18 with 100 labels, taught and on labels alone: five seeds, five draws of the labels.

Both take the same optimizer steps on batches of the same size with the same augmentation and
settings, and each is judged at its own best epoch on val; the student on labels alone is evaluated
ten times as often, so choosing the best favours it. An untrained teacher must be reported as no
help.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.engine import Ran, Room, changed, room, run
from benchmarks.row import Row
from tandem.train.demo import digits
from tandem.train.demo.recipe import make_spec
from tandem.train.demo.small_qwen import build
from tandem.train.demo.summary import mean_and_deviation

SEEDS = 5
UNTRAINED: dict[str, Any] = {"depth": 2, "hidden": 96, "full_attention": (0, 1), "text_hidden": 96}


def measure(seeds: int = SEEDS) -> list[Row]:
    with room() as here:
        runs = [_run(here, seed, here.teacher, "taught") for seed in range(seeds)]
        empty = build(here.folder / "untrained", **UNTRAINED)
        untrained = _run(here, 0, empty, "untrained")
    taught = [one.accuracy for one in runs]
    alone = [one.baseline_accuracy for one in runs]
    knows = [_teacher_accuracy(one) for one in runs]
    gain = 100 * (statistics.fmean(taught) - statistics.fmean(alone))
    apart = min(taught) > max(alone)
    steps = runs[0].report.student.epochs
    verdict = untrained.report.verdict
    assert verdict is not None
    return [
        Row(
            "ResNet-18, 100 labels: taught − labels only, five seeds",
            f"{mean_and_deviation(taught)} − {mean_and_deviation(alone)} = {gain:+.1f} points",
            "≥ 5 points, beyond the spread",
            gain >= 5 and apart,
            f"val accuracy in %, mean ± standard deviation; each seed draws other labels, weights "
            f"and order. Taught {_list(taught)}; labels only {_list(alone)}; teacher "
            f"{mean_and_deviation(knows)}; {steps} epochs of all 1,297 pictures, as many steps "
            "without it",
        ),
        Row(
            "the same with an untrained teacher",
            f"{100 * untrained.accuracy:.1f} against {100 * untrained.baseline_accuracy:.1f}",
            "reported as no help",
            verdict.helped is False,
            f"the report says: {verdict.sentence} {verdict.warning or ''}".strip(),
        ),
    ]


def _run(here: Room, seed: int, teacher: Path, name: str) -> Ran:
    dataset = f"digits-{seed}"
    digits.write(here.datasets / dataset, seed=seed)
    spec = make_spec(
        here.folder / "runs" / f"{name}-{seed}",
        datasets=here.datasets,
        teacher=teacher,
        cache=here.folder / "cache",
        seed=seed,
        dataset=dataset,
    )
    return run(changed(spec, report={"tensorboard": False}))


def _teacher_accuracy(one: Ran) -> float:
    assert one.report.teacher is not None
    assert one.report.teacher.measured is not None
    return one.report.teacher.measured.metrics["accuracy"]


def _list(values: Sequence[float]) -> str:
    return " ".join(f"{100 * value:.1f}" for value in values)
