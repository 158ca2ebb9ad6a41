"""mAP as pycocotools computes it, on predictions made by hand."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tandem.data.content import Item, Shape
from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.evaluation.average_precision import score

CLASSES = ("cat", "dog", "bird")
SIDE = 200


def truth(random: np.random.Generator, table: int) -> DetectionTable:
    """Some pictures are empty, one was never looked at, and some boxes are crowds."""
    items = []
    for row in range(table):
        shapes = [
            Shape(int(random.integers(2)), _box(random), crowd=bool(random.random() < 0.15))
            for _ in range(int(random.integers(0, 5)))
        ]
        items.append(Item(f"{row}.png".encode(), SIDE, SIDE, shapes=None if row == 3 else shapes))
    return DetectionTable(Path(), items, CLASSES, np.zeros((table, 16), np.uint8), 10**6)


def _box(random: np.random.Generator) -> tuple[float, float, float, float]:
    left, top = random.uniform(0, 120, 2)
    width, height = random.uniform(10, 80, 2)
    return float(left), float(top), float(left + width), float(top + height)


def predictions(random: np.random.Generator, split: DetectionTable) -> list[np.ndarray]:
    """Near the truth, beside it, twice, of the wrong class, and some of nothing."""
    found = []
    for item in split.items:
        rows = []
        for shape in item.shapes or []:
            for _ in range(int(random.integers(0, 3))):
                box = np.array(shape.bounds()) + random.normal(0, 5, 4)
                label = shape.label if random.random() < 0.8 else int(random.integers(3))
                rows.append([*np.sort(box.reshape(2, 2), 0).flatten(), random.random(), label])
        rows += [[*_box(random), random.random(), int(random.integers(3))] for _ in range(2)]
        found.append(np.array(rows, np.float64).reshape(-1, 6))
    return found


def by_pycocotools(split: DetectionTable, found: list[np.ndarray]) -> np.ndarray:
    """Its usual twelve figures, through files' own way: createIndex and loadRes."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        looked = [row for row, item in enumerate(split.items) if item.shapes is not None]
        annotations = []
        for row in looked:
            for shape in split.items[row].shapes:
                left, top, right, bottom = shape.bounds()
                annotations.append({
                    "id": len(annotations) + 1, "image_id": row, "category_id": shape.label,
                    "bbox": [left, top, right - left, bottom - top], "iscrowd": int(shape.crowd),
                    "area": (right - left) * (bottom - top),
                })  # fmt: skip
        coco.dataset = {
            "info": {},
            "images": [{"id": row} for row in looked],
            "annotations": annotations,
            "categories": [{"id": k, "name": name} for k, name in enumerate(CLASSES)],
        }
        coco.createIndex()
        said = [
            {"image_id": row, "category_id": int(k), "score": score, "bbox": [x, y, x2 - x, y2 - y]}
            for row in looked
            for x, y, x2, y2, score, k in found[row].tolist()
        ]
        evaluation = COCOeval(coco, coco.loadRes(said), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(4))
def test_the_figures_are_those_of_pycocotools(seed: int) -> None:
    random = np.random.default_rng(seed)
    split = truth(random, 24)
    found = predictions(random, split)
    said, expected = score(split, found), by_pycocotools(split, found)
    assert said.metrics["map50_95"] == pytest.approx(expected[0], abs=1e-6)
    assert said.metrics["map50"] == pytest.approx(expected[1], abs=1e-6)
    assert 0 < said.metrics["map50_95"] < said.metrics["map50"] < 1
    assert len(said.scores_N) == 23  # nobody looked at the fourth
    assert [row["support"] for row in said.per_class] == [
        sum(one.label == k and not one.crowd for item in split.items for one in item.shapes or [])
        for k in range(3)
    ]


def test_perfect_boxes_are_worth_one_and_none_nothing() -> None:
    random = np.random.default_rng(9)
    split = truth(random, 10)
    perfect = [
        np.array(
            [[*one.bounds(), 0.9, one.label] for one in item.shapes or [] if not one.crowd]
        ).reshape(-1, 6)
        for item in split.items
    ]
    best = score(split, perfect)
    assert best.metrics == pytest.approx(dict.fromkeys(best.metrics, 1.0))
    assert best.scores_N.tolist() == [1.0] * 9
    assert best.thresholds["cat"] < 0.9
    none = score(split, [np.zeros((0, 6))] * 10)
    assert set(none.metrics.values()) == {0.0}


def test_the_threshold_is_where_f1_is_best() -> None:
    shapes = [Shape(0, (0.0, 0.0, 20.0, 20.0)), Shape(0, (50.0, 50.0, 90.0, 90.0))]
    split = DetectionTable(
        Path(), [Item(b"a", 100, 100, shapes=shapes)], ("cat",), np.zeros((1, 16), np.uint8), 10**6
    )
    right = [[*one.bounds(), score, 0] for one, score in zip(shapes, (0.8, 0.6), strict=True)]
    wrong = [[70, 0, 90, 20, 0.3, 0], [0, 70, 20, 90, 0.2, 0]]
    said = score(split, [np.array(right + wrong, float)])
    assert said.thresholds["cat"] == pytest.approx(0.45)
    assert said.metrics["precision"] == said.metrics["recall"] == 1.0


def test_a_detection_on_a_crowd_is_no_mistake() -> None:
    shapes = [Shape(0, (0.0, 0.0, 20.0, 20.0)), Shape(0, (40.0, 40.0, 100.0, 100.0), crowd=True)]
    split = DetectionTable(
        Path(), [Item(b"a", 100, 100, shapes=shapes)], ("cat",), np.zeros((1, 16), np.uint8), 10**6
    )
    found = np.array([[0, 0, 20, 20, 0.5, 0], [45, 45, 60, 60, 0.9, 0], [70, 70, 90, 90, 0.8, 0]])
    assert score(split, [found.astype(float)]).metrics["map50"] == pytest.approx(1)


def test_thresholds_of_before_are_taken_as_they_are() -> None:
    """On a test split nothing is fitted: mAP is the same, F1 is that of the given cut."""
    random = np.random.default_rng(4)
    split = truth(random, 24)
    found = predictions(random, split)
    fitted = score(split, found)
    again = score(split, found, fitted.thresholds)
    assert again.metrics == pytest.approx(fitted.metrics)
    given = score(split, found, {"cat": 0.9, "dog": 0.9, "bird": 0.9})
    assert given.metrics["map50"] == pytest.approx(fitted.metrics["map50"])
    assert given.metrics["f1"] < fitted.metrics["f1"]
    assert set(given.thresholds.values()) == {0.9}


def test_the_interval_holds_the_figure_and_is_that_of_images_drawn_again() -> None:
    random = np.random.default_rng(6)
    split = truth(random, 24)
    found = predictions(random, split)
    scores = score(split, found)
    low, high = scores.intervals()["map50"]
    assert low < scores.metrics["map50"] < high
    assert scores.intervals()["map50"] == (low, high)
    looked = [row for row, item in enumerate(split.items) if item.shapes is not None]
    by_hand = []
    for _ in range(150):
        rows = random.choice(looked, len(looked))
        drawn = DetectionTable(
            Path(), [split.items[row] for row in rows], CLASSES, split.hashes_N[rows], 10**6
        )
        by_hand.append(score(drawn, [found[row] for row in rows]).metrics["map50"])
    assert (low, high) == pytest.approx(np.percentile(by_hand, (2.5, 97.5)), abs=0.04)
