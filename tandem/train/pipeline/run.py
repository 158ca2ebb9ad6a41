"""A whole run: data, teacher, student, training, evaluation, model and report."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from accelerate import PartialState

from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.engines import checkpoint, optim
from tandem.train.engines.device import Place
from tandem.train.engines.evaluate import Evaluator
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.stop import StopRequest
from tandem.train.engines.stoppable_progress import Interruptible
from tandem.train.engines.trainer import Voice, steps_an_epoch
from tandem.train.kinds.base import Kind
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
from tandem.train.pipeline.learn import (
    Bench,
    Learned,
    build_student,
    check_batch,
    learn,
    make_accelerator,
)
from tandem.train.pipeline.prepare_teacher import Classroom, Lesson, prepare
from tandem.train.types import Splits, Student, Watcher

YOLO = "yolov8"
"""The student whose loop is Ultralytics' own."""


@dataclass(frozen=True)
class Run:
    """One execution of a spec in this process."""

    spec: RunSpec
    place: Place
    folder: RunFolder
    voice: Voice
    stop: StopRequest


def execute(run: Run) -> None:
    """Everything, from reading the data to the report. Raises TandemError."""
    began = time.perf_counter()
    run = replace(run, spec=completed(run.spec))
    spec = run.spec
    everyone = _everyone(run.place)
    patient = Interruptible(run.voice, run.stop)
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
    check_batch(spec, run.place, student)
    _say_notes(run, splits, student)
    views = kind.views(train, spec)
    val_views = kind.views(splits.val, spec)
    lesson = None
    if any(term.asks_teacher for term in terms):
        room = Classroom(
            spec,
            run.place,
            run.folder,
            splits,
            views,
            val_views,
            patient,
            everyone.wait_for_everyone,
            kind,
        )
        lesson = prepare(room, student, terms)
        say_teacher(run, kind, lesson, splits)
    bench = Bench(
        spec,
        run.place,
        make_accelerator(run.place, terms),
        run.folder,
        train,
        views,
        Evaluator(spec, run.place, splits.val, val_views, kind),
        run.voice,
        run.stop,
    )
    learned = learn(bench, student, terms, lesson)
    baseline = learn_baseline(bench, learned) if spec.report.baseline and lesson else None
    if run.place.first:
        outcome = Outcome(
            run.spec, run.place, run.folder, splits, lesson, learned, baseline, kind.files()
        )
        conclude(outcome, run.voice, began)


def _leave_lora(run: Run, kind: Kind) -> RunSpec:
    """LoRA teaches whole pictures' classes; installed systems send it with every task."""
    bare = kind.without_adapter(run.spec)
    if bare is None:
        return run.spec
    run.voice.notice(
        t(
            "LoRA is not applied: it adapts a teacher by classes of whole pictures, and {kind} "
            "asks for more. A probe on the teacher's features gives the classes.",
            kind=kind.name,
        ),
        warning=True,
    )
    return bare


def read(run: Run, kind: Kind, everyone: PartialState, watcher: Watcher) -> Splits:
    """The data set; the first process reads it first, the others then find the index."""
    with everyone.main_process_first():
        assert run.spec.cache.root is not None
        return kind.read(run.spec, Path(run.spec.cache.root) / "index", watcher)


def say_started(run: Run) -> None:
    """The first event of an attempt."""
    last = checkpoint.latest(run.folder.checkpoints)
    resumed = int(last.name.split("-")[1]) if last else None
    run.voice.say(
        "started",
        total_epochs=run.spec.optim.epochs,
        device=str(run.place.device),
        processes=run.place.processes,
        pid=os.getpid(),
        resumed_from_epoch=resumed,
    )


def say_teacher(run: Run, kind: Kind, lesson: Lesson, splits: Splits) -> None:
    """How good the teacher itself is on the validation set."""
    if lesson.judged is None:
        return
    run.voice.say(
        "evaluation",
        who="teacher",
        dataset=run.spec.data.val_dataset or run.spec.data.dataset,
        samples=len(splits.val),
        metrics=lesson.judged.metrics,
        details=lesson.judged.details,
    )
    shown = {"knowledge": lesson.knowledge, "accuracy": lesson.judged.figure}
    if kind.figure_name == "accuracy":
        said = t(
            "The teacher (by {knowledge}) is right on {accuracy:.1%} of the validation set.",
            **shown,
        )
    else:
        said = t(
            "The teacher (by {knowledge}) reaches {figure} {accuracy:.3f} on the validation set.",
            figure=t(kind.figure_name),
            **shown,
        )
    run.voice.notice(said)


def learn_baseline(bench: Bench, learned: Learned) -> Learned:
    """The same student without the teacher: same initial weights, same number of steps.

    An epoch of it is shorter where only some pictures have labels, so it has more of them.
    """
    bench.voice.notice(t("Training the same student without the teacher, to compare."))
    direct = bench.spec.model_copy(update={"mode": "direct", "teacher": None})
    terms = check_terms(direct, bench.table, bench.evaluator.kind.hard)
    table = learnt_rows(bench.table, terms)
    steps = learned.epochs * steps_an_epoch(len(bench.table), bench.spec)
    changes = {"epochs": equal_steps(direct, steps, len(table)), "early_stopping_epochs": 0}
    direct = direct.model_copy(update={"optim": direct.optim.model_copy(update=changes)})
    alone = replace(
        bench,
        spec=direct,
        table=table,
        folder=RunFolder(bench.folder.path / "baseline"),
        views=bench.evaluator.kind.views(table, direct),
        voice=Aside(bench.voice),
        accelerator=make_accelerator(bench.place, terms),
        keeps_answers=False,
    )
    return learn(alone, build_student(direct, len(table.classes)), terms, None)


class Aside:
    """Passes on progress and warnings of a part whose events are not the run's own."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice

    def say(self, type: str, **fields: object) -> None:
        """Epochs and metrics of the baseline are not the student's."""

    def notice(self, message: str, warning: bool = False) -> None:
        if warning:
            self.voice.notice(message, warning=True)

    def progress(self, doing: str, done: int, total: int) -> None:
        self.voice.progress(t("without the teacher: {doing}", doing=doing), done, total)


class Mute:
    """The voice of every process but the first."""

    def say(self, type: str, **fields: object) -> None: ...
    def notice(self, message: str, warning: bool = False) -> None: ...
    def progress(self, doing: str, done: int, total: int) -> None: ...


def _say_notes(run: Run, splits: Splits, student: Student) -> None:
    for note in (*splits.notes, *student.notes, *optim.notes(run.spec.optim)):
        run.voice.notice(note)


def _everyone(place: Place) -> PartialState:
    """The processes of this run; joins them through torchrun's environment."""
    return PartialState(cpu=place.device.type == "cpu")
