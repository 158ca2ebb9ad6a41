"""The teacher's part of a run: opened, adapted, asked once, and judged on the validation set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from accelerate import PartialState
from numpy.typing import NDArray

from tandem.spec.errors import SpecError, TeacherError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec, TeacherSpec
from tandem.train.cache import Wants
from tandem.train.data.augment import Views
from tandem.train.engines.accelerate.loss_terms import OF_THE_DATA, Term, needs
from tandem.train.engines.device import DeviceContext
from tandem.train.engines.run_folder import RunFolder
from tandem.train.kinds.base import Asking, EvalResult, Kind, Shown
from tandem.train.knowledge.base import Knowledge
from tandem.train.knowledge.calibrate import fit_temperature
from tandem.train.knowledge.label_scoring import LabelScoring
from tandem.train.knowledge.own import OwnLogits
from tandem.train.registry import find
from tandem.train.teachers.family import family_of
from tandem.train.types import (
    UNLABELLED,
    Batch,
    ImageTable,
    ProgressReporter,
    Signals,
    SignalSource,
    Splits,
    Student,
    Teacher,
)

Rows = NDArray[np.int64]
VAL_CHUNK = 512
MOST_LAYERS = 4  # pairs of layers compared unless more are named


@dataclass(frozen=True)
class PreparedTeacher:
    """What the loop and the report need of the teacher."""

    source: SignalSource
    """Gives the taught logits too, calibrated."""
    tokens_width: int | None
    layer_widths: tuple[int, ...]
    knowledge: str
    """own, probe, label_scoring, lora or none."""
    temperature: float | None
    judged: EvalResult | None
    """On the validation set; None where it gives no class scores."""
    name: str
    parameters: int
    fingerprint: str
    forwards: int
    """Images that went through the teacher for this run; 0 from a warm cache but for checks."""


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
    kind: Kind

    @property
    def teacher_spec(self) -> TeacherSpec:
        assert self.spec.teacher is not None
        return self.spec.teacher


class TaughtSource:
    """The cache's signals with the class scores that `knowledge` makes of them."""

    def __init__(
        self, source: SignalSource, kind: Kind, knowledge: Knowledge, fold_N: Rows | None
    ) -> None:
        self.source, self.kind, self.knowledge, self.fold_N = source, kind, knowledge, fold_N

    def signals(self, index_B: Rows, view_B: Rows) -> Signals:
        """`SignalSource.signals`, with the class scores set."""
        signals = self.source.signals(index_B, view_B)
        folds_B = None if self.fold_N is None else self.fold_N[index_B]
        return self.kind.taught(signals, self.knowledge, folds_B)


def prepare(setup: TeacherSetup, student: Student, terms: list[Term]) -> PreparedTeacher:
    """Open the teacher, fill what is missing of its cache, and fit its class knowledge."""
    kind = knowledge_kind(setup.spec, setup.splits)
    teacher = _open(setup, kind)
    if setup.spec.teacher and setup.spec.teacher.knowledge in ("auto", "own"):
        kind = _own_or(kind, setup, teacher)
    _check_gives(teacher, terms, kind)
    wants = _wants(setup, student, terms, teacher)
    teacher.layers = wants.layers
    train = _source(setup, teacher, wants, val=False)
    for_classes = setup.kind.wants_tokens(kind != "none")
    lean = Wants(tokens=for_classes, logits_key=wants.logits_key, grid=wants.grid)
    val = _source(setup, teacher, lean, val=True)
    knowledge, fold_N = _knowledge(setup, kind, teacher, train)
    prepared = PreparedTeacher(
        source=train if knowledge is None else TaughtSource(train, setup.kind, knowledge, fold_N),
        tokens_width=train.tokens_width if wants.tokens else None,
        layer_widths=train.layer_widths if wants.layers else (),
        knowledge=kind,
        temperature=None if knowledge is None else knowledge.temperature,
        judged=None if knowledge is None else _judged(setup, val, knowledge),
        name=setup.teacher_spec.name or str(setup.teacher_spec.path),
        parameters=teacher.parameters,
        fingerprint=teacher.fingerprint,
        forwards=train.teacher_forwards + val.teacher_forwards,
    )
    if setup.spec.cache.mode == "on":
        teacher.unload()
    return prepared


