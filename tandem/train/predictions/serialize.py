"""What was answered to each row of a table, by kind, as lines of `predictions.jsonl`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tandem.train.types import UNLABELLED, ImageTable

PredictionLine = dict[str, object]
MOST_BOXES = 300
"""Boxes written of one image, true or answered."""
TOP = 5
_CHUNK = 1024


class Predictions(Protocol):
    """What a judge kept of its last evaluation."""

    score_name: str
    """Names `score` of each line; a sentence part for people."""
    has_pairs: bool
    """Whether lines have `pairs`: which classes of a picture were taken for which."""

    def lines(self, most: int) -> Iterator[PredictionLine]:
        """The first `most` rows in order: truth, answer, score, right, and what is known of the
        image (width, height)."""
        ...

    def masks(self) -> dict[int, tuple[bytes, bytes]]:
        """Row: its true and its answered mask as PNG, of those that are kept."""
        ...


def labels(
    label: str | None = None,
    confidence: float | None = None,
    *,
    boxes: list[PredictionLine] | None = None,
    has_mask: bool = False,
    top: list[PredictionLine] | None = None,
) -> PredictionLine:
    """`Labels` of docs/openapi.json."""
    return {
        "label": label,
        "confidence": number(confidence),
        "boxes": boxes or [],
        "has_mask": has_mask,
        "top": top or [],
    }


def number(value: float | None) -> float | None:
    """As JSON has it; None for what is no finite number."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)


class ClassPredictions:
    """One class a row, from the class scores that the judge keeps anyway."""

    score_name = "probability of the true class"
    has_pairs = False

    def __init__(
        self, logits_NK: NDArray[np.float32], table: ImageTable, temperature: float
    ) -> None:
        self.logits_NK, self.table, self.temperature = logits_NK, table, temperature

    def lines(self, most: int) -> Iterator[PredictionLine]:
        """As a predictor says it: after calibration."""
        for at in range(0, min(most, len(self.table)), _CHUNK):
            rows = slice(at, min(at + _CHUNK, most))
            chance_BK = _softmax(self.logits_NK[rows].astype(np.float64) / self.temperature)
            best_B = self.logits_NK[rows].argmax(1)  # as the confusion matrix counts
            order_BT = np.argsort(-chance_BK, axis=1, kind="stable")[:, :TOP]
            for one in zip(
                chance_BK, best_B.tolist(), order_BT.tolist(), self.table.labels_N[rows].tolist(),
                strict=True,
            ):  # fmt: skip
                yield self._line(*one)

    def masks(self) -> dict[int, tuple[bytes, bytes]]:
        return {}

    def _line(
        self, chance_K: NDArray[np.float64], best: int, order: list[int], true: int
    ) -> PredictionLine:
        names = self.table.classes
        top: list[PredictionLine] = [
            {"label": names[k], "confidence": number(chance_K[k])} for k in order
        ]
        known = true != UNLABELLED
        return {
            "truth": labels(names[true]) if known else None,
            "answer": labels(names[best], chance_K[best], top=top),
            "score": number(chance_K[true]) if known else None,
            "right": best == true if known else None,
        }


def _softmax(logits_BK: NDArray[np.float64]) -> NDArray[np.float64]:
    raised_BK = np.exp(logits_BK - logits_BK.max(1, keepdims=True))
    return np.asarray(raised_BK / raised_BK.sum(1, keepdims=True), np.float64)
