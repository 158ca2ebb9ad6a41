"""What a segmentation student answered: every picture's IoU, and the masks of some of them."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tandem.train.predictions.serialize import PredictionLine, labels, number
from tandem.train.types import UNLABELLED, ImageTable

MOST_WORST, MOST_BEST = 350, 150
MOST_PAIRS = 40
"""Pairs (true class, answered class) that one image is listed under."""
LEAST_SHARE = 0.002
"""The share of an image's pixels that a pair needs to be listed."""

ClassIndices = NDArray[np.uint8]
Pngs = tuple[bytes, bytes]
"""The true mask and the answered one."""


class MaskReservoir:
    """Keeps the masks of the worst and the best pictures as they come, never more."""

    def __init__(self, worst: int = MOST_WORST, best: int = MOST_BEST) -> None:
        self.most = (worst, best)
        # (key, -row): the first of each heap is the next to go.
        self.heaps: tuple[list[tuple[float, int]], list[tuple[float, int]]] = ([], [])
        self.kept: dict[int, Pngs] = {}
        self.pairs: dict[int, list[list[int]]] = {}

    def add(
        self,
        row: int,
        iou: float,
        count_KK: NDArray[np.int64],
        truth_HW: ClassIndices,
        answer_HW: ClassIndices,
    ) -> None:
        """A picture's pixel counts (rows: the true class) and its masks, as the model saw it."""
        self.pairs[row] = _pairs(count_KK)
        if self._takes(row, iou):
            self.kept[row] = (_png(truth_HW), _png(answer_HW))

    def join(self, other: MaskReservoir, ious_N: NDArray[np.float64]) -> None:
        """Take in what another process kept."""
        self.pairs |= other.pairs
        for row, pngs in other.kept.items():
            if self._takes(row, float(ious_N[row])):
                self.kept[row] = pngs

    def _takes(self, row: int, iou: float) -> bool:
        """Whether a heap has room for it; what it pushes out of both is forgotten."""
        gone = []
        for heap, most, key in zip(self.heaps, self.most, (-iou, iou), strict=True):
            heapq.heappush(heap, (key, -row))
            if len(heap) > most:
                gone.append(-heapq.heappop(heap)[1])
        for one in gone:
            if one != row and not any(-held == one for heap in self.heaps for _, held in heap):
                self.kept.pop(one, None)
        return gone.count(row) < len(self.heaps)


@dataclass(frozen=True)
class MaskPredictions:
    """Every row's score, and the masks that were kept of some."""

    table: ImageTable
    scores_N: NDArray[np.float64]
    keeper: MaskReservoir

    score_name = "mean IoU of the picture"
    has_pairs = True

    def lines(self, most: int) -> Iterator[PredictionLine]:
        """`pairs`: [true class, answered class] of its pixels, the most frequent first."""
        for row in range(min(most, len(self.table))):
            has_mask = row in self.keeper.kept
            looked_at = self.table.labels_N[row] != UNLABELLED
            yield {
                "truth": labels(has_mask=has_mask) if looked_at else None,
                "answer": labels(has_mask=has_mask),
                "score": number(float(self.scores_N[row])) if looked_at else None,
                "right": None,
                "pairs": self.keeper.pairs.get(row, []),
            }

    def masks(self) -> dict[int, Pngs]:
        return self.keeper.kept


def _pairs(count_KK: NDArray[np.int64]) -> list[list[int]]:
    least = max(1.0, LEAST_SHARE * float(count_KK.sum()))
    true_P, answered_P = np.nonzero(count_KK >= least)
    order = np.argsort(-count_KK[true_P, answered_P], kind="stable")[:MOST_PAIRS]
    return np.stack([true_P[order], answered_P[order]], 1).tolist()  # type: ignore[no-any-return]


def _png(mask_HW: ClassIndices) -> bytes:
    out = io.BytesIO()
    Image.fromarray(mask_HW).save(out, "PNG", compress_level=3)
    return out.getvalue()
