"""The teacher's part of a run: opened, adapted, asked once, and judged on the validation set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from accelerate import PartialState

from tandem.spec.errors import TeacherError
from tandem.spec.i18n import t
from tandem.spec.report import TeacherCheck
from tandem.spec.run import RunSpec, TeacherSpec
from tandem.train.cache.request import SourceRequest, SourceSetup, WantedSignals
from tandem.train.cache.teacher_calls import TeacherCalls
from tandem.train.data.augment import Views
from tandem.train.engines.accelerate import layer_pairs
from tandem.train.engines.accelerate.checks import check_gives, knowledge_source
from tandem.train.engines.accelerate.loss_terms import Term, needs
from tandem.train.engines.base import PreparedTeacher
from tandem.train.engines.device import DeviceContext
from tandem.train.engines.run_folder import RunFolder
from tandem.train.kinds import teacher_views
from tandem.train.kinds.base import EvalResult, TableKind, evaluate_teacher
from tandem.train.kinds.teacher_views import TeacherViews
from tandem.train.knowledge.base import Knowledge
from tandem.train.knowledge.calibrate import fit_temperature
from tandem.train.knowledge.label_scoring import LabelScoring
from tandem.train.knowledge.own import OwnLogits
from tandem.train.knowledge.teacher_check import check_teacher_scores
from tandem.train.registry import find
from tandem.train.teachers.family import family_of
from tandem.train.types import (
    UNLABELLED,
    Batch,
    ImageTable,
    ProgressReporter,
    RowIndices,
    Signals,
    SignalSource,
    Splits,
    Student,
    Teacher,
    TeacherSource,
)

if TYPE_CHECKING:
    from tandem.train.lora.adapter_task import AdaptedTeacher

VAL_CHUNK = 512


@dataclass(frozen=True)
class TeacherSetup:
    """What a teacher is prepared with."""

    spec: RunSpec
    device_context: DeviceContext
    folder: RunFolder
    splits: Splits
    train_views: Views
    val_views: Views
    progress: ProgressReporter
    barrier: Callable[[], None]
    kind: TableKind

    @property
    def teacher_spec(self) -> TeacherSpec:
        assert self.spec.teacher is not None
        return self.spec.teacher


class TaughtSource:
    """The cache's signals with the class scores that `knowledge` makes of them."""

    def __init__(
        self, source: SignalSource, kind: TableKind, knowledge: Knowledge, fold_N: RowIndices | None
    ) -> None:
        self.source, self.kind, self.knowledge, self.fold_N = source, kind, knowledge, fold_N

    def signals(self, index_B: RowIndices, view_B: RowIndices) -> Signals:
        """`SignalSource.signals`, with the class scores set."""
        signals = self.source.signals(index_B, view_B)
        folds_B = None if self.fold_N is None else self.fold_N[index_B]
        return self.kind.add_class_scores(signals, self.knowledge, folds_B)


@dataclass(frozen=True)
class AskedTeacher:
    """A teacher that has been asked all that a run wants of it."""

    prepared: PreparedTeacher
    val: SignalSource
    """What it says of the validation rows, with class scores where it gives any."""


def prepare(setup: TeacherSetup, student: Student, terms: list[Term]) -> PreparedTeacher:
    """The only teacher of a run, ready to be learnt from."""
    return ask(setup, student, terms).prepared


