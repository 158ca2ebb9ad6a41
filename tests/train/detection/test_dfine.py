"""D-FINE: Transformers' network and loss in our loop, from drawn shapes to a prediction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tandem.predict.predictor import load
from tandem.spec.errors import NumericError, SpecError, StoppedError, StudentError, TeacherError
from tandem.spec.run import StudentSpec
from tandem.train.detection.dfine.sizes import SHAPES, DfineSize
from tandem.train.detection.dfine.student import DfineStudent
from tandem.train.detection.student import BoxTargets
from tandem.train.export import onnx_model
from tandem.train.students.dfine import build
from tests.train.detection import runs
from tests.train.yolo.runs import run

TINY = DfineSize(
    (3, 8, 8), (8, 16, 16, 32), (8, 8, 8, 8), (16, 16, 32, 32), (1, 1, 1, 1), 2,
    2, 0.34, 0.5, width=32, feedforward=32, strides=(16, 32), points=(2, 2),
)  # fmt: skip
THREE_MAPS = DfineSize(
    (3, 8, 8), (8, 16, 16, 32), (8, 8, 8, 8), (16, 16, 32, 32), (1, 1, 1, 1), 2,
    2, 0.34, 0.5, width=32, feedforward=32, points=(2, 2, 2),
)  # fmt: skip
GAINS = {"box_gain": 2.0, "cls_gain": 1.0, "dfl_gain": 0.15, "mosaic": 0.0}
CLASSES = 3


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published layout at a fraction of its width: a run takes a second or two."""
    monkeypatch.setitem(SHAPES, "dfine-n", TINY)
    monkeypatch.setitem(SHAPES, "dfine-s", THREE_MAPS)


def spec_of(data: Path, out: Path, **changes: Any) -> dict:
    """A direct run of the tiny one at 64 px; dotted keywords change it."""
    changes.setdefault("student", {"type": "dfine", "size": "dfine-n"})
    spec = runs.spec_of(data, out, **changes)
    spec["yolo"] |= GAINS
    return spec


def weights(out: Path) -> bytes:
    return (out / "final_model" / "model.safetensors").read_bytes()


def true_boxes() -> BoxTargets:
    boxes = torch.tensor([[20.0, 24.0, 16.0, 20.0], [44.0, 40.0, 24.0, 24.0]])
    return BoxTargets(boxes, torch.tensor([0, 2]), torch.tensor([0, 1]))


