"""A student beside the same without its teacher: on which split, and which classes lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field, TypeAdapter

from tandem.spec.i18n import t
from tandem.spec.report import BaselineReport, ClassChange, ReportedMetrics, RunReport

LEAST_CHANGE = 0.05
"""In F1: less than that is told of no class."""
MOST_NAMED = 5


@dataclass(frozen=True)
class Comparison:
    """What a verdict is made of."""

    split: Literal["val", "test"]
    student: ReportedMetrics
    baseline: ReportedMetrics
    won: int
    """Samples that only the student gets right."""
    lost: int
    """Samples that only the baseline gets right."""
    count: int

    @property
    def told(self) -> list[str]:
        """That it is of the test split, where it is."""
        if self.split == "val":
            return []
        return [t("On the {count} samples of the test split:", count=self.count)]


def compared(report: RunReport, baseline: BaselineReport) -> Comparison:
    """On the test split where both were measured on it, else on the validation samples."""
    if report.student.test is not None and baseline.test is not None:
        return Comparison(
            "test",
            report.student.test,
            baseline.test,
            baseline.test_only_student_right,
            baseline.test_only_baseline_right,
            report.data.test_images or 0,
        )
    return Comparison(
        "val",
        report.student.measured,
        baseline.measured,
        baseline.only_student_right,
        baseline.only_baseline_right,
        report.data.val_images,
    )


class _ClassF1(BaseModel):
    name: str = Field(alias="class")
    f1: float | None = None
    support: int = 0


_ROWS = TypeAdapter(list[_ClassF1])


@dataclass(frozen=True)
class ClassChanges:
    """Macro-F1 of both, and the classes whose F1 is another by `LEAST_CHANGE` or more."""

    student: float | None
    baseline: float | None
    worse: list[ClassChange]
    better: list[ClassChange]

    def sentences(self) -> list[str]:
        """Macro-F1 where both have it, and the classes that lost."""
        told = []
        if self.student is not None and self.baseline is not None:
            figures = {"student": f"{self.student:.3f}", "baseline": f"{self.baseline:.3f}"}
            if figures["student"] != figures["baseline"]:
                told.append(t("Macro-F1: {student} against {baseline}.", **figures))
        if self.worse:
            named = ", ".join(
                f"{one.name} {one.baseline:.2f} → {one.student:.2f} ({one.support})"
                for one in self.worse[:MOST_NAMED]
            )
            more = ", …" if len(self.worse) > MOST_NAMED else ""
            told.append(
                t(
                    "{count} classes got worse with the teacher, by F1 (samples): {named}.",
                    count=len(self.worse),
                    named=named + more,
                )
            )
        return told

    def warning(self) -> str | None:
        """Where what was gained was gained on common classes, at the cost of rare ones."""
        if self.student is None or self.baseline is None or self.student >= self.baseline:
            return None
        return t(
            "More samples are right with the teacher, but macro-F1 fell from {baseline} to "
            "{student}: rare classes were lost.",
            baseline=f"{self.baseline:.3f}",
            student=f"{self.student:.3f}",
        )


def class_changes(student: ReportedMetrics, baseline: ReportedMetrics) -> ClassChanges:
    """Class by class; one without an example is left out."""
    alone = {one.name: one for one in _rows(baseline)}
    changes = [
        ClassChange(
            name=one.name,
            student=one.f1 or 0.0,
            baseline=alone[one.name].f1 or 0.0,
            support=one.support,
        )
        for one in _rows(student)
        if one.name in alone
    ]
    far = [one for one in changes if abs(one.student - one.baseline) >= LEAST_CHANGE]
    far.sort(key=lambda one: one.student - one.baseline)
    return ClassChanges(
        student.metrics.get("f1"),
        baseline.metrics.get("f1"),
        [one for one in far if one.student < one.baseline],
        [one for one in reversed(far) if one.student > one.baseline],
    )


def _rows(measured: ReportedMetrics) -> list[_ClassF1]:
    rows = _ROWS.validate_python(measured.details.get("per_class") or [])
    return [one for one in rows if one.f1 is not None]
