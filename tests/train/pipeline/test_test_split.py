"""Beside val the report tells what the student is worth on samples that nothing was chosen on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tandem.predict.predictor import load
from tandem.train.kinds.metrics import expected_calibration_error
from tandem.train.pipeline import report as reports
from tests.conftest import SHAPES, Specs, make_shapes
from tests.train.engines.runs import events, run_here


def told(model: Path, split: Path) -> tuple[float, float]:
    """Accuracy and ECE from `predict`'s answers alone."""
    files = sorted(split.rglob("*.png"))
    answers = load(model).predict(files)
    right = np.array(
        [one.label == file.parent.name for one, file in zip(answers, files, strict=True)]
    )
    sure = np.array([one.confidence for one in answers])
    return float(right.mean()), expected_calibration_error(sure, right)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = make_shapes(tmp_path / "data", train=6, val=6)
    other = make_shapes(tmp_path / "other", train=1, val=8, seed=9)
    (other / "val").rename(folder / "test")
    return folder


def test_the_report_is_what_predict_says_on_both_splits(
    data: Path, tmp_path: Path, spec_of: Specs
) -> None:
    spec = spec_of(mode="direct", teacher=None, data__dataset=str(data))
    assert run_here(spec, tmp_path) == 0
    run = tmp_path / "run"
    found = reports.read(run)
    assert (found.data.val_images, found.data.test_images) == (6 * len(SHAPES), 8 * len(SHAPES))
    assert found.student.test is not None
    for split, measured in (("val", found.student.measured), ("test", found.student.test)):
        accuracy, ece = told(run / "final_model", data / split)
        assert measured.metrics["accuracy"] == pytest.approx(accuracy, abs=1e-6)
        assert measured.metrics["ece"] == pytest.approx(ece, abs=1e-6)
        low, high = measured.intervals["accuracy"]
        assert low <= accuracy <= high
        assert measured.metrics["ece_raw"] != measured.metrics["ece"]
    assert "ece_cross_fitted" in found.student.measured.metrics
    assert "ece_cross_fitted" not in found.student.test.metrics
    # Old services keep one evaluation a student: that of val, as ever.
    assert [one["samples"] for one in events(spec, "evaluation")] == [found.data.val_images]
    card = (run / "final_model" / "README.md").read_text(encoding="utf-8")
    assert f"On {found.data.test_images} test samples" in card
    assert not any("a little kind" in note for note in found.data.notes)


def test_without_a_test_split_the_report_says_that_val_is_kind(
    shapes: Path, tmp_path: Path, spec_of: Specs
) -> None:
    spec = spec_of(mode="direct", teacher=None, optim={"epochs": 1, "batch_size": 16})
    assert run_here(spec, tmp_path) == 0
    found = reports.read(tmp_path / "run")
    assert found.student.test is None
    assert any("a little kind" in note for note in found.data.notes)
