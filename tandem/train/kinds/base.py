"""What differs between the kinds of learning; the loop, the cache and the report are one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.cache import Wants, open_source
from tandem.train.data.augment import Views
from tandem.train.knowledge.base import Knowledge
from tandem.train.knowledge.own import OwnLogits
from tandem.train.predictions.serialize import Predictions
from tandem.train.types import (
    Batch,
    ImageTable,
    ProgressReporter,
    Signals,
    Splits,
    StepOutput,
    Student,
)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class EvalResult:
    """What somebody is worth on the validation set."""

    primary_metric: float
    """What the best epoch is chosen by, 0 to 1; higher is better."""
    loss: float
    metrics: dict[str, float]
    details: dict[str, object] = field(default_factory=dict)
    scores_N: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Of each annotated sample, 0 to 1, in the table's order: to compare two on the same ones."""
    logits_NK: NDArray[np.float32] | None = None
    """Class scores of each row, where a row has one class."""
    thresholds: dict[str, float] = field(default_factory=dict)
    """Of detection: by class, the score above which F1 is best."""
    told: Predictions | None = None
    """Each row's answer, where `logits_NK` does not say it and it was to be kept."""


class MetricAccumulator(Protocol):
    """Measures class scores against a table, batch by batch."""

    def add(self, rows_B: Rows, output: StepOutput, batch: Batch) -> None:
        """Outputs for these rows of the table; on the CPU or a device."""
        ...

    def part(self) -> Any:
        """What this process has added, to be sent to the others."""
        ...

    def result(self, parts: list[Any]) -> EvalResult:
        """Of all processes' parts together."""
        ...


@dataclass(frozen=True)
class Shown:
    """What a teacher is asked about."""

    table: ImageTable
    views: Views
    views_wanted: int
    is_val: bool


@dataclass(frozen=True)
class Asking:
    """How a source is opened."""

    teacher: Any
    spec: RunSpec
    wants: Wants
    options: dict[str, Any]
    """Further keywords of `open_source`: device, progress, processes."""

    def open(self, table: ImageTable, views: Views, count: int, wants: Wants) -> Any:
        """The teacher's signals of every row in its first `count` views."""
        return open_source(
            self.teacher, table, views, self.spec.cache, wants, views_wanted=count, **self.options
        )


class Kind:
    """One picture, one class; the others say where they differ."""

    name = "classification"
    primary_metric_name = "accuracy"
    hard = "cross_entropy"
    """The loss on labels."""
    mixes = True
    """Whether two samples can be mixed into one."""
    shows_pictures = True
    adapts_teacher = True
    """Whether LoRA can teach the teacher these classes first."""

    def check(self, spec: RunSpec) -> None:
        """SpecError for a knob that means nothing here."""
        if not self.mixes and (spec.views.mixup > 0 or spec.views.cutmix > 0):
            raise SpecError(
                "Mixup and cutmix are for pictures of one class, not for {kind}.",
                kind=self.name,
                fix="Set views.mixup and views.cutmix to 0.",
            )

    def read(self, spec: RunSpec, index_root: Path | None, progress: ProgressReporter) -> Splits:
        """Both splits as tables of checked files. DataError says what is wrong."""
        raise NotImplementedError

    def completed(self, spec: RunSpec, splits: Splits) -> RunSpec:  # noqa: ARG002
        """The spec with what only the data can tell."""
        return spec

    def without_adapter(self, spec: RunSpec) -> RunSpec | None:
        """The spec without the teacher's LoRA, where it means nothing here; None: as it is."""
        if self.adapts_teacher or spec.lora.rank == 0 or spec.lora.on == "student":
            return None
        if spec.mode == "direct":
            return None
        return spec.model_copy(update={"lora": spec.lora.model_copy(update={"rank": 0})})

    def views(self, table: ImageTable, spec: RunSpec) -> Views:
        """How each row is shown to teacher and student."""
        return Views.draw(table, spec.views)

    def evaluator(self, table: ImageTable, keep: bool = False) -> MetricAccumulator:
        """Of students and teachers on this table; `keep`: each row's answer is kept."""
        raise NotImplementedError

    def correct(self, output: StepOutput, batch: Batch) -> Tensor:
        """(B,) how right each labelled row is, 0 to 1."""
        raise NotImplementedError

    def source(self, shown: Shown, asking: Asking) -> Any:
        """The teacher's signals of a table's rows."""
        return asking.open(shown.table, shown.views, shown.views_wanted, asking.wants)

    def for_teacher(self, table: ImageTable, teacher: Any) -> ImageTable:  # noqa: ARG002
        """The table as a teacher reads it."""
        return table

    def files(self) -> dict[str, str]:
        """What else a trained model needs beside its weights: name and text."""
        return {}

    def wants_tokens(self, asks_classes: bool) -> bool:  # noqa: ARG002
        """Whether class knowledge itself is made of dense tokens."""
        return False

    def grid(self, student: Student, teacher: Any) -> int:  # noqa: ARG002
        """Cells a side of the dense signals that are kept, where the run does not say."""
        return student.tokens_grid

    def own(self, teacher: Any, source: Any, temperature: Callable[[], float]) -> Knowledge:  # noqa: ARG002
        """The teacher's own class scores, divided by the temperature that fits the labels."""
        return OwnLogits("own", temperature())

    def probe(self, source: Any, table: ImageTable, spec: RunSpec) -> tuple[Knowledge, Rows | None]:
        """A head on the teacher's features, fitted on the labelled rows, and each row's fold."""
        raise NotImplementedError

    def taught(self, signals: Signals, knowledge: Knowledge, fold_B: Rows | None) -> Signals:
        """The signals with the class scores that `knowledge` makes of them."""
        from dataclasses import replace

        return replace(signals, logits_BK=knowledge.logits(signals, fold_B))

    def truth(self, table: ImageTable, rows_B: Rows, spec: RunSpec) -> Batch:  # noqa: ARG002
        """What is right for these rows, whole; inputs are not needed here."""
        labels_B = torch.from_numpy(table.labels_N[rows_B])
        return Batch(torch.empty(0), labels_B, rows_B, np.zeros_like(rows_B))

    def evaluate_teacher(
        self, table: ImageTable, batch_of: Callable[[Rows], Batch], signals_of: Any
    ) -> EvalResult:
        """The teacher's own worth: its class scores put where a student's would be."""
        judge = self.evaluator(table)
        rows_N = np.arange(len(table))
        for at in range(0, len(rows_N), TEACHER_CHUNK):
            rows_B = rows_N[at : at + TEACHER_CHUNK]
            signals: Signals = signals_of(rows_B)
            judge.add(rows_B, as_output(signals), batch_of(rows_B))
        return judge.result([judge.part()])


TEACHER_CHUNK = 256


def as_output(signals: Signals) -> StepOutput:
    """A teacher's class scores as a student would give them."""
    assert signals.pooled_BD is not None
    logits_BK = signals.logits_BK
    if logits_BK is None:
        assert signals.class_map_BHWK is not None, "knowledge gives class scores"
        logits_BK = signals.class_map_BHWK.mean((1, 2))
    return StepOutput(logits_BK, signals.pooled_BD, class_map_BHWK=signals.class_map_BHWK)
