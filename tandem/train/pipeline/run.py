"""A whole run: data, teacher, student, training, evaluation, model and report."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from accelerate import PartialState

from tandem.spec.i18n import t
from tandem.train.engines import checkpoint
from tandem.train.engines.base import Engine, PreparedTeacher, ResolvedRun, TrainedStudent
from tandem.train.engines.build_student import build_student
from tandem.train.engines.context import Run
from tandem.train.engines.registry import find_engine
from tandem.train.engines.stoppable_progress import StoppableProgress
from tandem.train.kinds.base import Kind
from tandem.train.pipeline.checks import check_data, check_models, check_spec
from tandem.train.pipeline.conclude import Outcome, conclude
from tandem.train.pipeline.measure_on_test import measure_on_test
from tandem.train.pipeline.part import limited, shown_notes, weights_note
from tandem.train.pipeline.resolve import baseline_of, resolve, with_defaults
from tandem.train.pipeline.resume import compare_data, forget_stale_record, report_settings
from tandem.train.pipeline.temperature import temperature_note
from tandem.train.types import Splits, Student

PATIENCE = timedelta(hours=24)
"""How long a process waits for the others: one may index the data, adapt the teacher or wait for
another run's cache meanwhile. The default, ten minutes, would end the run. One that has died is
noticed all the same: its connection breaks, and torchrun ends the rest."""


def execute(asked: Run) -> None:
    """Everything, from reading the data to the report. Raises TandemError."""
    began = time.perf_counter()
    # Joins the processes of this run through torchrun's environment, before any of them waits.
    PartialState(cpu=asked.device_context.device.type == "cpu", timeout=PATIENCE)
    run = replace(asked, spec=with_defaults(asked.spec))
    report_started(run)  # before anything that may be refused: whoever watches sees the attempt
    report_settings(run)
    engine = find_engine(run.spec.student.type)
    kind = engine.choose_kind(run.spec)
    check_spec(run, engine, kind)
    forget_stale_record(run)
    splits = read(run, kind)
    compare_data(run, kind, splits)
    check_data(run, engine, kind, splits)
    resolved = resolve(run, engine, kind, splits)
    student = build_student(resolved.spec, len(splits.train.classes))
    check_models(resolved, engine, student)
    report_notes(run, resolved, engine, student)
    teacher = engine.prepare_teacher(resolved, student)
    report_teacher(resolved, teacher)
    trained = engine.learn(resolved, student, teacher)
    baseline = learn_baseline(resolved, engine, trained, teacher)
    tested = measure_on_test(resolved, engine, trained, baseline)
    if run.device_context.first:
        conclude(Outcome(resolved, teacher, trained, baseline, tested), began)
    # Last: where a run has failed, what its loop has left can be looked at.
    engine.clean_up(resolved)


def read(run: Run, kind: Kind) -> Splits:
    """The data set; the first process reads it first, the others then find the index."""
    progress = StoppableProgress(run.reporter, run.stop)
    with PartialState().main_process_first():
        assert run.spec.cache.root is not None
        return limited(kind.read(run.spec, Path(run.spec.cache.root) / "index", progress), run.spec)


def learn_baseline(
    run: ResolvedRun, engine: Engine, trained: TrainedStudent, teacher: PreparedTeacher | None
) -> TrainedStudent | None:
    """The same student without the teacher, to compare; None where that was not asked for."""
    if teacher is None or not run.spec.report.baseline:
        return None
    run.reporter.notice(t("Training the same student without the teacher, to compare."))
    alone = baseline_of(run, trained.epochs)
    # Drawn from the same seed: the two start from the same weights, and only the teacher differs.
    student = build_student(alone.spec, len(alone.splits.train.classes))
    return engine.learn(alone, student, None)


def report_started(run: Run) -> None:
    """The first event of an attempt."""
    last = checkpoint.latest(run.folder.checkpoints)
    # Its name says it. The checkpoint is read later, when there is a model to fill.
    resumed = int(last.name.split("-")[1]) if last else None
    run.reporter.emit(
        "started",
        total_epochs=run.spec.optim.epochs,
        device=str(run.device_context.device),
        processes=run.device_context.processes,
        pid=os.getpid(),
        resumed_from_epoch=resumed,
    )


def report_notes(asked: Run, run: ResolvedRun, engine: Engine, student: Student) -> None:
    """What was decided for the person who asked, and what they should know of their choices."""
    if run.spec.lora.rank != asked.spec.lora.rank:
        run.reporter.notice(
            t(
                "LoRA is not applied: it adapts a teacher by classes of whole pictures, and {kind} "
                "asks for more. A probe on the teacher's features gives the classes.",
                kind=run.kind.name,
            ),
            warning=True,
        )
    shown = shown_notes(run.spec)
    for note in (*run.splits.notes, *student.notes, *engine.notes(run.spec), *shown):
        run.reporter.notice(note)
    if temperature := temperature_note(asked.spec, run.spec, run.splits):
        run.reporter.notice(temperature)
    if weights := weights_note(run.spec, run.splits.train.classes):
        run.reporter.notice(weights)


def report_teacher(run: ResolvedRun, teacher: PreparedTeacher | None) -> None:
    """How good the teacher itself is on the validation set, where it gives class scores."""
    if teacher is None or teacher.evaluation is None:
        return
    run.reporter.emit(
        "evaluation",
        who="teacher",
        dataset=run.spec.data.val_dataset or run.spec.data.dataset,
        samples=len(run.splits.val),
        metrics=teacher.evaluation.metrics,
        details=teacher.evaluation.details,
    )
    score = {"knowledge": teacher.knowledge, "accuracy": teacher.evaluation.primary_metric}
    if run.kind.primary_metric_name == "accuracy":
        sentence = t(
            "The teacher (by {knowledge}) is right on {accuracy:.1%} of the validation set.",
            **score,
        )
    else:
        sentence = t(
            "The teacher (by {knowledge}) reaches {figure} {accuracy:.3f} on the validation set.",
            figure=t(run.kind.primary_metric_name),
            **score,
        )
    run.reporter.notice(sentence)