def ask(setup: TeacherSetup, student: Student, terms: list[Term]) -> AskedTeacher:
    """Open the teacher, fill what is missing of its cache, and fit its class knowledge."""
    origin = knowledge_source(setup.spec, setup.splits)
    if layer_pairs.must_fit(setup.spec, terms):
        # Before adapters are trained and pictures shown: that may be hours.
        layer_pairs.check_fit(setup.spec, student, terms, _bare(setup))
    teacher, adapted = _open(setup, origin)
    if adapted is None and origin == "lora":
        origin = "probe"
    if setup.teacher_spec.knowledge in ("auto", "own"):
        origin = _own_or(origin, setup, teacher)
    check_gives(teacher.gives, terms, origin)
    views = teacher_views.choose(setup.spec, setup.kind, teacher)
    if said := views.said(setup.train_views.count):
        setup.progress.notice(said)
    wanted = views.wanted(_wanted_signals(setup, student, terms, teacher))
    teacher.layers = wanted.layers
    train = _open_train(setup, teacher, wanted, views)
    val = _open_val(setup, teacher, _measured_on(setup, wanted, origin), views)
    knowledge, fold_N = _knowledge(setup, origin, teacher, train, adapted)
    taught = train if knowledge is None else TaughtSource(train, setup.kind, knowledge, fold_N)
    prepared = PreparedTeacher(
        source=taught,
        tokens_width=train.tokens_width if wanted.tokens else None,
        layer_widths=train.layer_widths if wanted.layers else (),
        knowledge=origin,
        temperature=None if knowledge is None else knowledge.temperature,
        evaluation=None if knowledge is None else _evaluated(setup, val, knowledge),
        name=setup.teacher_spec.name or str(setup.teacher_spec.path),
        parameters=teacher.parameters,
        fingerprint=teacher.fingerprint,
        forwards=train.teacher_forwards + val.teacher_forwards,
        check=None if knowledge is None else _checked(setup, terms, taught, fold_N),
        any_view=views.dense,
    )
    if setup.spec.cache.mode == "on":
        # With the cache filled nobody asks it again: its memory is the student's from here on.
        teacher.unload()
    told = val if knowledge is None else TaughtSource(val, setup.kind, knowledge, None)
    return AskedTeacher(prepared, told)


def _checked(
    setup: TeacherSetup, terms: list[Term], source: SignalSource, fold_N: RowIndices | None
) -> TeacherCheck | None:
    """What its class scores know, where a row has one class and a term compares them."""
    compared = any(term.compares_classes for term in terms)
    if not compared or setup.kind.primary_metric_name != "accuracy":
        return None
    table, views = setup.splits.train, setup.train_views
    return check_teacher_scores(setup.spec, table, views, source, fold_N, setup.progress)


def to_ask(setup: TeacherSetup, student: Student, terms: list[Term]) -> list[TeacherCalls]:
    """What a run would ask of its teacher, as the cache is asked it. Nothing is asked yet.

    A teacher that is to be adapted first is taken as it came: it is as quick.
    """
    origin = knowledge_source(setup.spec, setup.splits)
    teacher = _unadapted(setup, origin)
    if setup.teacher_spec.knowledge in ("auto", "own"):
        origin = _own_or(origin, setup, teacher)
    views = TeacherViews(dense=False)
    if origin != "lora":  # which scores whole images, once it is adapted
        views = teacher_views.choose(setup.spec, setup.kind, teacher)
    wanted = views.wanted(_wanted_signals(setup, student, terms, teacher))
    teacher.layers = wanted.layers
    shown, val = setup.train_views, setup.splits.val
    train = SourceRequest(setup.splits.train, shown, shown.count, wanted)
    pairs = teacher_views.asked(teacher, train, setup.spec, views)
    lean = _measured_on(setup, wanted, origin)
    pairs.append((teacher, SourceRequest(val, views.shown(val, setup.val_views), 1, lean)))
    return [
        TeacherCalls(one, setup.kind.looks(one, asked, setup.spec), _asked_with(setup))
        for one, asked in pairs
    ]


def _own_or(origin: str, setup: TeacherSetup, teacher: Teacher) -> str:
    """`own` where the teacher was trained on these very classes; TeacherError if asked and not."""
    if origin != "lora" and teacher.know(setup.splits.train.classes):
        return "own"
    if origin == "own":
        raise TeacherError(
            "The teacher {name} was not trained on the classes {classes}.",
            name=setup.teacher_spec.name or setup.teacher_spec.path,
            classes=", ".join(setup.splits.train.classes[:10]),
            fix="Label some of the data (teacher.knowledge probe), or set lora.rank above 0.",
        )
    return origin