def test_a_short_training_lowers_every_term_and_its_model_predicts(
    drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    ear = run(spec_of(drawn, out, optim__epochs=3, optim__batch_size=4))
    epochs = ear.said("epoch")
    assert set(epochs[0]["terms"]) == {"box", "cls", "l1", "dfl", "ddf"}
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"] - 1
    for name in ("box", "l1"):
        assert epochs[-1]["terms"][name] < epochs[0]["terms"][name]
    assert epochs[-1]["terms"]["ddf"] > 0
    assert epochs[-1]["val_loss"] < epochs[0]["val_loss"]
    report = json.loads((out / "report.json").read_text())["student"]["measured"]
    assert report["metrics"]["map50"] == ear.said("finished")[0]["metrics"]["map50"]
    file = sorted((drawn / "images" / "val").iterdir())[0]
    (found,) = load(out / "final_model", threshold=0.01).predict([file])
    assert (found.height, found.width) == (64, 64)
    with pytest.raises(StudentError, match="dfine-n is not exported"):
        onnx_model.to_onnx(out / "final_model", tmp_path / "model.onnx")


@pytest.mark.usefixtures("unseen")
def test_a_stopped_run_goes_on_to_the_very_same_weights(
    half_drawn: Path, small_teacher: Path, tmp_path: Path
) -> None:
    """Noised boxes and all, of a batch in which not every picture has been looked at."""

    def spec(name: str) -> dict:
        return spec_of(
            half_drawn,
            tmp_path / name,
            mode="distillation",
            teacher={"path": str(small_teacher), "image_size": 112},
            loss={"distillation_type": "hybrid", "feature_weight": 1.0},
            optim__epochs=2,
            cache__root=str(tmp_path / "cache"),
            report={"tensorboard": False, "baseline": False},
        )

    run(spec("whole"))
    with pytest.raises(StoppedError):
        run(spec("cut"), lambda count, stop: count == 2 and stop.ask())
    ear = run(spec("cut"))
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    assert {"feature_mse", "soft"} < set(ear.said("epoch")[-1]["terms"])


def test_it_finds_noised_boxes_again_as_it_learns_alone() -> None:
    torch.manual_seed(0)
    student = DfineStudent(TINY, num_classes=CLASSES, image_size=64)
    images, targets = torch.rand(2, 3, 64, 64), true_boxes()
    torch.manual_seed(1)
    once = student.heads(images, targets)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    again = student.heads(images, targets)
    assert torch.equal(state, torch.get_rng_state())
    plain = student.heads(images)
    assert once.own.denoising is not None
    assert torch.equal(once.own.boxes_BLQ4, again.own.boxes_BLQ4)
    assert once.own.boxes_BLQ4.shape[2] > plain.own.boxes_BLQ4.shape[2] == 20
    everyone = torch.ones(2, dtype=torch.bool)
    parts = student.label_loss(once, targets, everyone, last=False)
    without = student.label_loss(plain, targets, everyone, last=False)
    assert float(parts["box"].detach()) > float(without["box"].detach())
    assert student.eval().heads(images, targets).own.denoising is None


def test_a_canvas_that_nobody_has_looked_at_is_no_background() -> None:
    torch.manual_seed(0)
    student = DfineStudent(TINY, num_classes=CLASSES, image_size=64)
    images, targets = torch.rand(2, 3, 64, 64), true_boxes()
    heads = student.heads(images, targets)
    first = torch.tensor([True, False])
    alone = student.label_loss(heads, targets.canvases(first), first, last=False)
    kept = heads.own.canvases(first)
    heads.own.classes_BLQK.data[1] = 9.0
    assert kept.classes_BLQK.shape[0] == len(kept.denoising["dn_positive_idx"]) == 1
    after = student.label_loss(heads, targets.canvases(first), first, last=False)
    for name, value in alone.items():
        torch.testing.assert_close(value, after[name])


def test_boxes_are_pixels_of_the_canvas_and_scores_shares() -> None:
    torch.manual_seed(0)
    student = DfineStudent(TINY, num_classes=CLASSES, image_size=64).eval()
    with torch.no_grad():
        heads = student.heads(torch.rand(1, 3, 64, 96))
        boxes_BCA = student.decoded(heads)
    assert boxes_BCA.shape == (1, 4 + CLASSES, 20)
    shares_Q4 = heads.own.boxes_BLQ4[0, -1]
    torch.testing.assert_close(boxes_BCA[0, 0], shares_Q4[:, 0] * 96)
    torch.testing.assert_close(boxes_BCA[0, 3], shares_Q4[:, 3] * 64)
    assert ((boxes_BCA[0, 4:] > 0) & (boxes_BCA[0, 4:] < 1)).all()


def test_its_encoders_scores_are_of_the_cells_that_a_teacher_judges() -> None:
    for shape in (TINY, THREE_MAPS):
        student = DfineStudent(shape, num_classes=CLASSES, image_size=64)
        heads = student.heads(torch.rand(2, 3, 64, 64))
        sides = [64 // one for one in student.strides]
        assert [one.shape[-1] for one in heads.maps_BCHW] == sides
        assert heads.classes_BAK.shape == (2, sum(one**2 for one in sides), CLASSES)


def test_a_checkpoint_of_transformers_starts_a_detector_of_other_classes(tmp_path: Path) -> None:
    from transformers import DFineForObjectDetection

    from tandem.train.detection.dfine.sizes import config_of

    torch.manual_seed(0)
    published = DFineForObjectDetection(config_of(TINY, 7, 64))
    published.save_pretrained(tmp_path / "hub")
    spec = StudentSpec(type="dfine", size="dfine-n", init="pretrained", path=str(tmp_path / "hub"))
    student = build(spec, CLASSES, 64)
    theirs, ours = published.model.state_dict(), student.net.state_dict()
    same = [name for name in ours if torch.equal(ours[name], theirs[name])]
    assert "decoder.bbox_embed.1.layers.0.weight" in same
    assert "decoder.class_embed.0.weight" not in same
    assert "start as drawn" in student.notes[0]
    with pytest.raises(StudentError, match="not those of dfine-s"):
        build(spec.model_copy(update={"size": "dfine-s"}), CLASSES, 64)
    (tmp_path / "hub" / "model.safetensors").unlink()
    with pytest.raises(StudentError, match="is no D-FINE that Transformers can read"):
        build(spec, CLASSES, 64)


def test_a_yolox_teaches_the_one_with_its_maps(drawn: Path, tmp_path: Path) -> None:
    teacher = runs.untaught(tmp_path / "teacher", "yolox-nano")

    def spec(size: str) -> dict:
        return spec_of(
            drawn,
            tmp_path / size,
            student={"type": "dfine", "size": size},
            mode="distillation",
            teacher={"path": str(teacher), "family": "auto"},
            loss={"distillation_type": "hybrid", "feature_weight": 1.0},
            optim__epochs=3,
            optim__learning_rate=1e-2,
            report={"tensorboard": False, "baseline": False},
        )

    terms = [one["terms"] for one in run(spec("dfine-s")).said("epoch")]
    assert terms[-1]["feature_mse"] < terms[0]["feature_mse"]
    assert terms[-1]["soft"] > 0
    with pytest.raises(TeacherError, match="maps of 8, 16, 32 pixels a cell, the student of 16"):
        run(spec("dfine-n"))


def test_what_does_not_fit_is_refused(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="loss of dfine-n has no weights of classes"):
        run(spec_of(drawn, tmp_path / "weighed", loss={"class_weights": "balanced"}))
    with pytest.raises(NumericError, match="not finite in epoch"):
        run(spec_of(drawn, tmp_path / "wild", optim__learning_rate=1e30, optim__warmup_epochs=0.0))
    untaught = runs.untaught(tmp_path / "teacher", "dfine-n")
    taught = {"teacher": {"path": str(untaught)}, "mode": "distillation"}
    with pytest.raises(TeacherError, match="finds boxes by queries"):
        run(spec_of(drawn, tmp_path / "taught", **taught))
