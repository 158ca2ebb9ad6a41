"""A whole run: data, teacher, student, training, evaluation, model and report."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from accelerate import PartialState

from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.engines import checkpoint
from tandem.train.engines.accelerate import optim
from tandem.train.engines.accelerate.evaluate import Evaluator
from tandem.train.engines.accelerate.learn import (
    TrainedStudent,
    TrainingContext,
    build_student,
    check_batch,
    learn,
    make_accelerator,
)
from tandem.train.engines.accelerate.prepare_teacher import PreparedTeacher, TeacherSetup, prepare
from tandem.train.engines.accelerate.trainer import EventReporter, steps_an_epoch
from tandem.train.engines.device import DeviceContext
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.stop import StopRequest
from tandem.train.engines.stoppable_progress import StoppableProgress
from tandem.train.kinds.base import TableKind
from tandem.train.kinds.choose import choose
from tandem.train.lora import student_adapter
from tandem.train.pipeline.checks import (
    check_cache_root,
    check_kind,
    check_student,
    check_terms,
    completed,
    equal_steps,
    learnt_rows,
)
from tandem.train.pipeline.conclude import Outcome, conclude
from tandem.train.types import ProgressReporter, Splits, Student

YOLO = "yolov8"
"""The student whose loop is Ultralytics' own."""


@dataclass(frozen=True)
class Run:
    """One execution of a spec in this process."""

    spec: RunSpec
    device_context: DeviceContext
    folder: RunFolder
    reporter: EventReporter
    stop: StopRequest


def execute(run: Run) -> None:
    """Everything, from reading the data to the report. Raises TandemError."""
    began = time.perf_counter()
    run = replace(run, spec=completed(run.spec))
    spec = run.spec
    everyone = _everyone(run.device_context)
    patient = StoppableProgress(run.reporter, run.stop)
    say_started(run)
    check_cache_root(spec)
    student_adapter.check(spec)
    if spec.student.type == YOLO:
        from tandem.train.yolo import engine  # Ultralytics is an extra

        engine.execute(run)
        return
    kind = choose(spec)
    spec = spec.model_copy(update={"kind": kind.name})
    run = replace(run, spec=spec)
    kind.check(spec)
    splits = read(run, kind, everyone, patient)
    check_kind(spec, splits)
    spec = kind.completed(_leave_lora(run, kind), splits)
    run = replace(run, spec=spec)
    terms = check_terms(spec, splits.train, kind.hard)
    train = learnt_rows(splits.train, terms)
    splits = replace(splits, train=train)
    student = build_student(spec, len(train.classes))
    check_student(spec, student, terms)
    check_batch(spec, run.device_context, student)
    _say_notes(run, splits, student)
    views = kind.views(train, spec)
    val_views = kind.views(splits.val, spec)
    prepared = None
    if any(term.asks_teacher for term in terms):
        setup = TeacherSetup(
            spec,
            run.device_context,
            run.folder,
            splits,
            views,
            val_views,
            patient,
            everyone.wait_for_everyone,
            kind,
        )
        prepared = prepare(setup, student, terms)
        say_teacher(run, kind, prepared, splits)
    context = TrainingContext(
        spec,
        run.device_context,
        make_accelerator(run.device_context, terms),
        run.folder,
        train,
        views,
        Evaluator(spec, run.device_context, splits.val, val_views, kind),
        run.reporter,
        run.stop,
    )
    learned = learn(context, student, terms, prepared)
    baseline = learn_baseline(context, learned) if spec.report.baseline and prepared else None
    if run.device_context.first:
        outcome = Outcome(
            run.spec,
            run.device_context,
            run.folder,
            splits,
            prepared,
            learned,
            baseline,
            kind.files(),
        )
        conclude(outcome, run.reporter, began)


def _leave_lora(run: Run, kind: TableKind) -> RunSpec:
    """LoRA teaches whole pictures' classes; installed systems send it with every task."""
    bare = kind.without_adapter(run.spec)
    if bare is None:
        return run.spec
    run.reporter.notice(
        t(
            "LoRA is not applied: it adapts a teacher by classes of whole pictures, and {kind} "
            "asks for more. A probe on the teacher's features gives the classes.",
            kind=kind.name,
        ),
        warning=True,
    )
    return bare


