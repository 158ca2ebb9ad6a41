"""What a detector answered: the boxes above each class's threshold, as its predictor gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import Item, Points, Shape
from tandem.train.predictions.serialize import MOST_BOXES, PredictionLine, labels, number

MOST_POINTS = 5_000
"""Points of one image's outlines; where there are more, boxes are shown alone."""


DetectionArray = NDArray[np.float32]
"""(n, 6): left, top, right, bottom, score, class, in pixels of the picture."""


def above_threshold(
    found: Sequence[DetectionArray], classes: Sequence[str], thresholds: dict[str, float]
) -> list[DetectionArray]:
    """Each image's boxes above their class's threshold: these are what is answered."""
    least_K = np.array([thresholds[name] for name in classes])
    return [one_n6[one_n6[:, 4] > least_K[one_n6[:, 5].astype(np.int64)]] for one_n6 in found]


class LabelledImages(Protocol):
    """`yolo.data.images.DetectionTable`, as far as it is needed here."""

    @property
    def items(self) -> Sequence[Item]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...


class BoxPredictions:
    """The boxes that a detector answers in each image of a split, as `above_threshold` gives."""

    score_name = "F1 at IoU 0.5"
    has_pairs = True

    def __init__(
        self,
        split: LabelledImages,
        detections_N: Sequence[DetectionArray],
        scores_N: NDArray[np.float64],
        pairs_N: Sequence[list[list[int]]],
    ) -> None:
        self.split, self.kept, self.scores_N, self.pairs_N = split, detections_N, scores_N, pairs_N

    def lines(self, most: int) -> Iterator[PredictionLine]:
        """`scores_N` has a figure for each picture that somebody has looked at, and no other.

        `pairs`: [true class, answered class], `len(classes)` standing for nothing.
        """
        scores = iter(self.scores_N.tolist())
        for item, kept_N6, pairs in zip(
            self.split.items[:most], self.kept, self.pairs_N, strict=False
        ):
            shapes = item.shapes
            score = None if shapes is None else next(scores)
            yield {
                "width": item.width or None,
                "height": item.height or None,
                "truth": None if shapes is None else labels(boxes=self._true(shapes)),
                "answer": labels(boxes=self._answered(kept_N6)),
                "score": number(score),
                "right": None if score is None else score >= 1,
                "pairs": pairs,
            }

    def masks(self) -> dict[int, tuple[bytes, bytes]]:
        return {}

    def _true(self, shapes: list[Shape]) -> list[PredictionLine]:
        drawn = shapes[:MOST_BOXES]
        few = sum(len(ring) for one in drawn for ring in one.outlines) <= MOST_POINTS
        return [
            self._box(one.label, one.bounds(), None, one.outlines if few else ()) for one in drawn
        ]

    def _answered(self, kept_N6: DetectionArray) -> list[PredictionLine]:
        order = np.argsort(-kept_N6[:, 4], kind="stable")[:MOST_BOXES]
        return [
            self._box(int(one[5]), (one[0], one[1], one[2], one[3]), one[4], ())
            for one in kept_N6[order].tolist()
        ]

    def _box(
        self,
        label: int,
        bounds: tuple[float, float, float, float],
        confidence: float | None,
        outlines: tuple[Points, ...],
    ) -> PredictionLine:
        left, top, right, bottom = bounds
        rings = [np.round(ring, 2).tolist() for ring in outlines] or None
        return {
            "label": self.split.classes[label],
            "box": [round(float(x), 2) for x in (left, top, right - left, bottom - top)],
            "confidence": number(confidence),
            "outlines": rings,
        }
