"""Detection runs, from the data to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tandem.data.images import load_rgb
from tandem.spec.errors import NumericError, StoppedError
from tandem.spec.save_request import SAVE_NOW
from tandem.train.detection.boxes import letterbox, suppress, unletterbox
from tandem.train.engines import checkpoint
from tandem.train.export import final_model
from tests.train.yolo.drawn import CLASSES
from tests.train.yolo.runs import Ear, run, spec_of, untaught

MARGIN = 0.2
"""Above what untrained boxes reach, which is next to nothing."""


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
    ear = run(spec_of(drawn, out, optim__epochs=16, optim__learning_rate=6e-3))
    after = {file: file.stat().st_mtime_ns for file in drawn.rglob("*")}
    assert after == before, "the user's data set is never written to"
    ear.out = out
    return ear


def test_a_short_training_finds_shapes_far_better_than_chance(
    trained: Ear, drawn: Path, tmp_path: Path
) -> None:
    ear = trained
    figures = ear.said("finished")[0]["metrics"]
    untrained = run(spec_of(drawn, tmp_path / "chance", optim__epochs=1, optim__learning_rate=1e-9))
    assert figures["map50"] > untrained.said("finished")[0]["metrics"]["map50"] + MARGIN
    assert {"map50", "map50_95", "precision", "recall", "f1"} < figures.keys()
    terms = ear.said("epoch")[-1]["terms"]
    assert set(terms) == {"box", "cls", "dfl"}
    assert {"loss", "loss/box", "loss/cls", "loss/dfl", "learning_rate"} <= (
        ear.said("metric")[0]["values"].keys()
    )
    _check_saved(trained.out, drawn, figures)


def _check_saved(out: Path, drawn: Path, figures: dict) -> None:
    report = json.loads((out / "report.json").read_text())
    assert report["student"]["measured"]["metrics"]["map50"] == figures["map50"]
    assert [one["class"] for one in report["student"]["measured"]["details"]["per_class"]] == [
        *CLASSES
    ]
    assert not (out / "detection").exists()
    student, config = final_model.load(out / "final_model")
    assert config.kind == "detection"
    assert config.thresholds.keys() == set(CLASSES)
    assert not any("projector" in name for name in student.state_dict())
    found = 0
    for file in sorted((drawn / "images" / "val").iterdir()):
        image_CHW = torch.from_numpy(load_rgb(file, 10**6)).permute(2, 0, 1)
        canvas_CHW, placed = letterbox(image_CHW, 64, 64)
        with torch.no_grad():
            said = student(canvas_CHW[None].float() / 255)
        least = [config.thresholds[name] for name in CLASSES]
        found += len(unletterbox(suppress(said.boxes_BCA, least)[0], placed))
    assert found >= 8
    _check_answers(out, drawn, found)


def _check_answers(out: Path, drawn: Path, found: int) -> None:
    """What is kept of each picture is what the saved model finds in it."""
    head, *lines = map(json.loads, (out / "predictions.jsonl").read_text().splitlines())
    assert head["about"]["score_name"] == "F1 at IoU 0.5"
    names = [f"images/val/{file.name}" for file in sorted((drawn / "images" / "val").iterdir())]
    assert sorted(one["name"] for one in lines) == sorted(names)
    assert sum(len(one["answer"]["boxes"]) for one in lines) == found
    details = json.loads((out / "report.json").read_text())["student"]["measured"]["details"]
    matrix = np.array(details["confusion_matrix"])
    assert matrix[:, :-1].sum() == found
    assert matrix[:-1].sum(1).tolist() == [one["support"] for one in details["per_class"]]
    assert {(a, b) for one in lines for a, b in one["pairs"]} == {
        *map(tuple, np.argwhere(matrix).tolist())
    }
    for one in lines:
        height, width = load_rgb(drawn / one["name"], 10**6).shape[:2]
        assert (one["width"], one["height"]) == (width, height)
        text = (drawn / one["name"].replace("images", "labels")).with_suffix(".txt").read_text()
        true = [float(x) for x in text.split()[1:5]]
        left, top, wide, high = one["truth"]["boxes"][0]["box"]
        middle = [(left + wide / 2) / width, (top + high / 2) / height]
        assert [*middle, wide / width, high / height] == pytest.approx(true, abs=1e-3)
        assert one["right"] == (one["score"] == 1)


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
            optim__epochs=3,
            optim__warmup_epochs=2.0,
            yolo__mosaic=0.7,
            yolo__close_mosaic_epochs=1,
            yolo__nominal_batch_size=16,  # gradients wait across the end of an epoch
            cache__root=str(tmp_path / "cache"),
        )

    run(spec("whole"))
    stops = {
        "epoch-000000-step-000002": 2,
        "epoch-000001-step-000001": 2,
        "epoch-000001-step-000002": 1,
    }
    for name, batches in stops.items():
        with pytest.raises(StoppedError):
            run(spec("cut"), lambda count, stop, at=batches: count == at and stop.ask())
        assert sorted((tmp_path / "cut" / "checkpoints").iterdir())[-1].name == name
    ear = run(spec("cut"))
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    # The best epoch may lie before a cut; where the training ended does not.
    ends = [last(tmp_path / name) for name in ("cut", "whole")]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert len(ear.said("epoch")) == 2
    assert [path.suffix for path in (tmp_path / "cut").rglob("*.pt")] == [".pt"] * len(
        list((tmp_path / "cut" / "checkpoints").glob("*/state.pt"))
    )
    teacher = json.loads((tmp_path / "cut" / "report.json").read_text())["teacher"]
    assert teacher["knowledge"] == "probe"
    assert teacher["forwards"] == 0, "the cache was warm"


@pytest.mark.usefixtures("unseen")
def test_asked_to_save_it_does_so_after_the_batch_and_goes_on(
    half_drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "asked"
    out.mkdir()
    (out / SAVE_NOW).touch()
    ear = run(spec_of(half_drawn, out, optim__epochs=1))
    assert [one["step"] for one in ear.said("checkpoint")][0] == 1
    assert not (out / SAVE_NOW).exists()
    assert ear.said("finished")


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("loss", ["cosine", "pkd"])  # mse: below
def test_a_distilled_run_lowers_the_feature_loss_that_it_adds(
    half_drawn: Path, small_teacher: Path, tmp_path: Path, loss: str
) -> None:
    ear = run(
        spec_of(
            half_drawn,
            tmp_path / "run",
            mode="distillation",
            teacher={"path": str(small_teacher), "image_size": 112},
            loss={"feature_loss": loss, "soft_label_weight": 1.0, "temperature": 1.0},
            optim__epochs=5,
            yolo__mosaic=0.5,
        )
    )
    terms = [one["terms"] for one in ear.said("epoch")]
    assert terms[-1][f"feature_{loss}"] < 0.97 * terms[0][f"feature_{loss}"]
    assert terms[-1]["soft"] >= 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["data"]["train_images"] == 24
    assert report["data"]["labelled_images"] == 18


def test_a_teacher_without_a_cache_sees_the_augmented_images(
    half_drawn: Path, small_teacher: Path, tmp_path: Path
) -> None:
    ear = run(
        spec_of(
            half_drawn,
            tmp_path / "run",
            mode="distillation",
            teacher={"path": str(small_teacher), "image_size": 112},
            cache__mode="off",
            lora={"rank": 8},  # as installed systems send it with every task
            optim__epochs=3,
            yolo__mosaic=0.5,
        )
    )
    assert any("LoRA is not applied" in one for one in ear.notices)
    terms = [one["terms"] for one in ear.said("epoch")]
    assert terms[-1]["feature_mse"] < terms[0]["feature_mse"]


def test_a_larger_yolo_teaches_a_smaller_and_is_compared_with_none(
    half_drawn: Path, tmp_path: Path
) -> None:
    ear = run(
        spec_of(
            half_drawn,
            tmp_path / "small",
            mode="distillation",
            teacher={"path": str(untaught(tmp_path / "large", "yolov8s"))},
            optim__epochs=2,
            report__baseline=True,
        )
    )
    terms = [one["terms"] for one in ear.said("epoch")]
    assert terms[-1]["feature_mse"] < terms[0]["feature_mse"]
    assert terms[-1]["soft_dfl"] > 0
    report = json.loads((tmp_path / "small" / "report.json").read_text())
    assert report["teacher"]["knowledge"] == "own"
    assert report["baseline"]["measured"]["metrics"].keys() >= {"map50", "map50_95"}
    assert {one["who"] for one in ear.said("evaluation")} >= {"student", "baseline"}


def test_a_gradient_that_is_not_finite_ends_the_run_with_its_parts(
    half_drawn: Path, tmp_path: Path
) -> None:
    spec = spec_of(half_drawn, tmp_path / "run", yolo__box_gain=1e38)
    with pytest.raises(NumericError, match="not finite in epoch"):
        run(spec)


def test_it_stops_early_and_is_not_trained_again(trained: Ear, drawn: Path, tmp_path: Path) -> None:
    """Weights that are good and do not move: soon an epoch is no better than the one before."""
    spec = spec_of(
        drawn,
        tmp_path / "run",
        student={"size": "yolov8n", "init": "pretrained", "path": str(trained.out / "final_model")},
        optim__epochs=20,
        optim__learning_rate=1e-9,
        optim__early_stopping_epochs=1,
    )
    ear = run(spec)
    assert 1 < len(ear.said("epoch")) < 20
    assert any("Stopped early" in one for one in ear.notices)
    (tmp_path / "run" / "report.json").unlink()
    again = run(spec)
    assert again.said("epoch") == []
    figures = [one.said("finished")[0]["metrics"]["map50"] for one in (trained, ear, again)]
    assert figures[1] == pytest.approx(figures[0], abs=0.05)
    assert figures[2] == figures[1]
