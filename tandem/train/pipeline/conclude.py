"""The end of a run: the student measured and saved, the report written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import torch

from tandem.spec.i18n import t
from tandem.spec.os_errors import is_disk_full
from tandem.spec.report import (
    BaselineReport,
    DataReport,
    ReportedMetrics,
    RunReport,
    StudentReport,
    TeacherMemberReport,
    TeacherReport,
    ViewsReport,
)
from tandem.train.engines.base import (
    PreparedTeacher,
    ResolvedRun,
    TrainedStudent,
    parameter_count,
)
from tandem.train.engines.device import DeviceContext
from tandem.train.export import final_model
from tandem.train.kinds import metrics
from tandem.train.kinds.base import TableKind
from tandem.train.pipeline import report
from tandem.train.pipeline.measure_on_test import OnTest
from tandem.train.pipeline.model_card import plain
from tandem.train.pipeline.reported import (
    FinishedStudent,
    kind_note,
    reported,
    sentence_of_test,
    with_speed,
)
from tandem.train.predictions import write as predictions
from tandem.train.predictions.serialize import ClassPredictions
from tandem.train.types import UNLABELLED


@dataclass(frozen=True)
class Outcome:
    """Everything the report is made of."""

    run: ResolvedRun
    teacher: PreparedTeacher | None
    trained: TrainedStudent
    baseline: TrainedStudent | None
    tested: OnTest | None

    @cached_property
    def student(self) -> FinishedStudent:
        """The student, measured."""
        tested = None if self.tested is None else self.tested.student
        return FinishedStudent(self.run, self.trained, tested)

    @cached_property
    def alone(self) -> FinishedStudent | None:
        """The baseline, measured."""
        if self.baseline is None:
            return None
        tested = None if self.tested is None else self.tested.baseline
        return FinishedStudent(self.run, self.baseline, tested)

    @property
    def val_dataset(self) -> str:
        return self.run.spec.data.val_dataset or self.run.spec.data.dataset


def conclude(outcome: Outcome, began: float) -> None:
    """Save `final_model/`, write `report.json`, say how it ended."""
    run, reporter = outcome.run, outcome.run.reporter
    student = outcome.trained.student.to(run.device_context.device)
    finished, baseline = outcome.student, outcome.alone
    measured = with_speed(finished, metrics.speed(student, run.device_context.device))
    temperature = finished.temperature
    folder = _save(outcome, outcome.trained, run.folder.final_model, measured, temperature)
    # After the model: should the disk fill up here, these go missing and nothing else.
    _keep_predictions(outcome, temperature)
    _report_evaluation(outcome, "student", measured)
    if baseline:
        _report_evaluation(outcome, "baseline", baseline.on_val)
        _save_baseline(outcome, baseline)
    if finished.on_test is not None:
        reporter.notice(sentence_of_test(finished.on_test, run.kind.primary_metric_name))
    # Last: a run whose report is there is finished, and is not begun again.
    written = report.write(run.folder.path, _report(outcome, measured, baseline, began))
    made = {"final_model": folder, "report": run.folder.report}
    if baseline:
        made["baseline_model"] = run.folder.baseline_model
    for name, path in made.items():
        reporter.emit("artifact", name=name, path=str(path), size_bytes=_size_bytes(path))
    verdict = written.verdict
    if verdict and verdict.sentence:
        reporter.notice(verdict.sentence)
    if verdict and verdict.warning:
        reporter.notice(verdict.warning, warning=True)
    # Behind the report: who hears it finds model and report on the disk.
    reporter.emit("finished", seconds=time.perf_counter() - began, metrics=measured.metrics)


def _report_evaluation(outcome: Outcome, who: str, measured: ReportedMetrics) -> None:
    outcome.run.reporter.emit(
        "evaluation",
        who=who,
        dataset=outcome.val_dataset,
        samples=len(outcome.run.splits.val),
        metrics=measured.metrics,
        details=measured.details | {"intervals": measured.intervals},
    )


def _keep_predictions(outcome: Outcome, temperature: float) -> None:
    """Each validation sample's answer, to be looked at; a full disk costs these, not the run."""
    evaluation, val = outcome.trained.evaluation, outcome.run.splits.val
    answers = evaluation.predictions
    if answers is None and evaluation.logits_NK is not None:
        answers = ClassPredictions(evaluation.logits_NK, val, temperature)
    if answers is None:
        return
    try:
        predictions.write(outcome.run.folder.path, outcome.run.spec, val, answers)
    except OSError as error:
        reason = t("the disk is full") if is_disk_full(error) else error.strerror or str(error)
        sentence = t(
            "The student's answers to the validation samples are not kept: {reason}.",
            reason=reason,
        )
        outcome.run.reporter.notice(sentence, warning=True)


def _save(
    outcome: Outcome,
    trained: TrainedStudent,
    folder: Path,
    measured: ReportedMetrics,
    temperature: float,
    card: str = "",
) -> Path:
    """Without a card: the report writes final_model's, as it knows the size of what is saved."""
    return final_model.save(
        trained.student,
        folder,
        spec=outcome.run.spec,
        classes=outcome.run.splits.val.classes,
        metrics=measured.metrics,
        card=card,
        temperature=temperature,
        thresholds=trained.evaluation.thresholds,
        files=outcome.run.kind.files() | final_model.ranges_file(outcome.trained.input_ranges),
        adapter=trained.adapter,
    )


