"""Calibration is told as served; the cross-fitted figure is not fitted on what it measures."""

from pathlib import Path

import numpy as np
import pytest

from tandem.train.kinds.calibrated import as_served, cross_fitted, served_temperature
from tandem.train.kinds.metrics import calibration
from tandem.train.kinds.one_class import eval_result
from tandem.train.types import ImageTable


def table(labels: np.ndarray) -> ImageTable:
    count = len(labels)
    return ImageTable(
        Path(), np.array([b"x"] * count), labels, np.zeros((count, 16), np.uint8), ("a", "b", "c")
    )


def overconfident(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Class scores three times as far apart as they should be."""
    random = np.random.default_rng(seed)
    fair = random.normal(0, 1.5, (count, 3))
    chances = np.exp(fair) / np.exp(fair).sum(1, keepdims=True)
    labels = np.array([random.choice(3, p=one) for one in chances])
    return (3 * fair).astype(np.float32), labels


def test_both_figures_are_told() -> None:
    logits, labels = overconfident(2000)
    evaluation = eval_result(logits, table(labels))
    temperature = served_temperature(evaluation, labels)
    assert temperature == pytest.approx(3, rel=0.1)
    told = as_served(evaluation, labels, temperature, fitted_here=True).metrics
    assert told["ece_raw"] > 0.1 > 3 * told["ece"]
    assert (told["ece"], told["nll"]) == calibration(
        logits.astype(np.float64) / temperature, labels
    )
    assert told["nll"] < told["nll_cross_fitted"] < told["nll_raw"]
    assert "ece_cross_fitted" not in as_served(evaluation, labels, 2.0, fitted_here=False).metrics


def test_a_row_never_chooses_its_own_temperature() -> None:
    logits, labels = overconfident(60)
    before = cross_fitted(logits, labels)
    changed = logits.copy()
    changed[7] *= 50
    after = cross_fitted(changed, labels)
    assert after[7] == pytest.approx(50 * before[7], rel=1e-6)
    assert not np.allclose(after, before)


def test_uneven_classes_choose_the_epoch_by_macro_f1() -> None:
    even = np.repeat([0, 1, 2], 20)
    uneven = np.repeat([0, 1, 2], [40, 15, 5])
    scores = np.eye(3, dtype=np.float32)
    assert eval_result(scores[even], table(even)).selection == ("accuracy", 1.0)
    forgets = scores[np.where(uneven == 2, 0, uneven)]
    found = eval_result(forgets, table(uneven))
    assert found.selection is not None
    assert found.selection[0] == "f1"
    assert found.chosen_by == found.metrics["f1"] < found.primary_metric
