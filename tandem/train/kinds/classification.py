"""One picture, one class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tandem.spec.run import RunSpec
from tandem.train.data import classification as images
from tandem.train.kinds.base import EvalResult, Kind, MetricAccumulator, Rows
from tandem.train.kinds.metrics import classification
from tandem.train.knowledge.base import Knowledge
from tandem.train.knowledge.probe import Probe
from tandem.train.types import UNLABELLED, Batch, ImageTable, ProgressReporter, Splits, StepOutput


class LogitsJudge:
    """Keeps (N, K) class scores and judges them by accuracy."""

    def __init__(self, table: ImageTable) -> None:
        self.table = table
        self.rows: list[Rows] = []
        self.logits: list[NDArray[np.float32]] = []

    def add(self, rows_B: Rows, output: StepOutput, batch: Batch) -> None:  # noqa: ARG002
        self.rows.append(rows_B)
        self.logits.append(output.logits_BK.detach().float().cpu().numpy())

    def part(self) -> Any:
        if not self.rows:
            return None
        return np.concatenate(self.rows), np.concatenate(self.logits)

    def result(self, parts: list[Any]) -> EvalResult:
        found = [part for part in parts if part is not None]
        logits_NK = np.empty((len(self.table), found[0][1].shape[1]), np.float32)
        for rows, logits in found:
            logits_NK[rows] = logits
        return judged(logits_NK, self.table)


def judged(logits_NK: NDArray[np.float32], table: ImageTable) -> EvalResult:
    """What these class scores are worth on the labelled rows of a table."""
    metrics, details = classification(logits_NK, table.labels_N, table.classes)
    labelled_N = table.labels_N != UNLABELLED
    right_N = logits_NK.argmax(1) == table.labels_N
    return EvalResult(
        primary_metric=metrics.get("accuracy", 0.0),
        loss=metrics.get("nll", 0.0),
        metrics=metrics,
        details=details,
        scores_N=right_N[labelled_N].astype(np.float64),
        logits_NK=logits_NK,
    )


class Classification(Kind):
    """The plain case."""

    def read(self, spec: RunSpec, index_root: Path | None, progress: ProgressReporter) -> Splits:
        return images.read(spec.data, seed=spec.run.seed, index_root=index_root, progress=progress)

    def evaluator(self, table: ImageTable, keep: bool = False) -> MetricAccumulator:  # noqa: ARG002
        return LogitsJudge(table)

    def correct(self, output: StepOutput, batch: Batch) -> Tensor:
        hits_B = (output.logits_BK.argmax(-1) == batch.labels_B) & (batch.labels_B != UNLABELLED)
        return hits_B.float()

    def probe(self, source: Any, table: ImageTable, spec: RunSpec) -> tuple[Knowledge, Rows | None]:
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
