"""What differs between the kinds of learning; the loop, the cache and the report are one.

`Kind` is what every kind says of itself, detection too. `TableKind` is what our own loop needs
beside. Neither holds code: what most of them do alike is in `defaults`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tandem.spec.run import RunSpec
from tandem.train.cache.request import SourceRequest, SourceSetup
from tandem.train.data.augment import Views
from tandem.train.kinds.intervals import Intervals
from tandem.train.knowledge.base import Knowledge
from tandem.train.predictions.serialize import Predictions
from tandem.train.types import (
    Batch,
    ImageTable,
    ProgressReporter,
    RowIndices,
    Signals,
    Splits,
    StepOutput,
    Student,
    Teacher,
    TeacherSource,
)

TEACHER_CHUNK = 256


@dataclass(frozen=True)
class EvalResult:
    """What somebody is worth on the validation set."""

    primary_metric: float
    """The kind's figure, 0 to 1; higher is better."""
    loss: float
    metrics: dict[str, float]
    details: dict[str, object] = field(default_factory=dict)
    scores_N: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Each annotated sample's score, 0 to 1, in the table's order: to compare two on the same."""
    logits_NK: NDArray[np.float32] | None = None
    """Class scores of each row, where a row has one class."""
    thresholds: dict[str, float] = field(default_factory=dict)
    """A detector's: by class, the score above which F1 is best."""
    predictions: Predictions | None = None
    """Each row's answer, where `logits_NK` does not say it and it was to be kept."""
    selection: tuple[str, float] | None = None
    """What the best epoch is chosen by, where that is not always the kind's figure: its name, and
    how high it is, 0 to 1."""
    intervals: Callable[[], Intervals] = dict
    """How sure its figures are; to be asked once, at the end: it is drawn again and again."""

    @property
    def chosen_by(self) -> float:
        """What the best epoch is chosen by, 0 to 1; higher is better."""
        return self.primary_metric if self.selection is None else self.selection[1]


class MetricAccumulator(Protocol):
    """Measures class scores against a table, batch by batch."""

    def add(self, rows_B: RowIndices, output: StepOutput, batch: Batch) -> None:
        """Outputs for these rows of the table; on the CPU or a device."""
        ...

    def part(self) -> object:
        """What this process has added, to be sent to the others; it is pickled."""
        ...

    def result(self, parts: list[object]) -> EvalResult:
        """The result of all processes' parts together."""
        ...


@runtime_checkable
class Kind(Protocol):
    """Something that can be learnt."""

    name: str
    """Given by `@register.kind`."""
    primary_metric_name: str
    """The kind's figure: `accuracy`, `miou`, …"""
    adapts_teacher: bool
    """Whether LoRA can teach the teacher these classes first."""

    def check(self, spec: RunSpec) -> None:
        """SpecError for a knob that means nothing here."""
        ...

    def without_adapter(self, spec: RunSpec) -> RunSpec | None:
        """The spec without the teacher's LoRA, where it means nothing here; None: as it is."""
        ...

    def read(self, spec: RunSpec, index_root: Path | None, progress: ProgressReporter) -> Splits:
        """Both splits as tables of checked files. DataError says what is wrong."""
        ...

    def complete(self, spec: RunSpec, splits: Splits) -> RunSpec:
        """The spec with what only the data can tell."""
        ...

    def teacher_image_size(self, spec: RunSpec) -> int | None:
        """Pixels a side that a teacher is shown where the run does not say; None: its own."""
        ...

    def files(self) -> dict[str, str]:
        """What else a trained model needs beside its weights: name and text."""
        ...


@runtime_checkable
class TableKind(Kind, Protocol):
    """A kind that our own loop learns, whose batches are its tables' rows."""

    hard_loss: str
    """The name of the loss on labels."""
    shows_images: bool
    """Whether a teacher of it must see; else it must read."""
    crops_images: bool
    """Whether a view is a crop of one image, so that its tokens lie among the whole one's."""

    def views(self, table: ImageTable, spec: RunSpec) -> Views:
        """How each row is shown to teacher and student."""
        ...

    def evaluator(self, table: ImageTable, keep: bool = False) -> MetricAccumulator:
        """What measures students and teachers on this table; `keep`: each row's answer too."""
        ...

    def correct(self, output: StepOutput, batch: Batch) -> Tensor:
        """(B,) how right each labelled row is, 0 to 1."""
        ...

    def targets(self, table: ImageTable, rows_B: RowIndices, spec: RunSpec) -> Batch:
        """What is right for these rows, whole; its inputs are empty."""
        ...

    def teacher_table(self, table: ImageTable, teacher: Teacher) -> ImageTable:
        """The table as a teacher reads it, where adapters learn from it."""
        ...

    def teacher_groups(self, table: ImageTable) -> RowIndices | None:
        """The row of `table` that each row of its `teacher_table` is a part of; None: one each."""
        ...

    def looks(self, teacher: Teacher, request: SourceRequest, spec: RunSpec) -> SourceRequest:
        """The request as the cache is asked it: of clips, their frames."""
        ...

    def open_source(
        self, teacher: Teacher, request: SourceRequest, setup: SourceSetup, spec: RunSpec
    ) -> TeacherSource:
        """The teacher's signals of a table's rows. Raises what `cache.open_source` does."""
        ...

    def wants_tokens(self, asks_classes: bool) -> bool:
        """Whether class knowledge itself is made of dense tokens."""
        ...

    def dense_grid(self, student: Student, teacher: Teacher) -> int:
        """Cells a side of the dense signals that are kept, where the run does not say."""
        ...

    def own_knowledge(
        self, teacher: Teacher, source: TeacherSource, temperature: Callable[[], float]
    ) -> Knowledge:
        """The teacher's own class scores, divided by the temperature that fits the labels."""
        ...

    def fit_probe(
        self, source: TeacherSource, table: ImageTable, spec: RunSpec
    ) -> tuple[Knowledge, RowIndices | None]:
        """A head on the teacher's features, fitted on the labelled rows, and each row's fold."""
        ...

    def add_class_scores(
        self, signals: Signals, knowledge: Knowledge, fold_B: RowIndices | None
    ) -> Signals:
        """The signals with the class scores that `knowledge` makes of them."""
        ...


def as_table_kind(kind: Kind) -> TableKind:
    """The kind as one whose batches are its tables' rows: our own loop chooses no other."""
    assert isinstance(kind, TableKind), kind.name
    return kind


def evaluate_teacher(
    kind: TableKind,
    table: ImageTable,
    batch_of: Callable[[RowIndices], Batch],
    signals_of: Callable[[RowIndices], Signals],
) -> EvalResult:
    """How good the teacher itself is: its class scores put where a student's would be."""
    accumulator = kind.evaluator(table)
    rows_N = np.arange(len(table))
    for at in range(0, len(rows_N), TEACHER_CHUNK):
        rows_B = rows_N[at : at + TEACHER_CHUNK]
        accumulator.add(rows_B, as_output(signals_of(rows_B)), batch_of(rows_B))
    return accumulator.result([accumulator.part()])


def as_output(signals: Signals) -> StepOutput:
    """A teacher's class scores as a student would give them."""
    assert signals.pooled_BD is not None
    logits_BK = signals.logits_BK
    if logits_BK is None:
        assert signals.class_map_BHWK is not None, "knowledge gives class scores"
        logits_BK = signals.class_map_BHWK.mean((1, 2))
    return StepOutput(logits_BK, signals.pooled_BD, class_map_BHWK=signals.class_map_BHWK)
