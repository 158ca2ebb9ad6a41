"""`report.json` and the model card; whether the teacher helped, said plainly."""

from __future__ import annotations

import math
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem._version import __version__
from tandem.spec.i18n import t
from tandem.spec.os_errors import writing
from tandem.spec.report import ExportReport, RunReport, Verdict
from tandem.train.export import final_model
from tandem.train.pipeline.compared import class_changes, compared
from tandem.train.pipeline.model_card import render

NAME = "report.json"
PACKAGES = ("torch", "torchvision", "transformers", "timm", "peft", "accelerate", "numpy", "pillow")
CHANCE = 0.05
Logits = NDArray[np.float32]


def write(run_dir: Path, report: RunReport) -> RunReport:
    """Judge the teacher, write report.json and the card in final_model/; the report as written."""
    # Versions that are there stay: an export, made later, is no part of how it was trained.
    update = {"verdict": verdict(report), "versions": report.versions or versions()}
    report = report.model_copy(update=update)
    model = run_dir / "final_model"
    if model.is_dir():
        final_model.write_card(model, render(report))
    # The report comes last: a run whose report is there is finished.
    hidden = run_dir / f".{NAME}.{os.getpid()}"
    try:
        with writing(run_dir / NAME):
            hidden.write_text(report.model_dump_json(indent=1), encoding="utf-8")
            hidden.replace(run_dir / NAME)
    finally:
        hidden.unlink(missing_ok=True)
    return report


def read(run_dir: Path) -> RunReport:
    """The report of a finished run; FileNotFoundError, or pydantic.ValidationError."""
    return RunReport.model_validate_json((run_dir / NAME).read_bytes())


def add_export(run_dir: Path, made: ExportReport) -> RunReport:
    """Put an export into a finished run's report and its model card; one of a format is kept."""
    found = read(run_dir)
    others = [one for one in found.exports if one.format != made.format]
    return write(run_dir, found.model_copy(update={"exports": [*others, made]}))


def agreement(one_NK: Logits | None, other_NK: Logits | None) -> float | None:
    """Share of the rows on which both choose the same class; None where rows have no one class."""
    if one_NK is None or other_NK is None:
        return None
    return float((one_NK.argmax(1) == other_NK.argmax(1)).mean())


def only_better(student_N: NDArray[np.float64], baseline_N: NDArray[np.float64]) -> tuple[int, int]:
    """Samples on which the student, and on which the baseline, scores higher.

    Of classes: those that only one of them gets right.
    """
    return int((student_N > baseline_N).sum()), int((baseline_N > student_N).sum())


def versions() -> dict[str, str]:
    """The versions of Tandem, Python and the packages that the figures depend on."""
    found = {"tandem": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def verdict(report: RunReport) -> Verdict:
    """Whether the teacher helped; beyond chance by McNemar's exact test on the same images."""
    if report.teacher is None:
        return Verdict(helped=None, sentence=None, warning=None)
    warning = _warning(report)
    if report.baseline is None:
        sentence = t(
            "Whether the teacher helped is not known: set report.baseline to train the same"
            " student without it."
        )
        return Verdict(helped=None, sentence=sentence, warning=warning)
    pair = compared(report, report.baseline)
    won, lost = pair.won, pair.lost
    by_chance = chance(won, lost) >= CHANCE
    figures = {
        "student": _three(pair.student.accuracy),
        "baseline": _three(pair.baseline.accuracy),
    }
    if won > lost and by_chance:
        sentence = t(
            "The teacher did not help clearly: {student} against {baseline} without it, which"
            " chance explains on {count} samples.",
            count=pair.count,
            **figures,
        )
    elif won > lost:
        sentence = t("The teacher helped: {student} against {baseline} without it.", **figures)
    else:
        sentence = t(
            "The teacher did not help: {student} against {baseline} without it.", **figures
        )
    helped = won > lost and not by_chance
    changes = class_changes(pair.student, pair.baseline)
    return Verdict(
        helped=helped,
        split=pair.split,
        worse=changes.worse,
        better=changes.better,
        sentence=" ".join([*pair.told, sentence, *changes.sentences()]),
        warning=warning or (changes.warning() if helped else None),
    )


def chance(won: int, lost: int) -> float:
    """Two-sided p-value of so uneven a split of the images that only one of two gets right.

    McNemar 1947, in its exact binomial form.
    """
    count, least = won + lost, min(won, lost)
    # In logarithms: a binomial coefficient of ten thousand images is no float.
    logs = (
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) - count * _LN_2
        for k in range(least + 1)
    )
    # Where both have won alike, twice the tail counts the middle twice.
    return min(1.0, 2 * sum(math.exp(one) for one in logs))


_LN_2 = math.log(2)


def _warning(report: RunReport) -> str | None:
    teacher = report.teacher.measured if report.teacher else None
    if teacher is None or teacher.accuracy is None:
        return None
    alone = report.baseline.measured.accuracy if report.baseline else None
    if alone is not None and teacher.accuracy < alone:
        return t(
            "The teacher ({teacher}) is worse than the student without it ({alone}): choose"
            " another teacher, or train without one.",
            teacher=_three(teacher.accuracy),
            alone=_three(alone),
        )
    student = report.student.measured.accuracy
    if alone is None and student is not None and teacher.accuracy < student:
        return t(
            "The teacher ({teacher}) is worse than its student ({student}): it may be holding the"
            " student back. Compare with report.baseline.",
            teacher=_three(teacher.accuracy),
            student=_three(student),
        )
    return None


def _three(ratio: float | None) -> str:
    return "?" if ratio is None else f"{ratio:.3f}"
