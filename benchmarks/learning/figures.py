"""How good a trained model is on pictures that no run has seen: by `tandem.load` and `predict`.

The figures are computed here from what is predicted, by other code than the report's: accuracy and
macro-F1 by scikit-learn, the calibration error by its definition, boxes by pycocotools.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

import tandem
from tandem.predict.answers import Detections, SegmentationMask
from tandem.predict.prediction import Prediction
from tandem.predict.predictor import load

BINS = 15


@dataclass(frozen=True)
class Box:
    """Left, top, right, bottom in pixels."""

    label: str
    edges: tuple[float, float, float, float]


def classes(model: Path, inputs: Sequence[Any], labels: Sequence[str]) -> dict[str, float]:
    """`accuracy`, `macro_f1`, `ece` (15 equal bins) and `nll` (nats) of a classifier."""
    said = tandem.load(model, device="cpu").predict(list(inputs))
    answers = [one for one in said if isinstance(one, Prediction)]
    found = [one.label for one in answers]
    right = np.array([a == b for a, b in zip(found, labels, strict=True)])
    sure = np.array([one.confidence for one in answers])
    chances = [one.probabilities[label] for one, label in zip(answers, labels, strict=True)]
    return {
        "accuracy": float(accuracy_score(labels, found)),
        "macro_f1": float(f1_score(labels, found, average="macro", labels=sorted(set(labels)))),
        "ece": calibration_error(sure, right),
        "nll": float(-np.log(np.maximum(chances, 1e-300)).mean()),
    }


def calibration_error(sure_N: NDArray[np.float64], right_N: NDArray[np.bool_]) -> float:
    """Guo et al. 2017, eq. 3: bins open below and closed above, each by its share of samples."""
    total = 0.0
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        inside = (sure_N > low) & (sure_N <= high)
        if inside.any():
            gap = abs(float(right_N[inside].mean()) - float(sure_N[inside].mean()))
            total += gap * float(inside.mean())
    return total


def masks(
    model: Path, images: Sequence[Path], truth_NHW: NDArray[np.uint8], count: int
) -> dict[str, float]:
    """`miou`: intersection over union of all images' pixels, its mean over the classes."""
    overlap, union = np.zeros(count), np.zeros(count)
    for answer, mask in zip(tandem.load(model, device="cpu").predict(list(images)), truth_NHW,
                            strict=True):  # fmt: skip
        assert isinstance(answer, SegmentationMask)
        for label in range(count):
            mine, true = answer.mask_HW == label, mask == label
            overlap[label] += (mine & true).sum()
            union[label] += (mine | true).sum()
    return {"miou": float((overlap[union > 0] / union[union > 0]).mean())}


def boxes(
    model: Path, images: Sequence[Path], truth: Sequence[Sequence[Box]], size: int
) -> dict[str, float]:
    """`map50` and `map` (0.50 to 0.95) by pycocotools, of all boxes surer than 0.001."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    predictor = load(model, device="cpu", threshold=0.001)
    number = {name: at + 1 for at, name in enumerate(predictor.classes)}
    found = []
    for at, answer in enumerate(predictor.predict(list(images))):
        assert isinstance(answer, Detections)
        found += [
            {"image_id": at + 1, "category_id": number[one.label], "score": one.confidence,
             "bbox": _bbox(one.box)}
            for one in answer.found
        ]  # fmt: skip
    annotations = [
        {"id": 0, "image_id": at + 1, "category_id": number[box.label], "iscrowd": 0,
         "bbox": _bbox(box.edges), "area": _bbox(box.edges)[2] * _bbox(box.edges)[3]}
        for at, several in enumerate(truth)
        for box in several
    ]  # fmt: skip
    for at, one in enumerate(annotations):
        one["id"] = at + 1
    if not found:
        return {"map50": 0.0, "map": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):
        given = COCO()
        given.dataset = {
            "images": [{"id": at + 1, "width": size, "height": size} for at in range(len(images))],
            "categories": [{"id": place, "name": name} for name, place in number.items()],
            "annotations": annotations,
        }
        given.createIndex()
        evaluation = COCOeval(given, given.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"map50": float(evaluation.stats[1]), "map": float(evaluation.stats[0])}


def _bbox(edges: tuple[float, float, float, float]) -> list[float]:
    left, top, right, bottom = edges
    return [left, top, right - left, bottom - top]