def _open(setup: TeacherSetup, origin: str) -> tuple[Teacher, AdaptedTeacher | None]:
    """The teacher, and how it was adapted; None where it was not, or a probe does better."""
    if setup.spec.lora.rank > 0 and setup.spec.lora.on != "student":
        from tandem.train.lora.fit_teacher import adapt  # PEFT takes seconds to import

        table, views, group_N = _adapted_on(setup)
        # The others find the first process's adapter in the folder and load it.
        with PartialState().main_process_first():
            adapted = adapt(
                setup.spec,
                setup.device_context.device,
                table,
                views,
                setup.folder.path / "teacher",
                setup.progress,
                group_N,
            )
        if _takes_adapter(setup, adapted):
            return adapted.teacher, adapted
        return _bare(setup), None
    return _unadapted(setup, origin), None


def _unadapted(setup: TeacherSetup, origin: str) -> Teacher:
    teacher = _bare(setup)
    if origin == "label_scoring":
        return LabelScoring(teacher, setup.teacher_spec, setup.splits.train.classes)
    return teacher


def _takes_adapter(setup: TeacherSetup, adapted: AdaptedTeacher) -> bool:
    """Whether the adapters answer labels that they have not seen as well as a probe does."""
    figures = {
        "adapted": f"{adapted.accuracy:.1%}",
        "probe": f"{adapted.probe_accuracy:.1%}",
    }
    if adapted.accuracy >= adapted.probe_accuracy:
        sentence = t(
            "On labels that neither has learnt from the adapted teacher is right on {adapted}, a "
            "probe on its features on {probe}: the adapter is taken.",
            **figures,
        )
        setup.progress.notice(sentence)
        return True
    if setup.teacher_spec.knowledge == "lora":
        sentence = t(
            "On labels that neither has learnt from the adapted teacher is right on {adapted}, a "
            "probe on its features on {probe}. The adapter is taken because teacher.knowledge is "
            "lora; auto would take the probe.",
            **figures,
        )
    else:
        sentence = t(
            "On labels that neither has learnt from the adapted teacher is right on {adapted}, a "
            "probe on its features on {probe}: the probe is taken, and the adapter is not used.",
            **figures,
        )
    setup.progress.notice(sentence, warning=True)
    return setup.teacher_spec.knowledge == "lora"


def _bare(setup: TeacherSetup) -> Teacher:
    """The teacher as it came, unopened: no adapter, no class scores of ours."""
    entry = find("teachers", family_of(setup.teacher_spec))
    return entry.make(setup.teacher_spec, setup.device_context.device)


def _adapted_on(setup: TeacherSetup) -> tuple[ImageTable, Views, RowIndices | None]:
    """What adapters learn from: the train table, a text's in the teacher's own tokens, a clip's as
    its frames; and which rows are of one clip."""
    train = setup.splits.train
    table = setup.kind.teacher_table(train, _bare(setup))
    if table is train:
        return table, setup.train_views, None
    return table, setup.kind.views(table, setup.spec), setup.kind.teacher_groups(train)


def _wanted_signals(
    setup: TeacherSetup, student: Student, terms: list[Term], teacher: Teacher
) -> WantedSignals:
    asked = needs(terms)
    layers: tuple[int, ...] = ()
    if "layers" in asked:
        layers = layer_pairs.teacher_layers(setup.spec, student, teacher)
    return WantedSignals(
        tokens="tokens" in asked or setup.kind.wants_tokens("logits" in asked),
        layers=layers,
        logits_key=teacher.logits_key,
        grid=setup.spec.cache.grid or setup.kind.dense_grid(student, teacher),
    )


def _measured_on(setup: TeacherSetup, wanted: WantedSignals, origin: str) -> WantedSignals:
    """The validation set is only measured on: what features are compared with is not needed."""
    for_classes = setup.kind.wants_tokens(origin != "none")
    return WantedSignals(tokens=for_classes, logits_key=wanted.logits_key, grid=wanted.grid)


