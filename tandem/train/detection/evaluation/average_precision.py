"""What boxes are worth: COCO's average precision, equal to pycocotools' to rounding.

Ultralytics' own figures, which it shows after each epoch, interpolate otherwise and differ in the
second or third digit; a report's are these. `benchmarks/map_speed.py` holds them against
pycocotools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.evaluation.matching import ClassMatches, match
from tandem.train.kinds.intervals import Floats, Intervals, drawn
from tandem.train.kinds.metrics import ClassFigures, mean_of
from tandem.train.predictions.boxes import DetectionArray

UNSURE = 0.25
"""The threshold of a class that nothing could be fitted on."""
RECALLS = np.linspace(0.0, 1.0, 101)
_WORK = 100_000_000
"""Found boxes, each at ten thresholds, that are looked at for intervals."""
_FEWEST, _MOST = 50, 500


@dataclass(frozen=True)
class DetectionScores:
    """On one split, 0 to 1."""

    metrics: dict[str, float]
    """map50, map50_95, and precision, recall and f1 at the thresholds: means over the classes."""
    per_class: list[ClassFigures]
    """None in place of a figure: the class has no box in the split."""
    thresholds: dict[str, float]
    """By class: the score above which its F1 is best, or what was given."""
    scores_N: NDArray[np.float64]
    """F1 of each annotated picture at these thresholds; of an empty one left empty, 1."""
    intervals: Callable[[], Intervals]
    """How sure map50 and map50_95 are, by pictures drawn again."""


def score(
    truth: DetectionTable,
    detections: list[DetectionArray],
    thresholds: Mapping[str, float] | None = None,
) -> DetectionScores:
    """Predictions against boxes; pictures that nobody looked at are left out.

    `thresholds`: by class, what was fitted before; empty or None: fitted here.
    """
    rows = [row for row in range(len(truth)) if truth.labelled(row)]
    matched = match(truth, rows, detections)
    precisions = [average_precisions(one) for one in matched]
    given = thresholds or {}
    cuts = [
        _Cut(one, given.get(name, UNSURE) if given else None)
        for name, one in zip(truth.classes, matched, strict=True)
    ]
    per_class = [
        _row(name, precision_T, cut)
        for name, precision_T, cut in zip(truth.classes, precisions, cuts, strict=True)
    ]
    known = [one for one in precisions if one is not None]
    metrics = _maps(np.stack(known)) if known else {"map50": 0.0, "map50_95": 0.0}
    for name in ("precision", "recall", "f1"):
        metrics[name] = mean_of(per_class, name)
    return DetectionScores(
        metrics,
        per_class,
        {name: cut.threshold for name, cut in zip(truth.classes, cuts, strict=True)},
        _f1_by_image(len(rows), cuts),
        partial(_intervals, matched, len(rows)),
    )


def _maps(precision_KT: Floats) -> dict[str, float]:
    return {"map50": float(precision_KT[:, 0].mean()), "map50_95": float(precision_KT.mean())}


def average_precisions(
    matches: ClassMatches, weight_N: NDArray[np.int64] | None = None
) -> Floats | None:
    """(10,): the precision at 101 recalls, in the mean; None where there is nothing to find.

    `weight_N`: how often each image counts.
    """
    there = matches.support if weight_N is None else int((matches.support_N * weight_N).sum())
    if not there:
        return None
    count_n = 1 if weight_N is None else weight_N[matches.image_n]
    hits_Tn = np.cumsum(matches.right_Tn * count_n, 1, dtype=np.float64)
    wrong_Tn = ~(matches.right_Tn | matches.ignored_Tn)
    wrong_Tn = np.cumsum(wrong_Tn * count_n, 1, dtype=np.float64)
    recall_Tn = hits_Tn / there
    precision_Tn = hits_Tn / np.maximum(hits_Tn + wrong_Tn, np.spacing(1))
    # Never lower than at a higher recall.
    precision_Tn = np.maximum.accumulate(precision_Tn[:, ::-1], 1)[:, ::-1]
    made_T = np.zeros(len(recall_Tn))
    for place, (recall_n, precision_n) in enumerate(zip(recall_Tn, precision_Tn, strict=True)):
        at_R = np.searchsorted(recall_n, RECALLS, side="left")
        reached = at_R < len(recall_n)
        made_T[place] = precision_n[at_R[reached]].sum() / len(RECALLS)
    return made_T


def _intervals(matched: Sequence[ClassMatches], images: int) -> Intervals:
    """The middle 95 % of both figures over images drawn again, as often as time allows."""
    if not images:
        return {}
    boxes = 10 * sum(len(one.scores_n) for one in matched)
    count = int(np.clip(_WORK // max(boxes, 1), _FEWEST, _MOST))
    made: dict[str, list[float]] = {"map50": [], "map50_95": []}
    for weight_N in _again(images, count):
        each = [average_precisions(one, weight_N) for one in matched]
        known = [one for one in each if one is not None]
        if known:
            for name, value in _maps(np.stack(known)).items():
                made[name].append(value)
    found: Intervals = {}
    for name, values in made.items():
        if values:
            low, high = np.percentile(values, (2.5, 97.5))
            found[name] = (float(low), float(high))
    return found


def _again(images: int, count: int) -> list[NDArray[np.int64]]:
    weights: list[NDArray[np.int64]] = []
    for block in drawn(np.full(images, 1 / images), images):
        weights += list(block[: count - len(weights)])
        if len(weights) == count:
            break
    return weights


class _Cut:
    """Precision, recall and F1 of one class at IoU 0.5, above a threshold given or the best."""

    def __init__(self, matches: ClassMatches, given: float | None) -> None:
        counted = ~matches.ignored_Tn[0]
        self.scores_n = matches.scores_n[counted]
        self.right_n = matches.right_Tn[0][counted]
        self.image_n = matches.image_n[counted]
        self.support_N = matches.support_N
        self.support = matches.support
        self.precision = self.recall = self.f1 = 0.0
        self.threshold = UNSURE if given is None else given
        if not self.support or not len(self.scores_n):
            return
        if given is None:
            self._fit()
        else:
            self._measure(int((self.scores_n > given).sum()))

    def _fit(self) -> None:
        hits_n = self.right_n.cumsum()
        f1_n = 2 * hits_n / (np.arange(1, len(hits_n) + 1) + self.support)
        # Equal scores fall together: only the last of them is a place to cut.
        last_n = np.append(self.scores_n[1:] < self.scores_n[:-1], True)
        best = int(np.where(last_n, f1_n, -1).argmax())
        below = self.scores_n[best + 1] if best + 1 < len(self.scores_n) else 0.0
        # Half-way to the next lower score: a predictor's rounding moves no box across it.
        self.threshold = float((self.scores_n[best] + below) / 2)
        self._measure(best + 1)

    def _measure(self, kept: int) -> None:
        hits = int(self.right_n[:kept].sum())
        self.precision = hits / max(kept, 1)
        self.recall = hits / self.support
        self.f1 = 2 * hits / (kept + self.support)


def _f1_by_image(images: int, cuts: Sequence[_Cut]) -> Floats:
    """2 hits over what was found and what was there."""
    hits_N, found_N, there_N = (np.zeros(images) for _ in range(3))
    for cut in cuts:
        kept_n = cut.scores_n > cut.threshold
        image_n, right_n = cut.image_n[kept_n], cut.right_n[kept_n]
        hits_N += np.bincount(image_n[right_n], minlength=images)
        found_N += np.bincount(image_n, minlength=images)
        there_N += cut.support_N
    empty = found_N + there_N == 0
    return np.where(empty, 1.0, 2 * hits_N / np.where(empty, 1, found_N + there_N))


def _row(name: str, precision_T: Floats | None, cut: _Cut) -> ClassFigures:
    figures: dict[str, float] = {"precision": cut.precision, "recall": cut.recall, "f1": cut.f1}
    maps: dict[str, float | None] = {"map50": None, "map50_95": None}
    if precision_T is not None:
        maps = {"map50": float(precision_T[0]), "map50_95": float(precision_T.mean())}
    known = {key: value if cut.support else None for key, value in figures.items()}
    return {
        "class": name,
        **maps,
        **known,
        "support": cut.support,
        "threshold": cut.threshold,
    }