def knowledge_kind(spec: RunSpec, splits: Splits) -> str:
    """Where class scores come from, in the order of their cost (DESIGN §3)."""
    assert spec.teacher is not None
    asked = spec.teacher.knowledge
    if asked == "lora" and spec.lora.rank == 0:
        raise SpecError(
            "teacher.knowledge is lora, but lora.rank is 0.", fix="Give lora.rank, such as 16."
        )
    if asked != "auto":
        return asked
    if spec.lora.rank > 0 and spec.lora.on != "student":
        return "lora"
    return "probe" if (splits.train.labels_N != UNLABELLED).any() else "label_scoring"


def _own_or(kind: str, setup: TeacherSetup, teacher: Any) -> str:
    """`own` where the teacher was trained on these very classes; TeacherError if asked and not."""
    know = getattr(teacher, "know", None)
    if kind != "lora" and know is not None and know(setup.splits.train.classes):
        return "own"
    if kind == "own" or (kind == "label_scoring" and know is not None):
        raise TeacherError(
            "The teacher {name} was not trained on the classes {classes}.",
            name=setup.teacher_spec.name or setup.teacher_spec.path,
            classes=", ".join(setup.splits.train.classes[:10]),
            fix="Label some of the data (teacher.knowledge probe), or set lora.rank above 0.",
        )
    return kind


def _check_reads(setup: TeacherSetup) -> None:
    """A teacher of texts cannot be shown pictures, nor the other way."""
    family = family_of(setup.teacher_spec)
    reads_text = find("teachers", family).facts.get("reads") == "text"
    if reads_text == setup.kind.shows_pictures:
        raise TeacherError(
            "The teacher {name} ({family}) cannot be asked about {kind} data.",
            name=setup.teacher_spec.name or setup.teacher_spec.path,
            family=family,
            kind=setup.kind.name,
            fix="Name a teacher of texts for texts, and one that sees for pictures and clips.",
        )


def _open(setup: TeacherSetup, kind: str) -> Teacher:
    teacher_spec, device = setup.teacher_spec, setup.device_context.device
    _check_reads(setup)
    teacher: Teacher
    if setup.spec.lora.rank > 0 and setup.spec.lora.on != "student":
        from tandem.train.lora.fit_teacher import adapt  # PEFT takes seconds to import

        # The others find the first process's adapter in the folder and load it.
        with PartialState().main_process_first():
            teacher = adapt(
                setup.spec,
                device,
                *_adapted_on(setup),
                setup.folder.path / "teacher",
                setup.progress,
            )
        return teacher
    teacher = find("teachers", family_of(teacher_spec)).make(teacher_spec, device)
    if kind == "label_scoring":
        teacher = LabelScoring(teacher, teacher_spec, setup.splits.train.classes)
    return teacher


def _adapted_on(setup: TeacherSetup) -> tuple[ImageTable, Views]:
    """What adapters learn from: the train table, a text's in the teacher's own tokens."""
    bare = find("teachers", family_of(setup.teacher_spec)).make(
        setup.teacher_spec, setup.device_context.device
    )
    table = setup.kind.for_teacher(setup.splits.train, bare)
    same = table is setup.splits.train
    return table, setup.train_views if same else setup.kind.views(table, setup.spec)


def _check_gives(teacher: Teacher, terms: list[Term], kind: str) -> None:
    gives = set(teacher.gives) | ({"logits"} if kind == "probe" else set())
    if kind == "none":
        gives.discard("logits")
    for term in terms:
        missing = term.needs - gives - OF_THE_DATA
        if missing:
            raise SpecError(
                "The loss {loss} needs {missing} from the teacher, which gives {gives}.",
                loss=term.name,
                missing=", ".join(sorted(missing)),
                gives=", ".join(sorted(gives)),
                fix="Set that loss's weight to 0, or choose another teacher.knowledge.",
            )