def _save_baseline(outcome: Outcome, baseline: FinishedStudent) -> None:
    """Keep the baseline as a model that predicts as the student does, to be measured elsewhere."""
    run = outcome.run
    card = t(
        "The student of {task} taught by the labels alone, to compare final_model with.",
        task=plain(run.spec.task_id),
    )
    folder, figures = run.folder.baseline_model, baseline.on_val
    _save(outcome, baseline.trained, folder, figures, baseline.temperature, card + "\n")
    run.reporter.notice(
        t(
            "The student without the teacher is kept in {folder} ({megabytes:.1f} MB).",
            folder=folder.name,
            megabytes=_size_bytes(folder) / 1e6,
        )
    )


def _report(
    outcome: Outcome, measured: ReportedMetrics, baseline: FinishedStudent | None, began: float
) -> RunReport:
    return RunReport(
        at=datetime.now(UTC),
        device=_device(outcome.run.device_context),
        seconds=time.perf_counter() - began,
        teacher=None if outcome.teacher is None else _teacher(outcome.teacher),
        student=_student(outcome, measured),
        baseline=None if baseline is None else _baseline(outcome, baseline),
        agreement=_agreement(outcome),
        data=_data(outcome),
        spec=outcome.run.spec,
    )


def _student(outcome: Outcome, measured: ReportedMetrics) -> StudentReport:
    spec, trained, teacher = outcome.run.spec, outcome.trained, outcome.teacher
    selection = trained.evaluation.selection
    any_view = teacher is not None and teacher.any_view
    return StudentReport(
        type=spec.student.type,
        size=spec.student.size,
        parameters=parameter_count(trained.student),
        size_bytes=final_model.size_bytes(outcome.run.folder.final_model),
        measured=measured,
        best_epoch=trained.best_epoch,
        best_epoch_by=outcome.run.kind.primary_metric_name if selection is None else selection[0],
        epochs=trained.epochs,
        seconds=trained.seconds,
        overfits_from=trained.overfits_from,
        views=_views(outcome.run, fresh=outcome.run.fresh_views or any_view),
        test=outcome.student.on_test,
    )


def _agreement(outcome: Outcome) -> float | None:
    """How often student and teacher choose the same class; None where one of them chooses none."""
    if outcome.teacher is None or outcome.teacher.evaluation is None:
        return None
    taught_NK = outcome.trained.evaluation.logits_NK
    return report.agreement(taught_NK, outcome.teacher.evaluation.logits_NK)


def _teacher(teacher: PreparedTeacher) -> TeacherReport:
    return TeacherReport(
        name=teacher.name,
        parameters=teacher.parameters,
        fingerprint=teacher.fingerprint,
        knowledge=teacher.knowledge,
        temperature=teacher.temperature,
        measured=None if teacher.evaluation is None else reported(teacher.evaluation),
        forwards=teacher.forwards,
        check=teacher.check,
        members=[
            TeacherMemberReport(
                name=one.name,
                weight=one.weight,
                gives_features=one.gives_features,
                knowledge=one.knowledge,
                fingerprint=one.fingerprint,
                measured=None if one.evaluation is None else reported(one.evaluation),
                check=one.check,
            )
            for one in teacher.members
        ],
    )


def _views(run: ResolvedRun, *, fresh: bool) -> ViewsReport | None:
    """What a student of this run was shown; None where a row has one view alone."""
    if isinstance(run.kind, TableKind) and run.train_views.count == 1:
        return None
    return ViewsReport(fresh=fresh, count=run.spec.views.count)


def _baseline(outcome: Outcome, baseline: FinishedStudent) -> BaselineReport:
    """Calibrated by a temperature of its own, as it would be served."""
    trained, tested = baseline.trained, outcome.tested
    scores_N = outcome.trained.evaluation.scores_N
    won, lost = report.only_better(scores_N, trained.evaluation.scores_N)
    test_won = test_lost = 0
    if tested is not None and tested.baseline is not None:
        test_won, test_lost = report.only_better(tested.student.scores_N, tested.baseline.scores_N)
    return BaselineReport(
        measured=baseline.on_val,
        test=baseline.on_test,
        test_only_student_right=test_won,
        test_only_baseline_right=test_lost,
        epochs=trained.epochs,
        seconds=trained.seconds,
        only_student_right=won,
        only_baseline_right=lost,
        # Direct: it reads no cache, so that nothing holds it to the views that one keeps.
        views=_views(outcome.run, fresh=True),
        model=outcome.run.folder.baseline_model.name,
        size_bytes=final_model.size_bytes(outcome.run.folder.baseline_model),
    )


def _data(outcome: Outcome) -> DataReport:
    splits = outcome.run.splits
    return DataReport(
        dataset=outcome.run.spec.data.dataset,
        val_dataset=outcome.val_dataset,
        classes=list(splits.val.classes),
        train_images=len(splits.train),
        labelled_images=int((splits.train.labels_N != UNLABELLED).sum()),
        val_images=len(splits.val),
        test_images=None if splits.test is None else len(splits.test),
        notes=[*splits.notes, *([kind_note()] if splits.test is None else [])],
    )


def _device(device_context: DeviceContext) -> str:
    if device_context.device.type == "cuda":
        return torch.cuda.get_device_name(device_context.device)
    return "cpu"


def _size_bytes(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
