"""What an engine is: the part of a run that differs between training loops.

`pipeline/run.py` is the story of a run, the same for every engine. A student names its engine
(`@register.student(..., engine="accelerate")`), and `engines.registry.find_engine` finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

from torch import Tensor

from tandem.spec.report import TeacherCheck
from tandem.spec.run import RunSpec
from tandem.train.data.augment import Views
from tandem.train.engines.context import Run
from tandem.train.engines.device import DeviceContext
from tandem.train.kinds.base import EvalResult, Kind, TableKind, as_table_kind
from tandem.train.pretrained.adapters import Adapter
from tandem.train.types import SignalSource, Splits, Student


@dataclass(frozen=True)
class ResolvedRun(Run):
    """A run whose data is known and whose spec says everything that follows from it."""

    kind: Kind
    splits: Splits
    """The rows that are learnt from, and those that are measured on."""
    epoch_samples: int | None = None
    """Samples of an epoch where it is not one pass over the rows: a baseline's is as long as the
    student's, however few of its rows have labels."""
    keeps_predictions: bool = True
    """Whether each validation sample's answer is kept: the student's are, the baseline's not."""
    thresholds: dict[str, float] = field(default_factory=dict)
    """A detector's, by class, fitted before; empty: fitted on the split that is measured."""

    @property
    def table_kind(self) -> TableKind:
        """The kind, for the loops that learn from tables alone."""
        return as_table_kind(self.kind)

    @property
    def samples_an_epoch(self) -> int:
        """How many samples are learnt from before the next evaluation."""
        return self.epoch_samples or len(self.splits.train)

    @property
    def fresh_views(self) -> bool:
        """Whether a row is shown in a new view each time: wherever no cache keeps its views."""
        if not isinstance(self.kind, TableKind):
            return True  # a detector's canvases are composed anew for every batch
        return self.spec.mode == "direct" or self.spec.cache.mode == "off"

    @cached_property
    def train_views(self) -> Views:
        """How the rows learnt from are shown, to teacher and student alike."""
        return self.table_kind.views(self.splits.train, self.spec)

    @cached_property
    def val_views(self) -> Views:
        """How the validation rows are shown."""
        return self.table_kind.views(self.splits.val, self.spec)


@dataclass(frozen=True)
class TeacherMember:
    """One of several teachers, as the report tells of it."""

    name: str
    weight: float
    """Its class scores' weight among all, 0 to 1."""
    gives_features: bool
    """Whether the dense features that are compared are its own."""
    knowledge: str
    evaluation: EvalResult | None
    """How good it is alone, on the validation set."""
    fingerprint: str
    check: TeacherCheck | None


@dataclass(frozen=True)
class PreparedTeacher:
    """What loop and report need of a teacher: its signals, its knowledge, how good it is."""

    source: SignalSource | None
    """Gives class scores of the run's classes too, calibrated. None: nothing is given by rows, as
    the teacher is asked about the very canvases of a batch (a detector's)."""
    tokens_width: int | None
    layer_widths: tuple[int, ...]
    knowledge: str
    """own, probe, label_scoring, lora or none."""
    temperature: float | None
    evaluation: EvalResult | None
    """On the validation set; None where it gives no class scores."""
    name: str
    parameters: int
    fingerprint: str
    forwards: int
    """Images that went through the teacher for this run; 0 from a warm cache but for checks."""
    check: TeacherCheck | None = None
    """What its class scores know, found before the first step; None where that is not asked."""
    members: tuple[TeacherMember, ...] = field(default=(), kw_only=True)
    """Where several teach: each of them. The rest is then of all together."""
    any_view: bool = field(default=False, kw_only=True)
    """Whether `source` answers every number of a view, not those of frozen views only."""


@dataclass(frozen=True)
class TrainedStudent:
    """The student with its best weights, and how good it is."""

    student: Student
    evaluation: EvalResult
    best_epoch: int
    epochs: int
    seconds: float
    """Spent training, over all attempts."""
    overfits_from: int | None = None
    """The epoch of the lowest validation loss, where only the training loss fell after it."""
    adapter: Adapter | None = None
    """What a student learnt that learns by LoRA; it is merged into `student`."""
    input_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    """The range of each layer's inputs, of a student that learnt with int8's rounding."""


@dataclass(frozen=True)
class Pace:
    """How quick the parts of a run are on this machine, by a few real batches of each."""

    step_seconds: float
    """One optimizer step of the student on a whole batch, its loading included."""
    validation_seconds: float
    """One validation sample."""
    teacher_seconds: float
    """All that the teacher is still to be asked about."""
    teacher_looks: int
    """How many inputs that is."""
    cache_bytes: int
    """What its answers take on disk, those that are there already included."""
    memory_megabytes: float


@runtime_checkable
class PacedEngine(Protocol):
    """An engine that can tell beforehand how long a run will take."""

    def pace(self, run: ResolvedRun, student: Student) -> Pace:
        """Measured with this student, which learns a little by it, and the run's own teacher."""
        ...


@runtime_checkable
class Engine(Protocol):
    """A training loop with what it needs around it. A run calls its methods in this order."""

    def choose_kind(self, spec: RunSpec) -> Kind:
        """What is learnt, by the spec and a look at the data. DataError or SpecError."""
        ...

    def check_spec(self, spec: RunSpec, device_context: DeviceContext) -> None:
        """SpecError for what this loop cannot do, before the data is read."""

    def check_data(self, spec: RunSpec, kind: Kind, splits: Splits) -> None:
        """DataError or SpecError where spec and data do not fit this loop."""

    def complete(self, spec: RunSpec, kind: Kind, splits: Splits) -> tuple[RunSpec, Splits]:
        """The spec with what only this loop can tell, and the rows it learns from."""
        ...

    def check_student(self, run: ResolvedRun, student: Student) -> None:
        """SpecError for what only the built student can tell."""

    def check_teacher(self, run: ResolvedRun) -> None:
        """SpecError or TeacherError for a teacher that cannot teach this, before it is loaded."""

    def notes(self, spec: RunSpec) -> tuple[str, ...]:
        """What a person should know of the spec's choices."""
        ...

    def prepare_teacher(self, run: ResolvedRun, student: Student) -> PreparedTeacher | None:
        """The teacher, ready to be learnt from; None for a run that asks none."""
        ...

    def steps_an_epoch(self, spec: RunSpec, rows: int) -> int:
        """Steps in one pass over `rows`, as this loop counts them."""
        ...

    def learn(
        self, run: ResolvedRun, student: Student, teacher: PreparedTeacher | None
    ) -> TrainedStudent:
        """Train to the end, or from where an earlier attempt was, and measure the best weights.

        StoppedError after a request to stop.
        """
        ...

    def evaluate(self, run: ResolvedRun, student: Student) -> EvalResult:
        """How good a student is on the validation rows; an exported file is asked as one.

        EvaluationStoppedError after a request to stop.
        """
        ...

    def inputs(self, run: ResolvedRun, rows: Iterable[int], image_size: int) -> Iterator[Tensor]:
        """These train rows as the loader gives them, one at a time: to calibrate an export on."""
        ...

    def clean_up(self, run: ResolvedRun) -> None:
        """Remove what this loop alone has kept in the run's folder."""


def parameter_count(student: Student) -> int:
    """How many numbers it learns."""
    return sum(one.numel() for one in student.parameters())