def _wants(setup: TeacherSetup, student: Student, terms: list[Term], teacher: Any) -> Wants:
    asked = needs(terms)
    layers = tuple(setup.teacher_spec.layers)
    if "layers" in asked and not layers:
        most = len(setup.spec.loss.intermediate_layers) or len(student.layer_widths)
        layers = spread(teacher.layer_count, min(MOST_LAYERS, most, teacher.layer_count))
    return Wants(
        tokens="tokens" in asked or setup.kind.wants_tokens("logits" in asked),
        layers=layers if "layers" in asked else (),
        logits_key=getattr(teacher, "logits_key", None),
        grid=setup.spec.cache.grid or setup.kind.grid(student, teacher),
    )


def student_layers(spec: RunSpec, student: Student, prepared: PreparedTeacher) -> tuple[int, ...]:
    """The student's layers that the intermediate loss compares with the teacher's."""
    if spec.loss.intermediate_layers:
        return tuple(spec.loss.intermediate_layers)
    return spread(len(student.layer_widths), len(prepared.layer_widths))


def spread(layers: int, count: int) -> tuple[int, ...]:
    """`count` of `layers` layers, evenly, the last one among them."""
    return tuple(round((i + 1) * layers / count) - 1 for i in range(count))


def _source(setup: TeacherSetup, teacher: Teacher, wants: Wants, *, val: bool) -> Any:
    spec = setup.spec
    table = setup.splits.val if val else setup.splits.train
    views = setup.val_views if val else setup.train_views
    options = {
        "device": setup.device_context.device,
        "batch_size": setup.teacher_spec.batch_size,
        "max_pixels": spec.data.max_image_pixels,
        "progress": setup.progress,
        "rank": setup.device_context.rank,
        "processes": setup.device_context.processes,
        "barrier": setup.barrier,
    }
    shown = Shown(table, views, 1 if val else views.count, is_val=val)
    return setup.kind.source(shown, Asking(teacher, spec, wants, options))


def _knowledge(
    setup: TeacherSetup, kind: str, teacher: Any, train: Any
) -> tuple[Knowledge | None, Rows | None]:
    if kind == "none":
        return None, None
    if kind == "probe":
        setup.progress.notice(t("Fitting a probe on the teacher's features."))
        return setup.kind.probe(train, setup.splits.train, setup.spec)
    if kind == "own":
        return setup.kind.own(teacher, train, lambda: _own_temperature(setup, kind, train)), None
    return OwnLogits(kind, _own_temperature(setup, kind, train)), None


def _own_temperature(setup: TeacherSetup, kind: str, train: Any) -> float:
    """Of label scoring, on the labels; an adapted teacher has been fitted on them, so 1."""
    labels_N = setup.splits.train.labels_N
    rows = np.flatnonzero(labels_N != UNLABELLED)
    if kind == "lora" or not setup.teacher_spec.calibrate or len(rows) == 0:
        return 1.0
    logits = [train.signals(part, np.zeros_like(part)).logits_BK for part in _chunks(rows)]
    logits_NK = np.concatenate([part.float().cpu().numpy() for part in logits])
    return fit_temperature(logits_NK, labels_N[rows])


def _judged(setup: TeacherSetup, val: Any, knowledge: Knowledge) -> EvalResult:
    table = setup.splits.val

    def signals_of(rows: Rows) -> Signals:
        return setup.kind.taught(val.signals(rows, np.zeros_like(rows)), knowledge, None)

    def batch_of(rows: Rows) -> Batch:
        return setup.kind.truth(table, rows, setup.spec)

    return setup.kind.evaluate_teacher(table, batch_of, signals_of)


def _chunks(rows: Rows) -> list[Rows]:
    return [rows[i : i + VAL_CHUNK] for i in range(0, len(rows), VAL_CHUNK)]
