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
from tandem.train.engines.device import Place
from tandem.train.engines.loss_terms import OF_THE_DATA, Term, needs
from tandem.train.engines.run_folder import RunFolder
from tandem.train.kinds.base import Asking, Judged, Kind, Shown
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
    Signals,
    SignalSource,
    Splits,
    Student,
    Teacher,
    Watcher,
)

Rows = NDArray[np.int64]
VAL_CHUNK = 512
MOST_LAYERS = 4  # pairs of layers compared unless more are named


@dataclass(frozen=True)
class Lesson:
    """What the loop and the report need of the teacher."""

    source: SignalSource
    """Gives the taught logits too, calibrated."""
    tokens_width: int | None
    layer_widths: tuple[int, ...]
    knowledge: str
    """own, probe, label_scoring, lora or none."""
    temperature: float | None
    judged: Judged | None
    """On the validation set; None where it gives no class scores."""
    name: str
    parameters: int
    fingerprint: str
    forwards: int
    """Images that went through the teacher for this run; 0 from a warm cache but for checks."""


@dataclass(frozen=True)
class Classroom:
    """What a teacher is prepared with."""

    spec: RunSpec
    place: Place
    folder: RunFolder
    splits: Splits
    train_views: Views
    val_views: Views
    watcher: Watcher
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


def prepare(room: Classroom, student: Student, terms: list[Term]) -> Lesson:
    """Open the teacher, fill what is missing of its cache, and fit its class knowledge."""
    kind = knowledge_kind(room.spec, room.splits)
    teacher = _open(room, kind)
    if room.spec.teacher and room.spec.teacher.knowledge in ("auto", "own"):
        kind = _own_or(kind, room, teacher)
    _check_gives(teacher, terms, kind)
    wants = _wants(room, student, terms, teacher)
    teacher.layers = wants.layers
    train = _source(room, teacher, wants, val=False)
    for_classes = room.kind.wants_tokens(kind != "none")
    lean = Wants(tokens=for_classes, logits_key=wants.logits_key, grid=wants.grid)
    val = _source(room, teacher, lean, val=True)
    knowledge, fold_N = _knowledge(room, kind, teacher, train)
    lesson = Lesson(
        source=train if knowledge is None else TaughtSource(train, room.kind, knowledge, fold_N),
        tokens_width=train.tokens_width if wants.tokens else None,
        layer_widths=train.layer_widths if wants.layers else (),
        knowledge=kind,
        temperature=None if knowledge is None else knowledge.temperature,
        judged=None if knowledge is None else _judged(room, val, knowledge),
        name=room.teacher_spec.name or str(room.teacher_spec.path),
        parameters=teacher.parameters,
        fingerprint=teacher.fingerprint,
        forwards=train.teacher_forwards + val.teacher_forwards,
    )
    if room.spec.cache.mode == "on":
        teacher.unload()
    return lesson


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


def _own_or(kind: str, room: Classroom, teacher: Any) -> str:
    """`own` where the teacher was trained on these very classes; TeacherError if asked and not."""
    know = getattr(teacher, "know", None)
    if kind != "lora" and know is not None and know(room.splits.train.classes):
        return "own"
    if kind == "own" or (kind == "label_scoring" and know is not None):
        raise TeacherError(
            "The teacher {name} was not trained on the classes {classes}.",
            name=room.teacher_spec.name or room.teacher_spec.path,
            classes=", ".join(room.splits.train.classes[:10]),
            fix="Label some of the data (teacher.knowledge probe), or set lora.rank above 0.",
        )
    return kind


def _check_reads(room: Classroom) -> None:
    """A teacher of texts cannot be shown pictures, nor the other way."""
    family = family_of(room.teacher_spec)
    reads_text = find("teachers", family).facts.get("reads") == "text"
    if reads_text == room.kind.shows_pictures:
        raise TeacherError(
            "The teacher {name} ({family}) cannot be asked about {kind} data.",
            name=room.teacher_spec.name or room.teacher_spec.path,
            family=family,
            kind=room.kind.name,
            fix="Name a teacher of texts for texts, and one that sees for pictures and clips.",
        )


