"""What kinds share whose rows have one class each: pictures, clips and texts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tandem.spec.run import RunSpec
from tandem.train.kinds.base import EvalResult, MetricAccumulator
from tandem.train.kinds.defaults import TableKindDefaults
from tandem.train.kinds.intervals import Intervals, macro_f1, wilson
from tandem.train.kinds.metrics import classification, is_uneven
from tandem.train.knowledge.base import Knowledge
from tandem.train.knowledge.probe import Probe
from tandem.train.types import (
    UNLABELLED,
    Batch,
    ImageTable,
    RowIndices,
    Signals,
    StepOutput,
    TeacherSource,
)


class OneClassKind(TableKindDefaults):
    """Judged by accuracy, learnt by cross-entropy."""

    primary_metric_name = "accuracy"
    balances = True
    hard_loss = "cross_entropy"

    def evaluator(self, table: ImageTable, keep: bool = False) -> MetricAccumulator:  # noqa: ARG002
        """Keeps every row's class scores, so there is nothing more to keep."""
        return LogitsAccumulator(table)

    def correct(self, output: StepOutput, batch: Batch) -> Tensor:
        """(B,) 1 where the highest score is the label's."""
        hits_B = (output.logits_BK.argmax(-1) == batch.labels_B) & (batch.labels_B != UNLABELLED)
        return hits_B.float()

    def fit_probe(
        self, source: TeacherSource, table: ImageTable, spec: RunSpec
    ) -> tuple[Knowledge, RowIndices | None]:
        """A linear head on the pooled features of view 0."""
        assert spec.teacher is not None
        probe = Probe.fit(
            source.pooled_ND(view=0),
            table.labels_N,
            num_classes=len(table.classes),
            folds=spec.teacher.probe_folds,
            seed=spec.run.seed,
            calibrate=spec.teacher.calibrate,
        )
        return probe, probe.fold_N

    def add_class_scores(
        self, signals: Signals, knowledge: Knowledge, fold_B: RowIndices | None
    ) -> Signals:
        """The signals with `logits_BK`."""
        return replace(signals, logits_BK=knowledge.logits(signals, fold_B))


@dataclass(frozen=True)
class _LogitsPart:
    """What one process has seen of a table."""

    rows_n: RowIndices
    logits_nK: NDArray[np.float32]


class LogitsAccumulator:
    """Keeps (N, K) class scores and measures their accuracy."""

    def __init__(self, table: ImageTable) -> None:
        self.table = table
        self.rows: list[RowIndices] = []
        self.logits: list[NDArray[np.float32]] = []

    def add(self, rows_B: RowIndices, output: StepOutput, batch: Batch) -> None:  # noqa: ARG002
        self.rows.append(rows_B)
        self.logits.append(output.logits_BK.detach().float().cpu().numpy())

    def part(self) -> object:
        if not self.rows:
            return None
        return _LogitsPart(np.concatenate(self.rows), np.concatenate(self.logits))

    def result(self, parts: list[object]) -> EvalResult:
        found = [part for part in parts if isinstance(part, _LogitsPart)]
        logits_NK = np.empty((len(self.table), found[0].logits_nK.shape[1]), np.float32)
        for part in found:
            logits_NK[part.rows_n] = part.logits_nK
        return eval_result(logits_NK, self.table)


def eval_result(logits_NK: NDArray[np.float32], table: ImageTable) -> EvalResult:
    """What these class scores are worth on the labelled rows of a table."""
    metrics, details = classification(logits_NK, table.labels_N, table.classes)
    labelled_N = table.labels_N != UNLABELLED
    right_N = (logits_NK.argmax(1) == table.labels_N)[labelled_N]
    # A student that forgets a rare class gains in accuracy: its best epoch is another's.
    name = "f1" if is_uneven(table.labels_N) else "accuracy"

    def intervals() -> Intervals:
        confusion_KK = np.array(details["confusion_matrix"], np.int64)
        accuracy = wilson(int(right_N.sum()), len(right_N))
        return {"accuracy": accuracy, "f1": macro_f1(confusion_KK)}

    return EvalResult(
        primary_metric=metrics.get("accuracy", 0.0),
        selection=(name, metrics.get(name, 0.0)),
        loss=metrics.get("nll", 0.0),
        metrics=metrics,
        details=details,
        scores_N=right_N.astype(np.float64),
        logits_NK=logits_NK,
        intervals=intervals if len(right_N) else dict,
    )
