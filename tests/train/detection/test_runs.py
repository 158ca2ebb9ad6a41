"""Runs of YOLOX, from the data to the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tandem.predict.predictor import load
from tandem.spec.errors import NumericError, SpecError, StoppedError
from tandem.spec.run import RunSpec
from tandem.train.engines import checkpoint
from tandem.train.pipeline import exports
from tests.train.detection.runs import spec_of, untaught
from tests.train.yolo.drawn import CLASSES
from tests.train.yolo.runs import Ear, run


def weights(out: Path) -> bytes:
    return (out / "final_model" / "model.safetensors").read_bytes()


def last(out: Path) -> dict[str, torch.Tensor]:
    """The weights of the last checkpoint."""
    newest = checkpoint.latest(out / "checkpoints")
    assert newest is not None
    return checkpoint.load(newest).model


@pytest.fixture(scope="module")
def trained(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Ear:
    """A run that learns; the data set is as it was before."""
    before = {file: file.stat().st_mtime_ns for file in drawn.rglob("*")}
    out = tmp_path_factory.mktemp("trained") / "run"
    spec = spec_of(drawn, out, optim__epochs=12, optim__batch_size=4, optim__learning_rate=4e-3)
    ear = run(spec)
    # As `python -m tandem.train` leaves it: an export finds the data by it.
    (out / "spec.json").write_text(RunSpec.model_validate(spec).model_dump_json())
    after = {file: file.stat().st_mtime_ns for file in drawn.rglob("*")}
    assert after == before, "the user's data set is never written to"
    ear.out = out
    return ear


def test_a_short_training_lowers_every_term_and_the_report_says_what_it_is_worth(
    trained: Ear,
) -> None:
    epochs = trained.said("epoch")
    assert set(epochs[0]["terms"]) == {"box", "obj", "cls", "l1"}
    assert set(epochs[0]["roles"].values()) == {"hard"}
    for name in ("box", "cls"):
        assert epochs[-1]["terms"][name] < epochs[0]["terms"][name]
    assert epochs[-1]["val_loss"] < epochs[0]["val_loss"]
    # The distance of boxes is learnt in the last epochs alone.
    assert [one["terms"]["l1"] > 0 for one in epochs] == [False] * 11 + [True]
    figures = trained.said("finished")[0]["metrics"]
    report = json.loads((trained.out / "report.json").read_text())["student"]
    assert report["measured"]["metrics"]["map50"] == figures["map50"] > 0
    assert [one["class"] for one in report["measured"]["details"]["per_class"]] == [*CLASSES]


def test_its_model_predicts_and_its_int8_file_is_worth_nearly_as_much(
    trained: Ear, drawn: Path
) -> None:
    file = sorted((drawn / "images" / "val").iterdir())[0]
    folder = trained.out / "final_model"
    (ours,) = load(folder, threshold=0.05).predict([file])
    # Through ONNX, which is checked against PyTorch on the way.
    target = trained.out / "int8.onnx"
    made = exports.write(exports.subject(folder), "int8", target)
    (theirs,) = load(target, threshold=0.05).predict([file])
    assert (theirs.height, theirs.width) == (ours.height, ours.width) == (64, 64)
    report = json.loads((trained.out / "report.json").read_text())
    measured = report["student"]["measured"]["metrics"]["map50"]
    assert made.measured.metrics["map50"] == pytest.approx(measured, abs=0.2)


@pytest.mark.usefixtures("unseen")
def test_a_stopped_run_goes_on_to_the_very_same_weights(
    half_drawn: Path, small_teacher: Path, tmp_path: Path
) -> None:
    def spec(name: str) -> dict:
        return spec_of(
            half_drawn,
            tmp_path / name,
            mode="distillation",
            teacher={"path": str(small_teacher), "image_size": 112},
            optim__epochs=2,
            optim__grad_accum_steps=2,
            yolo__mosaic=0.7,
            cache__root=str(tmp_path / "cache"),
            report={"tensorboard": False, "baseline": False},
        )

    run(spec("whole"))
    for name, steps in {"epoch-000000-step-000001": 1, "epoch-000001-step-000001": 2}.items():
        with pytest.raises(StoppedError):
            run(spec("cut"), lambda count, stop, at=steps: count == at and stop.ask())
        assert sorted((tmp_path / "cut" / "checkpoints").iterdir())[-1].name == name
    ear = run(spec("cut"))
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    ends = [last(tmp_path / name) for name in ("cut", "whole")]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    terms = ear.said("epoch")[-1]["terms"]
    assert {"feature_mse", "soft"} < set(terms)
    report = json.loads((tmp_path / "cut" / "report.json").read_text())
    assert report["teacher"]["knowledge"] == "probe"
    assert report["data"]["labelled_images"] == 18


def test_a_larger_detector_teaches_it(drawn: Path, tmp_path: Path) -> None:
    teacher = untaught(tmp_path / "teacher", "yolox-tiny")
    ear = run(
        spec_of(
            drawn,
            tmp_path / "run",
            mode="distillation",
            teacher={"path": str(teacher), "family": "auto"},
            loss={"distillation_type": "hybrid", "feature_weight": 1.0},
            optim__epochs=3,
            report={"tensorboard": False, "baseline": False},
        )
    )
    terms = [one["terms"] for one in ear.said("epoch")]
    assert terms[-1]["feature_mse"] < terms[0]["feature_mse"]
    assert 0 < terms[-1]["soft"] < 2
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["teacher"]["measured"]["metrics"]["map50"] >= 0


def test_a_gradient_that_is_not_finite_ends_the_run_and_spoils_nothing(
    drawn: Path, tmp_path: Path
) -> None:
    with pytest.raises(NumericError, match="not finite in epoch"):
        run(spec_of(drawn, tmp_path / "run", optim__learning_rate=1e30, optim__warmup_epochs=0.0))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"views__cutmix": 1.0}, "views.cutmix is for classes"),
        ({"student__dropout": 0.5}, "has no dropout"),
        ({"data__image_size": 32}, "64 px a side or more"),
        ({"kind": "segmentation"}, "does not learn segmentation"),
        ({"optim__warmup_epochs": 2.0}, "leaves nothing of a run"),
    ],
)
def test_what_it_cannot_do_is_refused(
    drawn: Path, tmp_path: Path, changes: dict, sentence: str
) -> None:
    with pytest.raises(SpecError, match=sentence):
        run(spec_of(drawn, tmp_path / "run", **changes))
