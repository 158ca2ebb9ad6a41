"""`tandem evaluate` says what `predict` would be counted to, of any model on any labelled data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tandem.cli import app
from tandem.predict.evaluation.evaluate import EvaluationQuery, evaluate
from tandem.predict.predictor import load
from tandem.spec.errors import DataError
from tandem.spec.report import ModelEvaluation
from tandem.train.export import final_model
from tandem.train.export.onnx_model import to_onnx
from tandem.train.kinds.metrics import expected_calibration_error
from tandem.train.types import SilentProgress
from tests.conftest import SHAPES, make_shapes
from tests.train.export.models import make_student


def measured(model: Path, data: Path, **more: object) -> ModelEvaluation:
    return evaluate(EvaluationQuery(model, data, **more), SilentProgress())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Its classes are the shapes', in another order than the data set's folders."""
    spec, student = make_student(tmp_path)
    return final_model.save(
        student,
        tmp_path / "model",
        spec=spec,
        classes=sorted(SHAPES, reverse=True),
        metrics={},
        card="",
        temperature=0.3,
    )


def by_hand(model: Path, files: list[Path]) -> tuple[float, float]:
    answers = load(model).predict(files)
    right = np.array(
        [one.label == file.parent.name for one, file in zip(answers, files, strict=True)]
    )
    sure = np.array([one.confidence for one in answers])
    return float(right.mean()), expected_calibration_error(sure, right)


@pytest.mark.parametrize("exported", [False, True])
def test_it_is_what_predict_says(model: Path, tmp_path: Path, exported: bool) -> None:
    data = make_shapes(tmp_path / "data", train=2, val=7)
    asked = model
    if exported:
        asked = tmp_path / "model.onnx"
        to_onnx(model, asked)
    found = measured(asked, data)
    accuracy, ece = by_hand(asked, sorted((data / "val").rglob("*.png")))
    assert (found.split, found.samples) == ("val", 7 * len(SHAPES))
    assert found.measured.metrics["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert found.measured.metrics["ece"] == pytest.approx(ece, abs=1e-6)
    low, high = found.measured.intervals["accuracy"]
    assert low < accuracy < high


def test_classes_that_do_not_match_are_told_or_refused(model: Path, tmp_path: Path) -> None:
    data = make_shapes(tmp_path / "data", train=2, val=3)
    for split in ("train", "val"):
        (data / split / SHAPES[0]).rename(data / split / "heart")
    found = measured(model, data, split="val")
    assert (found.samples, found.left_out) == (3 * (len(SHAPES) - 1), 3)
    assert "does not know these classes of the data set: heart." in " ".join(found.notes)
    assert f"does not have these classes of the model: {SHAPES[0]}." in " ".join(found.notes)
    for shape in SHAPES[1:]:
        for split in ("train", "val"):
            shutil.move(data / split / shape, data / split / f"other-{shape}")
    with pytest.raises(DataError, match="none of the model's classes"):
        measured(model, data)
    with pytest.raises(DataError, match="no labelled split test"):
        measured(model, data, split="test")


def test_the_command_prints_them(model: Path, tmp_path: Path) -> None:
    data = make_shapes(tmp_path / "data", train=2, val=2)
    said = CliRunner().invoke(
        app, ["evaluate", str(model), str(data), "--split", "train", "--json"]
    )
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert (told["split"], told["samples"]) == ("train", 2 * len(SHAPES))
    assert told["measured"]["intervals"]["f1"]
