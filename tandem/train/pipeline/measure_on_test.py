"""The last judgement: finished models on the test split, which nothing was chosen on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tandem.spec.i18n import t
from tandem.train.engines.base import Engine, ResolvedRun, TrainedStudent
from tandem.train.engines.stop import EvaluationStoppedError, StoppedEarlyError
from tandem.train.kinds.base import EvalResult


@dataclass(frozen=True)
class OnTest:
    """What student and baseline are worth there."""

    student: EvalResult
    baseline: EvalResult | None


def measure_on_test(
    run: ResolvedRun, engine: Engine, trained: TrainedStudent, baseline: TrainedStudent | None
) -> OnTest | None:
    """Both with their best weights, once; None where the data set has no test split.

    Every process takes part. StoppedEarlyError after a request to stop: all steps are saved.
    """
    if run.splits.test is None:
        return None
    run.reporter.notice(
        t(
            "Measuring on the test split, which nothing was chosen on: {count} samples.",
            count=len(run.splits.test),
        )
    )
    splits = run.splits.measured_on_test()

    def measured(model: TrainedStudent) -> EvalResult:
        here = replace(run, splits=splits, thresholds=model.evaluation.thresholds)
        return engine.evaluate(here, model.student.to(run.device_context.device))

    try:
        return OnTest(measured(trained), None if baseline is None else measured(baseline))
    except EvaluationStoppedError:
        raise StoppedEarlyError(
            "Stopped on request while measuring on the test split; nothing learnt is lost.",
            fix="Start again with the same arguments to go on.",
        ) from None
