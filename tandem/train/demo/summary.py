"""The table at the end of the demonstration, and what it does and does not show."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.table import Table

from tandem.spec.i18n import t
from tandem.spec.report import BaselineReport, RunReport, StudentReport, TeacherReport
from tandem.spec.run import TeacherSpec
from tandem.train.registry import find
from tandem.train.teachers.family import family_of


def print_summary(reports: Sequence[RunReport], runs: Sequence[Path], teacher: Path) -> None:
    """Teacher, distilled student and the same student on labels only, over all seeds."""
    first = reports[0]
    assert first.teacher is not None
    taught = [_accuracy(one.student) for one in reports]
    alone = [_accuracy(one.baseline) for one in reports]
    knows = [_accuracy(one.teacher) for one in reports]
    student = [
        _millions(first.student.parameters),
        f"{statistics.median(_latency(one) for one in reports):.1f}",
        _megabytes(first.student.size_bytes),
    ]
    table = Table(box=None, pad_edge=False, header_style="dim")
    heads = ("", "accuracy on val, %", "parameters, M", "ms an image", "on disk, MB")
    for number, head in enumerate(heads):
        side: Literal["left", "right"] = "right" if number else "left"
        table.add_column(t(head) if head else "", justify=side, no_wrap=True)
    spec = first.spec.teacher
    assert spec is not None
    table.add_row(
        t("teacher (tower, probe)"),
        mean_and_deviation(knows),
        _millions(first.teacher.parameters),
        f"{1000 * teacher_seconds(spec):.1f}",
        _megabytes((teacher / "model.safetensors").stat().st_size),
    )
    size = first.student.size
    table.add_row(t("{student}, taught", student=size), mean_and_deviation(taught), *student)
    table.add_row(t("{student}, labels only", student=size), mean_and_deviation(alone), *student)
    print()
    width = None if sys.stdout.isatty() else 120
    Console(highlight=False, width=width).print(table)
    for line in _remarks(first, taught, alone):
        print(line)
    best = max(range(len(runs)), key=lambda n: taught[n])
    print(t("The best model is in {path}", path=runs[best] / "final_model"))
    print(t("Its report is in {path}", path=runs[best] / "report.json"))


def _remarks(report: RunReport, taught: Sequence[float], alone: Sequence[float]) -> list[str]:
    gain = 100 * (statistics.fmean(taught) - statistics.fmean(alone))
    data = report.data
    return [
        "",
        t(
            "Teaching changed the accuracy by {gain:+.1f} points: {labelled} labels, "
            "{unlabelled} pictures without one, {val} to validate; mean ± standard deviation over "
            "{seeds} seeds, the same steps, batch size and augmentation for both.",
            gain=gain,
            labelled=data.labelled_images,
            unlabelled=data.train_images - data.labelled_images,
            val=data.val_images,
            seeds=len(taught),
        ),
        t(
            "This teacher has seen all {all} train labels, as pretraining has seen much that is "
            "like your pictures: the gain is what a teacher that knows carries over, not accuracy "
            "for nothing. A pretrained teacher is thousands of times larger than this one.",
            all=data.train_images,
        ),
    ]


def mean_and_deviation(values: Sequence[float]) -> str:
    """Ratios as percent: the mean, and the standard deviation where there are several."""
    mean = 100 * statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.1f}"
    return f"{mean:.1f} ± {100 * statistics.stdev(values):.1f}"


def teacher_seconds(spec: TeacherSpec, forwards: int = 20) -> float:
    """Median over forwards of one picture alone, on the CPU or the first GPU."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = find("teachers", family_of(spec)).make(spec, device)
    one_BCHW = torch.zeros(1, 3, teacher.image_size, teacher.image_size, device=device)
    taken: list[float] = []
    for _ in range(forwards + 1):
        began = time.perf_counter()
        teacher.signals(one_BCHW)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - began)
    teacher.unload()
    return statistics.median(taken[1:])  # the first one loads the weights


def _accuracy(who: TeacherReport | StudentReport | BaselineReport | None) -> float:
    """A finished demonstration has measured all three."""
    assert who is not None
    assert who.measured is not None
    assert who.measured.accuracy is not None
    return who.measured.accuracy


def _latency(report: RunReport) -> float:
    return report.student.measured.metrics["latency_milliseconds"]


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f}"