def read(run: Run, kind: TableKind, everyone: PartialState, progress: ProgressReporter) -> Splits:
    """The data set; the first process reads it first, the others then find the index."""
    with everyone.main_process_first():
        assert run.spec.cache.root is not None
        return kind.read(run.spec, Path(run.spec.cache.root) / "index", progress)


def say_started(run: Run) -> None:
    """The first event of an attempt."""
    last = checkpoint.latest(run.folder.checkpoints)
    resumed = int(last.name.split("-")[1]) if last else None
    run.reporter.emit(
        "started",
        total_epochs=run.spec.optim.epochs,
        device=str(run.device_context.device),
        processes=run.device_context.processes,
        pid=os.getpid(),
        resumed_from_epoch=resumed,
    )


def say_teacher(run: Run, kind: TableKind, prepared: PreparedTeacher, splits: Splits) -> None:
    """How good the teacher itself is on the validation set."""
    if prepared.judged is None:
        return
    run.reporter.emit(
        "evaluation",
        who="teacher",
        dataset=run.spec.data.val_dataset or run.spec.data.dataset,
        samples=len(splits.val),
        metrics=prepared.judged.metrics,
        details=prepared.judged.details,
    )
    shown = {"knowledge": prepared.knowledge, "accuracy": prepared.judged.primary_metric}
    if kind.primary_metric_name == "accuracy":
        said = t(
            "The teacher (by {knowledge}) is right on {accuracy:.1%} of the validation set.",
            **shown,
        )
    else:
        said = t(
            "The teacher (by {knowledge}) reaches {figure} {accuracy:.3f} on the validation set.",
            figure=t(kind.primary_metric_name),
            **shown,
        )
    run.reporter.notice(said)


def learn_baseline(context: TrainingContext, learned: TrainedStudent) -> TrainedStudent:
    """The same student without the teacher: same initial weights, same number of steps.

    An epoch of it is shorter where only some pictures have labels, so it has more of them.
    """
    context.reporter.notice(t("Training the same student without the teacher, to compare."))
    direct = context.spec.model_copy(update={"mode": "direct", "teacher": None})
    terms = check_terms(direct, context.table, context.evaluator.kind.hard)
    table = learnt_rows(context.table, terms)
    steps = learned.epochs * steps_an_epoch(len(context.table), context.spec)
    changes = {"epochs": equal_steps(direct, steps, len(table)), "early_stopping_epochs": 0}
    direct = direct.model_copy(update={"optim": direct.optim.model_copy(update=changes)})
    alone = replace(
        context,
        spec=direct,
        table=table,
        folder=RunFolder(context.folder.path / "baseline"),
        views=context.evaluator.kind.views(table, direct),
        reporter=BaselineReporter(context.reporter),
        accelerator=make_accelerator(context.device_context, terms),
        keeps_answers=False,
    )
    return learn(alone, build_student(direct, len(table.classes)), terms, None)


class BaselineReporter:
    """Passes on progress and warnings of a part whose events are not the run's own."""

    def __init__(self, reporter: EventReporter) -> None:
        self.reporter = reporter

    def emit(self, type: str, **fields: object) -> None:
        """Epochs and metrics of the baseline are not the student's."""

    def notice(self, message: str, warning: bool = False) -> None:
        if warning:
            self.reporter.notice(message, warning=True)

    def progress(self, doing: str, done: int, total: int) -> None:
        self.reporter.progress(t("without the teacher: {doing}", doing=doing), done, total)


class NullReporter:
    """The voice of every process but the first."""

    def emit(self, type: str, **fields: object) -> None: ...
    def notice(self, message: str, warning: bool = False) -> None: ...
    def progress(self, doing: str, done: int, total: int) -> None: ...


def _say_notes(run: Run, splits: Splits, student: Student) -> None:
    for note in (*splits.notes, *student.notes, *optim.notes(run.spec.optim)):
        run.reporter.notice(note)


def _everyone(device_context: DeviceContext) -> PartialState:
    """The processes of this run; joins them through torchrun's environment."""
    return PartialState(cpu=device_context.device.type == "cpu")
