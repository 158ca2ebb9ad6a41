"""Our own training loop as an engine: every kind but those that bring a loop of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from accelerate import PartialState
from torch import Tensor

from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate import checks, optim
from tandem.train.engines.accelerate.ahead.pace import measure
from tandem.train.engines.accelerate.context import make_evaluator
from tandem.train.engines.accelerate.learn import learn
from tandem.train.engines.accelerate.loss_terms import Term
from tandem.train.engines.accelerate.model import dual_head
from tandem.train.engines.accelerate.prepare_teacher import (
    TeacherSetup,
    prepare,
    to_ask,
)
from tandem.train.engines.accelerate.teachers import members
from tandem.train.engines.accelerate.teachers.joint import prepare_all
from tandem.train.engines.accelerate.trainer import steps_an_epoch
from tandem.train.engines.base import Pace, PreparedTeacher, ResolvedRun, TrainedStudent
from tandem.train.engines.device import DeviceContext
from tandem.train.engines.stoppable_progress import StoppableProgress
from tandem.train.kinds.base import EvalResult, Kind, as_table_kind
from tandem.train.kinds.choose import choose
from tandem.train.types import Splits, Student


class AccelerateEngine:
    """`engines.base.Engine`: one loop over epochs of optimizer steps, in one process or several."""

    def choose_kind(self, spec: RunSpec) -> Kind:
        return choose(spec)

    def check_spec(self, spec: RunSpec, device_context: DeviceContext) -> None:  # noqa: ARG002
        checks.check_weights(spec)
        members.check(spec)

    def check_data(self, spec: RunSpec, kind: Kind, splits: Splits) -> None:
        terms = checks.check_terms(spec, splits.train, as_table_kind(kind).hard_loss)
        checks.check_kinds(terms, kind.name)
        dual_head.check(spec, kind.name, terms)

    def complete(self, spec: RunSpec, kind: Kind, splits: Splits) -> tuple[RunSpec, Splits]:
        terms = checks.check_terms(spec, splits.train, as_table_kind(kind).hard_loss)
        return dual_head.complete(spec, terms), checks.learnt_rows(splits, terms)

    def check_student(self, run: ResolvedRun, student: Student) -> None:
        terms = _terms(run)
        checks.check_layers(run.spec, student, terms)
        checks.check_batch(run.spec, run.device_context, student)

    def check_teacher(self, run: ResolvedRun) -> None:
        terms = _terms(run)
        if not any(term.asks_teacher for term in terms):
            return
        for part in members.parts(run.spec, terms):
            checks.check_teacher(replace(run, spec=part.spec), part.terms)

    def notes(self, spec: RunSpec) -> tuple[str, ...]:
        return optim.notes(spec.optim)

    def prepare_teacher(self, run: ResolvedRun, student: Student) -> PreparedTeacher | None:
        terms = _terms(run)
        if not any(term.asks_teacher for term in terms):
            return None
        setup = _teacher_setup(run)
        if members.has_several(run.spec):
            return prepare_all(setup, student, terms)
        return prepare(setup, student, terms)

    def pace(self, run: ResolvedRun, student: Student) -> Pace:
        terms = _terms(run)
        asks = any(term.asks_teacher for term in terms)
        return measure(run, student, to_ask(_teacher_setup(run), student, terms) if asks else [])

    def steps_an_epoch(self, spec: RunSpec, rows: int) -> int:
        return steps_an_epoch(rows, spec)

    def learn(
        self, run: ResolvedRun, student: Student, teacher: PreparedTeacher | None
    ) -> TrainedStudent:
        return learn(run, student, teacher)

    def evaluate(self, run: ResolvedRun, student: Student) -> EvalResult:
        return make_evaluator(run).evaluate(student, run.stop, as_served=True)

    def inputs(self, run: ResolvedRun, rows: Iterable[int], image_size: int) -> Iterator[Tensor]:
        most = run.spec.data.max_image_pixels
        for row in rows:
            row_1 = np.array([row])
            view_1 = np.zeros_like(row_1)
            yield run.splits.train.batch(run.train_views, row_1, view_1, image_size, most).inputs

    def clean_up(self, run: ResolvedRun) -> None:
        """Nothing: all that this loop writes is the run's own."""


def _teacher_setup(run: ResolvedRun) -> TeacherSetup:
    return TeacherSetup(
        spec=run.spec,
        device_context=run.device_context,
        folder=run.folder,
        splits=run.splits,
        train_views=run.train_views,
        val_views=run.val_views,
        progress=StoppableProgress(run.reporter, run.stop),
        barrier=PartialState().wait_for_everyone,
        kind=run.table_kind,
    )


def _terms(run: ResolvedRun) -> list[Term]:
    """The run's loss. It follows from spec and data alone, so nobody need hand it on."""
    return checks.check_terms(run.spec, run.splits.train, run.table_kind.hard_loss)
