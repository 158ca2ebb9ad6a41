"""Intervals are those of the formulas, and hold what they should."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tandem.train.kinds.intervals import macro_f1, mean_iou, wilson


def test_wilson_is_that_of_the_literature() -> None:
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_macro_f1_is_the_bootstrap_over_samples() -> None:
    random = np.random.default_rng(3)
    labels = random.choice(3, 300, p=[0.7, 0.2, 0.1])
    said = np.where(random.random(300) < 0.7, labels, random.integers(0, 3, 300))
    confusion = np.zeros((3, 3), np.int64)
    np.add.at(confusion, (labels, said), 1)
    by_hand = []
    for _ in range(1000):
        rows = random.integers(0, 300, 300)
        by_hand.append(f1_score(labels[rows], said[rows], average="macro"))
    assert macro_f1(confusion) == pytest.approx(np.percentile(by_hand, (2.5, 97.5)), abs=0.02)
    assert macro_f1(confusion) == macro_f1(confusion)


def test_mean_iou_is_sure_where_all_images_are_alike() -> None:
    alike = np.tile([[[5, 2]], [[8, 4]], [[7, 3]]], (20, 1, 1)).reshape(20, 3, 2)
    expected = (5 / 10 + 2 / 5) / 2
    assert mean_iou(alike) == pytest.approx((expected, expected))
    varied = alike.copy()
    varied[::2, 0] = 0
    low, high = mean_iou(varied)
    assert low < expected / 2 < high
