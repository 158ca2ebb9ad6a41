"""Evaluations as the report has them: calibrated as they are served, each with how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tandem.spec.i18n import t
from tandem.spec.report import ReportedMetrics
from tandem.train.engines.base import ResolvedRun, TrainedStudent
from tandem.train.kinds.base import EvalResult
from tandem.train.kinds.calibrated import as_served, served_temperature


def reported(evaluation: EvalResult) -> ReportedMetrics:
    """The evaluation as it is, with its intervals."""
    return ReportedMetrics(
        metrics=evaluation.metrics,
        intervals=evaluation.intervals(),
        details=evaluation.details,
    )


@dataclass(frozen=True)
class FinishedStudent:
    """A student with its best weights, measured where the run is measured; each figure made once.

    `tested` is its evaluation on the test split, None where there is none.
    """

    run: ResolvedRun
    trained: TrainedStudent
    tested: EvalResult | None

    @cached_property
    def temperature(self) -> float:
        """What its class scores are divided by in use: it moves no class above another."""
        return served_temperature(self.trained.evaluation, self.run.splits.val.labels_N)

    @cached_property
    def on_val(self) -> ReportedMetrics:
        """On the samples that its temperature was fitted on: cross-fitted too."""
        labels_N = self.run.splits.val.labels_N
        evaluation = self.trained.evaluation
        return reported(as_served(evaluation, labels_N, self.temperature, fitted_here=True))

    @cached_property
    def on_test(self) -> ReportedMetrics | None:
        """On the samples that nothing was chosen on; None where the data set has none."""
        test = self.run.splits.test
        if self.tested is None or test is None:
            return None
        served = as_served(self.tested, test.labels_N, self.temperature, fitted_here=False)
        return reported(served)


def with_speed(student: FinishedStudent, speed: dict[str, float]) -> ReportedMetrics:
    """Its figures on val, and how quick it is."""
    measured = student.on_val
    return measured.model_copy(update={"metrics": measured.metrics | speed})


def sentence_of_test(measured: ReportedMetrics, name: str) -> str:
    """What a student is worth on the test split, by its kind's figure `name`."""
    low, high = measured.intervals.get(name, (0.0, 1.0))
    return t(
        "On the test split: {figure} {value:.4f} (95 of 100 such sets: {low:.4f} to {high:.4f}).",
        figure=t(name),
        value=measured.metrics.get(name, 0.0),
        low=low,
        high=high,
    )


def kind_note() -> str:
    """What a reader must know of validation figures where there is no test split."""
    return t(
        "There is no test split: the validation samples chose the best epoch, when to stop and the "
        "temperature or the thresholds, so their figures are a little kind."
    )