def _open(room: Classroom, kind: str) -> Teacher:
    teacher_spec, device = room.teacher_spec, room.place.device
    _check_reads(room)
    teacher: Teacher
    if room.spec.lora.rank > 0 and room.spec.lora.on != "student":
        from tandem.train.lora.fit_teacher import adapt  # PEFT takes seconds to import

        # The others find the first process's adapter in the folder and load it.
        with PartialState().main_process_first():
            teacher = adapt(
                room.spec,
                device,
                *_adapted_on(room),
                room.folder.path / "teacher",
                room.watcher,
            )
        return teacher
    teacher = find("teachers", family_of(teacher_spec)).make(teacher_spec, device)
    if kind == "label_scoring":
        teacher = LabelScoring(teacher, teacher_spec, room.splits.train.classes)
    return teacher


def _adapted_on(room: Classroom) -> tuple[ImageTable, Views]:
    """What adapters learn from: the train table, a text's in the teacher's own tokens."""
    bare = find("teachers", family_of(room.teacher_spec)).make(room.teacher_spec, room.place.device)
    table = room.kind.for_teacher(room.splits.train, bare)
    same = table is room.splits.train
    return table, room.train_views if same else room.kind.views(table, room.spec)


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


def _wants(room: Classroom, student: Student, terms: list[Term], teacher: Any) -> Wants:
    asked = needs(terms)
    layers = tuple(room.teacher_spec.layers)
    if "layers" in asked and not layers:
        most = len(room.spec.loss.intermediate_layers) or len(student.layer_widths)
        layers = spread(teacher.layer_count, min(MOST_LAYERS, most, teacher.layer_count))
    return Wants(
        tokens="tokens" in asked or room.kind.wants_tokens("logits" in asked),
        layers=layers if "layers" in asked else (),
        logits_key=getattr(teacher, "logits_key", None),
        grid=room.spec.cache.grid or room.kind.grid(student, teacher),
    )


def student_layers(spec: RunSpec, student: Student, lesson: Lesson) -> tuple[int, ...]:
    """The student's layers that the intermediate loss compares with the teacher's."""
    if spec.loss.intermediate_layers:
        return tuple(spec.loss.intermediate_layers)
    return spread(len(student.layer_widths), len(lesson.layer_widths))


def spread(layers: int, count: int) -> tuple[int, ...]:
    """`count` of `layers` layers, evenly, the last one among them."""
    return tuple(round((i + 1) * layers / count) - 1 for i in range(count))


def _source(room: Classroom, teacher: Teacher, wants: Wants, *, val: bool) -> Any:
    spec = room.spec
    table = room.splits.val if val else room.splits.train
    views = room.val_views if val else room.train_views
    options = {
        "device": room.place.device,
        "batch_size": room.teacher_spec.batch_size,
        "max_pixels": spec.data.max_image_pixels,
        "watcher": room.watcher,
        "rank": room.place.rank,
        "processes": room.place.processes,
        "barrier": room.barrier,
    }
    shown = Shown(table, views, 1 if val else views.count, is_val=val)
    return room.kind.source(shown, Asking(teacher, spec, wants, options))


def _knowledge(
    room: Classroom, kind: str, teacher: Any, train: Any
) -> tuple[Knowledge | None, Rows | None]:
    if kind == "none":
        return None, None
    if kind == "probe":
        room.watcher.notice(t("Fitting a probe on the teacher's features."))
        return room.kind.probe(train, room.splits.train, room.spec)
    if kind == "own":
        return room.kind.own(teacher, train, lambda: _own_temperature(room, kind, train)), None
    return OwnLogits(kind, _own_temperature(room, kind, train)), None


def _own_temperature(room: Classroom, kind: str, train: Any) -> float:
    """Of label scoring, on the labels; an adapted teacher has been fitted on them, so 1."""
    labels_N = room.splits.train.labels_N
    rows = np.flatnonzero(labels_N != UNLABELLED)
    if kind == "lora" or not room.teacher_spec.calibrate or len(rows) == 0:
        return 1.0
    logits = [train.signals(part, np.zeros_like(part)).logits_BK for part in _chunks(rows)]
    logits_NK = np.concatenate([part.float().cpu().numpy() for part in logits])
    return fit_temperature(logits_NK, labels_N[rows])


def _judged(room: Classroom, val: Any, knowledge: Knowledge) -> Judged:
    table = room.splits.val

    def signals_of(rows: Rows) -> Signals:
        return room.kind.taught(val.signals(rows, np.zeros_like(rows)), knowledge, None)

    def batch_of(rows: Rows) -> Batch:
        return room.kind.truth(table, rows, room.spec)

    return room.kind.judge_teacher(table, batch_of, signals_of)


def _chunks(rows: Rows) -> list[Rows]:
    return [rows[i : i + VAL_CHUNK] for i in range(0, len(rows), VAL_CHUNK)]
