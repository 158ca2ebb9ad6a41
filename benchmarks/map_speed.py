"""The mAP of 5,000 pictures of 80 classes, beside pycocotools on the same boxes.

Ours is timed from the arrays to every figure of a report; pycocotools by `evaluate` and
`accumulate` alone, its dictionaries made before, on the figures' own area and limit of boxes too
(`same work`), so that nothing it computes beside them is held against it. faster-coco-eval is told
where it is installed. All figures must be equal to 1e-6.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import time
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.row import Row
from tandem.data.content import Item, Shape
from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.evaluation.average_precision import score
from tandem.train.predictions.boxes import DetectionArray

NEEDED = 4.0
IMAGES, CLASSES, SIDE = 5000, 80, 640


def made(images: int, seed: int = 0) -> tuple[DetectionTable, list[DetectionArray]]:
    """Some seven things a picture as in COCO, each found about right, and 30 boxes of nothing."""
    random = np.random.default_rng(seed)
    items, found = [], []
    for number in range(images):
        count = int(random.poisson(7))
        labels = random.integers(0, CLASSES, count)
        corner, size = random.uniform(0, 480, (count, 2)), random.uniform(10, 160, (count, 2))
        true = np.concatenate([corner, corner + size], 1)
        shapes = [
            Shape(int(label), tuple(box), crowd=bool(random.random() < 0.01))
            for label, box in zip(labels, true.tolist(), strict=True)
        ]
        items.append(Item(f"{number}.jpg".encode(), SIDE, SIDE, shapes=shapes))
        near = true + random.normal(0, 6, true.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        corner, size = random.uniform(0, 480, (30, 2)), random.uniform(10, 160, (30, 2))
        far = np.concatenate([corner, corner + size], 1)
        sure = np.concatenate([random.beta(4, 2, count), random.beta(1, 6, 30)])
        said = np.concatenate([labels, random.integers(0, CLASSES, 30)])
        boxes = np.concatenate([np.concatenate([near, far]), sure[:, None], said[:, None]], 1)
        found.append(boxes.astype(np.float32))
    names = tuple(f"class {number}" for number in range(CLASSES))
    return DetectionTable(Path(), items, names, np.zeros((images, 16), np.uint8), 10**6), found


def as_coco(truth: DetectionTable, found: list[DetectionArray]) -> tuple[COCO, COCO]:
    """The same as pycocotools' dictionaries."""
    said: list[dict[str, object]] = []
    true: list[dict[str, object]] = []
    for row, item in enumerate(truth.items):
        for shape in item.shapes or []:
            true.append(_entry(row, shape.label, shape.bounds(), len(true), crowd=shape.crowd))
        for *box, sure, label in found[row].tolist():
            said.append(_entry(row, int(label), tuple(box), len(said)) | {"score": sure})
    return _coco(truth, true), _coco(truth, said)


def _entry(
    row: int, label: int, box: tuple[float, ...], number: int, *, crowd: bool = False
) -> dict[str, object]:
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    return {
        "id": number + 1, "image_id": row + 1, "category_id": label + 1, "iscrowd": int(crowd),
        "bbox": [left, top, wide, high], "area": wide * high,
    }  # fmt: skip


def _coco(truth: DetectionTable, annotations: list[dict[str, object]]) -> COCO:
    coco = COCO()
    coco.dataset = {
        "images": [{"id": row + 1} for row in range(len(truth))],
        "annotations": annotations,
        "categories": [{"id": k + 1, "name": name} for k, name in enumerate(truth.classes)],
    }
    coco.createIndex()
    return coco


def by_coco(kind: Any, boxes: tuple[COCO, COCO], *, same_work: bool = False) -> tuple[float, Any]:
    """Seconds of its evaluation, and the precisions."""
    evaluation = kind(*boxes, "bbox")
    if same_work:
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [100]
    began = time.perf_counter()
    evaluation.evaluate()
    evaluation.accumulate()
    return time.perf_counter() - began, evaluation.eval["precision"][:, :, :, 0, -1]


def measure(images: int = IMAGES) -> list[Row]:
    """The ratio to pycocotools as it is used; the others are told beside it."""
    truth, found = made(images)
    began = time.perf_counter()
    ours = score(truth, found)
    mine = time.perf_counter() - began
    with contextlib.redirect_stdout(io.StringIO()):
        boxes = as_coco(truth, found)
        usual, precision = by_coco(COCOeval, boxes)
        same, _ = by_coco(COCOeval, boxes, same_work=True)
    for name, theirs in (("map50", precision[0]), ("map50_95", precision)):
        if abs(float(theirs[theirs > -1].mean()) - ours.metrics[name]) > 1e-6:
            raise SystemExit(f"{name}: {ours.metrics[name]} is not pycocotools'")
    note = f"{mine:.1f} s against {usual:.1f} s; {same / mine:.1f} x with the same work"
    return [
        Row(
            f"mAP of {images:,} pictures of {CLASSES} classes over pycocotools, equal to 1e-6",
            f"{usual / mine:.1f} x",
            f"≥ {NEEDED:g} x",
            usual / mine >= NEEDED,
            note + _faster(boxes, mine),
        )
    ]


def _faster(boxes: tuple[COCO, COCO], mine: float) -> str:
    try:
        faster: Any = importlib.import_module("faster_coco_eval")
    except ModuleNotFoundError:
        return ""
    copies = []
    for one in boxes:
        copy = faster.COCO()
        copy.dataset = one.dataset
        copy.createIndex()
        copies.append(copy)
    with contextlib.redirect_stdout(io.StringIO()):
        seconds, _ = by_coco(faster.COCOeval_faster, (copies[0], copies[1]))
    return f"; faster-coco-eval {seconds:.1f} s ({seconds / mine:.1f} x ours)"


if __name__ == "__main__":
    for row in measure():
        print(row)
