"""The end of a run: the student measured and saved, the report written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch

from tandem.spec.i18n import t
from tandem.spec.report import (
    BaselineReport,
    DataReport,
    Measured,
    RunReport,
    StudentReport,
    TeacherReport,
)
from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate.learn import TrainedStudent, parameters
from tandem.train.engines.accelerate.prepare_teacher import PreparedTeacher
from tandem.train.engines.accelerate.trainer import EventReporter
from tandem.train.engines.device import DeviceContext
from tandem.train.engines.run_folder import RunFolder
from tandem.train.export import final_model
from tandem.train.kinds import metrics
from tandem.train.kinds.base import EvalResult
from tandem.train.knowledge.calibrate import fit_temperature
from tandem.train.pipeline import report
from tandem.train.predictions import write as predictions
from tandem.train.predictions.serialize import ClassPredictions
from tandem.train.types import UNLABELLED, Splits


@dataclass(frozen=True)
class Outcome:
    """Everything the report is made of."""

    spec: RunSpec
    device_context: DeviceContext
    folder: RunFolder
    splits: Splits
    prepared: PreparedTeacher | None
    learned: TrainedStudent
    baseline: TrainedStudent | None
    files: Mapping[str, str] = field(default_factory=dict)
    """What else the model needs beside its weights."""

    @property
    def val_dataset(self) -> str:
        return self.spec.data.val_dataset or self.spec.data.dataset


def conclude(outcome: Outcome, reporter: EventReporter, began: float) -> None:
    """Evaluate, save `final_model/`, write `report.json`, say how it ended."""
    student = outcome.learned.student.to(outcome.device_context.device)
    measured = _measured(outcome.learned)
    speed = metrics.speed(student, outcome.device_context.device)
    measured = measured.model_copy(update={"metrics": measured.metrics | speed})
    temperature = _temperature(outcome)
    folder = _save(outcome, measured, temperature)
    _keep_answers(outcome, temperature, reporter)
    _say_evaluation(reporter, outcome, "student", measured)
    if outcome.baseline:
        _say_evaluation(reporter, outcome, "baseline", _measured(outcome.baseline))
    written = report.write(outcome.folder.path, _report(outcome, measured, began))
    for name, path in (("final_model", folder), ("report", outcome.folder.report)):
        reporter.emit("artifact", name=name, path=str(path), size_bytes=_size_bytes(path))
    verdict = written.verdict
    if verdict and verdict.sentence:
        reporter.notice(verdict.sentence)
    if verdict and verdict.warning:
        reporter.notice(verdict.warning, warning=True)
    reporter.emit("finished", seconds=time.perf_counter() - began, metrics=measured.metrics)


def _measured(learned: TrainedStudent) -> Measured:
    return _as_measured(learned.judged)


def _as_measured(judged: EvalResult) -> Measured:
    return Measured(metrics=judged.metrics, details=judged.details)


def _say_evaluation(
    reporter: EventReporter, outcome: Outcome, who: str, measured: Measured
) -> None:
    reporter.emit(
        "evaluation",
        who=who,
        dataset=outcome.val_dataset,
        samples=len(outcome.splits.val),
        metrics=measured.metrics,
        details=measured.details,
    )


def _temperature(outcome: Outcome) -> float:
    """By which the student's class scores are divided."""
    logits_NK, labels_N = outcome.learned.judged.logits_NK, outcome.splits.val.labels_N
    return 1.0 if logits_NK is None else fit_temperature(logits_NK, labels_N)


def _keep_answers(outcome: Outcome, temperature: float, reporter: EventReporter) -> None:
    """Each validation sample's answer, to be looked at; a full disk costs these, not the run."""
    judged, val = outcome.learned.judged, outcome.splits.val
    told = judged.told
    if told is None and judged.logits_NK is not None:
        told = ClassPredictions(judged.logits_NK, val, temperature)
    if told is None:
        return
    try:
        predictions.write(outcome.folder.path, outcome.spec, val, told)
    except OSError as error:
        said = t(
            "The student's answers to the validation samples are not kept: {reason}.",
            reason=error.strerror or error,
        )
        reporter.notice(said, warning=True)


def _save(outcome: Outcome, measured: Measured, temperature: float) -> Path:
    return final_model.save(
        outcome.learned.student,
        outcome.folder.final_model,
        spec=outcome.spec,
        classes=outcome.splits.val.classes,
        metrics=measured.metrics,
        card="",  # written with the report, which knows the size of what is saved here
        temperature=temperature,
        thresholds=outcome.learned.judged.thresholds,
        files=outcome.files,
        adapter=outcome.learned.adapter,
    )


def _report(outcome: Outcome, measured: Measured, began: float) -> RunReport:
    spec, learned, prepared = outcome.spec, outcome.learned, outcome.prepared
    agreement = None
    if prepared is not None and prepared.judged is not None:
        agreement = report.agreement(learned.judged.logits_NK, prepared.judged.logits_NK)
    return RunReport(
        at=datetime.now(UTC),
        device=_device(outcome.device_context),
        seconds=time.perf_counter() - began,
        teacher=_teacher(outcome) if prepared else None,
        student=StudentReport(
            type=spec.student.type,
            size=spec.student.size,
            parameters=parameters(learned.student),
            size_bytes=final_model.size_bytes(outcome.folder.final_model),
            measured=measured,
            best_epoch=learned.best_epoch,
            epochs=learned.epochs,
            seconds=learned.seconds,
        ),
        baseline=_baseline(outcome) if outcome.baseline else None,
        agreement=agreement,
        data=_data(outcome),
        spec=spec,
    )


def _teacher(outcome: Outcome) -> TeacherReport:
    prepared = outcome.prepared
    assert prepared is not None
    judged = prepared.judged
    return TeacherReport(
        name=prepared.name,
        parameters=prepared.parameters,
        fingerprint=prepared.fingerprint,
        knowledge=prepared.knowledge,
        temperature=prepared.temperature,
        measured=None if judged is None else _as_measured(judged),
        forwards=prepared.forwards,
    )


def _baseline(outcome: Outcome) -> BaselineReport:
    baseline = outcome.baseline
    assert baseline is not None
    won, lost = report.only_better(outcome.learned.judged.scores_N, baseline.judged.scores_N)
    return BaselineReport(
        measured=_measured(baseline),
        epochs=baseline.epochs,
        seconds=baseline.seconds,
        only_student_right=won,
        only_baseline_right=lost,
    )


def _data(outcome: Outcome) -> DataReport:
    splits = outcome.splits
    return DataReport(
        dataset=outcome.spec.data.dataset,
        val_dataset=outcome.val_dataset,
        classes=list(splits.val.classes),
        train_images=len(splits.train),
        labelled_images=int((splits.train.labels_N != UNLABELLED).sum()),
        val_images=len(splits.val),
        notes=list(splits.notes),
    )


def _device(device_context: DeviceContext) -> str:
    if device_context.device.type == "cuda":
        return torch.cuda.get_device_name(device_context.device)
    return "cpu"


def _size_bytes(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
