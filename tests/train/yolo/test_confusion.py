"""Which class is taken for which, on boxes made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tandem.data.content import Item, Shape
from tandem.train.data.boxes import DetectionTable
from tandem.train.detection.evaluation.average_precision import score
from tandem.train.detection.evaluation.confusion import confusion
from tandem.train.predictions.boxes import above_threshold
from tests.train.yolo.test_average_precision import predictions, truth

CAT, DOG, NOTHING = 0, 1, 2
LEAST = {"cat": 0.5, "dog": 0.3}
LEFT, RIGHT = (0.0, 0.0, 40.0, 40.0), (50.0, 50.0, 90.0, 90.0)


def taken(shapes: list[Shape] | None, *found: tuple) -> tuple[list[list[int]], list[list[int]]]:
    """The matrix and the pairs of one picture; found: (box, score, class)."""
    items = [Item(b"a.png", 100, 100, shapes=shapes)]
    split = DetectionTable(Path(), items, ("cat", "dog"), np.zeros((1, 16), np.uint8), 10**6)
    rows = np.array([[*box, score, label] for box, score, label in found], float).reshape(-1, 6)
    said = confusion(split, above_threshold([rows], split.classes, LEAST))
    return said.count_KK.tolist(), said.pairs_N[0]


def test_right_wrong_missed_and_invented_boxes_each_have_their_cell() -> None:
    three = [Shape(CAT, LEFT), Shape(DOG, RIGHT), Shape(DOG, (0.0, 60.0, 30.0, 99.0))]
    matrix, pairs = taken(
        three, (LEFT, 0.9, CAT), (RIGHT, 0.9, CAT), ((60.0, 0.0, 90.0, 30.0), 0.4, DOG)
    )
    assert matrix == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert pairs == [[CAT, CAT], [DOG, CAT], [DOG, NOTHING], [NOTHING, DOG]]


def test_below_its_classs_threshold_a_box_is_none() -> None:
    matrix, _ = taken([Shape(CAT, LEFT), Shape(DOG, RIGHT)], (LEFT, 0.4, CAT), (RIGHT, 0.4, DOG))
    assert matrix == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_of_two_boxes_on_one_thing_the_right_class_is_its_own() -> None:
    """Though the wrong one lies better and is surer."""
    near = (2.0, 2.0, 42.0, 42.0)
    matrix, _ = taken([Shape(DOG, LEFT)], (LEFT, 0.9, CAT), (near, 0.4, DOG))
    assert matrix == [[0, 0, 0], [0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(("shapes", "total"), [(None, 0), ([], 1)])
def test_an_image_that_nobody_looked_at_counts_for_nothing(
    shapes: list[Shape] | None, total: int
) -> None:
    matrix, pairs = taken(shapes, (LEFT, 0.9, CAT))
    assert np.sum(matrix) == len(pairs) == total


def test_what_lies_on_a_crowd_is_no_mistake() -> None:
    crowd = Shape(CAT, (0.0, 0.0, 99.0, 99.0), crowd=True)
    matrix, pairs = taken([crowd], (LEFT, 0.9, CAT))
    assert (np.sum(matrix), pairs) == (0, [])


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_the_recall_and_the_precision_beside_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    split = truth(random, 24)
    found = predictions(random, split)
    worth = score(split, found)
    kept = above_threshold(found, split.classes, worth.thresholds)
    matrix = confusion(split, kept).count_KK
    assert matrix[:-1].sum(1).tolist() == [row["support"] for row in worth.per_class]
    for row, right, there in zip(worth.per_class, matrix.diagonal(), matrix.sum(1), strict=False):
        # COCO gives each true box the surest found one, and this the nearest: a few may differ.
        assert right == pytest.approx((row["recall"] or 0) * there, abs=1)