def _open_train(
    setup: TeacherSetup, teacher: Teacher, wanted: WantedSignals, views: TeacherViews
) -> TeacherSource:
    shown = setup.train_views
    request = SourceRequest(setup.splits.train, shown, shown.count, wanted)
    run = (setup.spec, setup.kind, views)
    return teacher_views.open_views(teacher, request, _asked_with(setup), run)


def _open_val(
    setup: TeacherSetup, teacher: Teacher, wanted: WantedSignals, views: TeacherViews
) -> TeacherSource:
    table = setup.splits.val
    request = SourceRequest(table, views.shown(table, setup.val_views), 1, wanted)
    return setup.kind.open_source(teacher, request, _asked_with(setup), setup.spec)


def _asked_with(setup: TeacherSetup) -> SourceSetup:
    context = setup.device_context
    return SourceSetup(
        cache=setup.spec.cache,
        device=context.device,
        batch_size=setup.teacher_spec.batch_size,
        max_pixels=setup.spec.data.max_image_pixels,
        progress=setup.progress,
        rank=context.rank,
        processes=context.processes,
        barrier=setup.barrier,
    )


def _knowledge(
    setup: TeacherSetup,
    origin: str,
    teacher: Teacher,
    train: TeacherSource,
    adapted: AdaptedTeacher | None,
) -> tuple[Knowledge | None, RowIndices | None]:
    if origin == "none":
        return None, None
    if adapted is not None:
        from tandem.train.lora.two_adapters import CrossFitLogits

        return CrossFitLogits(adapted.temperature), _fold_of_rows(setup, adapted.fold_N)
    if origin == "probe":
        setup.progress.notice(t("Fitting a probe on the teacher's features."))
        return setup.kind.fit_probe(train, setup.splits.train, setup.spec)
    if origin == "own":
        return setup.kind.own_knowledge(
            teacher, train, lambda: _own_temperature(setup, teacher, train)
        ), None
    return OwnLogits(origin, _own_temperature(setup, teacher, train)), None


def _fold_of_rows(setup: TeacherSetup, fold_N: RowIndices) -> RowIndices:
    """The fold of each row learnt from: of a clip, its frames'."""
    group_N = setup.kind.teacher_groups(setup.splits.train)
    if group_N is None:
        return fold_N
    rows, first = np.unique(group_N, return_index=True)
    assert len(rows) == len(setup.splits.train), "every clip has a frame"
    return fold_N[first]


def _own_temperature(setup: TeacherSetup, teacher: Teacher, train: TeacherSource) -> float:
    """The temperature of the teacher's own logits, on the labels.

    1 for one that brings a temperature of its own: to fit a second on labels that it has learnt
    from would make it surer than it should be.
    """
    labels_N = setup.splits.train.labels_N
    rows = np.flatnonzero(labels_N != UNLABELLED)
    if getattr(teacher, "calibrated", False):
        return 1.0
    if not setup.teacher_spec.calibrate or len(rows) == 0:
        return 1.0
    logits = [train.signals(part, np.zeros_like(part)).logits_BK for part in _chunks(rows)]
    logits_NK = np.concatenate([part.float().cpu().numpy() for part in logits if part is not None])
    return fit_temperature(logits_NK, labels_N[rows])


def _evaluated(setup: TeacherSetup, val: TeacherSource, knowledge: Knowledge) -> EvalResult:
    table = setup.splits.val

    def signals_of(rows: RowIndices) -> Signals:
        return setup.kind.add_class_scores(val.signals(rows, np.zeros_like(rows)), knowledge, None)

    def batch_of(rows: RowIndices) -> Batch:
        return setup.kind.targets(table, rows, setup.spec)

    return evaluate_teacher(setup.kind, table, batch_of, signals_of)


def _chunks(rows: RowIndices) -> list[RowIndices]:
    return [rows[i : i + VAL_CHUNK] for i in range(0, len(rows), VAL_CHUNK)]
