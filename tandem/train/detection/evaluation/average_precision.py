"""What boxes are worth: COCO's average precision, by pycocotools itself.

Ultralytics' own figures, which it shows after each epoch, interpolate otherwise and differ in the
second or third digit; a report's are these.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tandem.train.data.boxes import DetectionTable
from tandem.train.kinds.metrics import ClassFigures, mean_of
from tandem.train.predictions.boxes import DetectionArray

Floats = NDArray[np.float64]


class CocoAnnotation(TypedDict, total=False):
    """A box as pycocotools reads it; ids count from 1."""

    id: int
    image_id: int
    category_id: int
    bbox: list[float]
    """Left, top, width, height in pixels."""
    area: float
    iscrowd: int
    score: float


class CocoMatches(TypedDict):
    """What pycocotools matched in one image for one class; T IoU thresholds, best score first."""

    dtScores: list[float]
    dtMatches: Floats
    """(T, n): the id of the true box, 0 for none."""
    dtIgnore: NDArray[np.bool_]
    """(T, n): what lies on a crowd."""
    gtIgnore: NDArray[np.bool_]
    """(m,)."""


UNSURE = 0.25
"""The threshold of a class that nothing could be fitted on."""
_ALL_AREAS, _MOST_FOUND = 0, -1


@dataclass(frozen=True)
class DetectionScores:
    """On one split, 0 to 1."""

    metrics: dict[str, float]
    """map50, map50_95, and precision, recall and f1 at the thresholds: means over the classes."""
    per_class: list[ClassFigures]
    """None in place of a figure: the class has no box in the split."""
    thresholds: dict[str, float]
    """By class: the score above which its F1 is best."""
    scores_N: NDArray[np.float64]
    """F1 of each annotated picture at these thresholds; of an empty one left empty, 1."""


def score(truth: DetectionTable, detections: list[DetectionArray]) -> DetectionScores:
    """Predictions against boxes; pictures that nobody looked at are left out."""
    rows = [row for row in range(len(truth)) if truth.labelled(row)]
    # pycocotools prints its tables; stdout is for a run's events.
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_truth(truth, rows), _predictions(truth, rows, detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    # (IoU thresholds, recalls, classes): -1 where a class has nothing to find
    precision_TRK = evaluation.eval["precision"][:, :, :, _ALL_AREAS, _MOST_FOUND]
    curves = [_Curve(_of_class(evaluation, k)) for k in range(len(truth.classes))]
    per_class = [
        _row(name, precision_TRK[:, :, k], curves[k]) for k, name in enumerate(truth.classes)
    ]
    metrics = {"map50": _mean(precision_TRK[0]), "map50_95": _mean(precision_TRK)}
    for name in ("precision", "recall", "f1"):
        metrics[name] = mean_of(per_class, name)
    return DetectionScores(
        metrics,
        per_class,
        {name: curve.threshold for name, curve in zip(truth.classes, curves, strict=True)},
        _f1_by_image(evaluation, curves),
    )


def _truth(truth: DetectionTable, rows: list[int]) -> COCO:
    annotations: list[CocoAnnotation] = []
    for row in rows:
        for shape in truth.items[row].shapes or []:
            left, top, right, bottom = shape.bounds()
            annotations.append(
                _annotation(row, shape.label, (left, top, right, bottom))
                | {"id": len(annotations) + 1, "iscrowd": int(shape.crowd)}
            )
    return _coco(truth, rows, annotations)


def _predictions(truth: DetectionTable, rows: list[int], detections: list[DetectionArray]) -> COCO:
    annotations: list[CocoAnnotation] = []
    for row in rows:
        for *box, score, label in detections[row].tolist():
            annotations.append(
                _annotation(row, int(label), tuple(box))
                | {"id": len(annotations) + 1, "iscrowd": 0, "score": score}
            )
    return _coco(truth, rows, annotations)


def _annotation(row: int, label: int, box: tuple[float, ...]) -> CocoAnnotation:
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    return {
        "image_id": row + 1,
        "category_id": label + 1,
        "bbox": [left, top, width, height],
        "area": width * height,
    }


def _coco(truth: DetectionTable, rows: list[int], annotations: list[CocoAnnotation]) -> COCO:
    # Filled by hand: its constructor reads a file, and its loadRes a copy of the first.
    coco = COCO()
    coco.dataset = {
        "images": [{"id": row + 1} for row in rows],
        "annotations": annotations,
        "categories": [{"id": k + 1, "name": name} for k, name in enumerate(truth.classes)],
    }
    coco.createIndex()
    return coco


def _of_class(evaluation: COCOeval, k: int) -> list[CocoMatches | None]:
    """What was matched in each picture, of objects of any area."""
    images, areas = len(evaluation.params.imgIds), len(evaluation.params.areaRng)
    start = (k * areas + _ALL_AREAS) * images
    matched: list[CocoMatches | None] = evaluation.evalImgs[start : start + images]
    return matched


class _Curve:
    """Precision and recall of one class over its scores, at IoU 0.5."""

    def __init__(self, matched: list[CocoMatches | None]) -> None:
        self.matched = matched
        there = [one for one in matched if one is not None]
        self.support = sum(int((np.asarray(one["gtIgnore"]) == 0).sum()) for one in there)
        self.precision = self.recall = self.f1 = 0.0
        self.threshold = UNSURE
        parts = [_right(one) for one in there]
        if self.support and sum(len(scores) for scores, _ in parts):
            self._fit(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))

    def _fit(self, scores_n: Floats, right_n: NDArray[np.bool_]) -> None:
        # Stable, as pycocotools sorts: equal scores keep the order of their images.
        order = np.argsort(-scores_n, kind="mergesort")
        scores_n, right_n = scores_n[order], right_n[order]
        hits_n = right_n.cumsum()
        precision_n = hits_n / np.arange(1, len(hits_n) + 1)
        recall_n = hits_n / self.support
        f1_n = 2 * hits_n / (np.arange(1, len(hits_n) + 1) + self.support)
        # Equal scores fall together: only the last of them is a place to cut.
        last_n = np.append(scores_n[1:] < scores_n[:-1], True)
        best = int(np.where(last_n, f1_n, -1).argmax())
        below = scores_n[best + 1] if best + 1 < len(scores_n) else 0.0
        self.precision, self.recall = float(precision_n[best]), float(recall_n[best])
        self.f1 = float(f1_n[best])
        # Half-way to the next lower score: a predictor's rounding moves no box across it.
        self.threshold = float((scores_n[best] + below) / 2)


def _right(one: CocoMatches) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores, and whether each is right; what fell on a crowd is neither."""
    counted = np.asarray(one["dtIgnore"][0]) == 0
    scores_n, matches_n = np.asarray(one["dtScores"]), np.asarray(one["dtMatches"][0])
    return scores_n[counted], matches_n[counted] > 0


def _f1_by_image(evaluation: COCOeval, curves: list[_Curve]) -> NDArray[np.float64]:
    """2 hits over what was found and what was there."""
    images = len(evaluation.params.imgIds)
    hits_N, found_N, there_N = (np.zeros(images) for _ in range(3))
    for curve in curves:
        for place, one in enumerate(curve.matched):
            if one is None:
                continue
            scores_n, right_n = _right(one)
            kept = scores_n > curve.threshold
            hits_N[place] += right_n[kept].sum()
            found_N[place] += kept.sum()
            there_N[place] += (np.asarray(one["gtIgnore"]) == 0).sum()
    empty = found_N + there_N == 0
    return np.where(empty, 1.0, 2 * hits_N / np.where(empty, 1, found_N + there_N))


def _row(name: str, precision_TR: Floats, curve: _Curve) -> ClassFigures:
    figures = {
        "map50": _mean(precision_TR[0]),
        "map50_95": _mean(precision_TR),
        "precision": curve.precision,
        "recall": curve.recall,
        "f1": curve.f1,
    }
    known = {key: value if curve.support else None for key, value in figures.items()}
    return {"class": name, **known, "support": curve.support, "threshold": curve.threshold}


def _mean(values: Floats) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else 0.0
