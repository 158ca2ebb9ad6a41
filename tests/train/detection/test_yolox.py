"""YOLOX against libreyolo's numbers, and the corners that those do not reach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tandem.spec.errors import StudentError
from tandem.spec.run import StudentSpec
from tandem.train.detection.student import BoxTargets
from tandem.train.detection.yolox.assign import assign
from tandem.train.detection.yolox.loss import anchors_of, box_loss, decoded
from tandem.train.detection.yolox.network import SHAPES, RawHeads, YoloxNet
from tandem.train.detection.yolox.student import (
    YoloxStudent,
    from_published,
    is_published,
    joint_logits,
)
from tandem.train.students.yolox import build
from tests.train.detection.reference import BOXES, CLASSES, SIDE, digest, fill, images

SAID = json.loads((Path(__file__).parent / "libreyolo.json").read_text())
PARTS = {"box": "iou_loss", "obj": "obj_loss", "cls": "cls_loss", "l1": "l1_loss"}
PAPER = {"yolox-nano": 0.91, "yolox-tiny": 5.06, "yolox-s": 9.0, "yolox-m": 25.3}
"""Millions, by table 3 of the paper."""


def network(size: str) -> YoloxNet:
    net = YoloxNet(SHAPES[size], CLASSES)
    net.load_state_dict(fill(net.state_dict()))
    return net


def true_boxes() -> BoxTargets:
    rows = [(canvas, *one) for canvas, boxes in enumerate(BOXES) for one in boxes if one[3] > 0]
    canvas_N, label_N, *box = torch.tensor(rows).T
    return BoxTargets(torch.stack(box, 1), label_N.long(), canvas_N.long())


@pytest.mark.parametrize("size", SHAPES)
def test_parameters_are_those_of_the_paper(size: str) -> None:
    with torch.device("meta"):
        count = sum(one.numel() for one in YoloxNet(SHAPES[size], 80).parameters())
    assert count == SAID[size]["parameters"]
    assert count / 1e6 == pytest.approx(PAPER[size], rel=0.01)


@pytest.mark.parametrize("size", SHAPES)
def test_boxes_and_scores_are_those_of_another_implementation(size: str) -> None:
    net = network(size).eval()
    with torch.no_grad():
        heads = net(images())
    boxes = decoded(heads.boxes_BA4, anchors_of(heads.maps_BCHW))
    scores = torch.cat((heads.objects_BA[..., None], heads.classes_BAK), -1).sigmoid()
    ours = digest(torch.cat((boxes, scores), -1))
    assert ours == pytest.approx(SAID[size]["boxes"], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("size", SHAPES)
def test_assignment_and_loss_are_those_of_another_implementation(size: str) -> None:
    for name, last in (("loss", False), ("last", True)):
        heads = network(size).train()(images())
        parts = box_loss(heads, true_boxes(), last=last)
        theirs = {part: SAID[size][name][key] for part, key in PARTS.items()}
        theirs["box"] /= 5  # the weight that they have put in already
        ours = {part: float(value.detach()) for part, value in parts.items()}
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)


def test_a_canvas_without_boxes_is_background() -> None:
    heads = network("yolox-nano").train()(images())
    nothing = BoxTargets(torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0).long())
    parts = box_loss(heads, nothing, last=True)
    assert [float(parts[name].detach()) for name in ("box", "cls", "l1")] == [0, 0, 0]
    sum(parts.values()).backward()
    first = torch.nn.functional.softplus(heads.objects_BA).sum()
    assert float(parts["obj"].detach()) == pytest.approx(float(first.detach()), rel=1e-5)


def test_an_anchor_wanted_by_two_boxes_learns_the_one_that_costs_it_least() -> None:
    maps = tuple(torch.zeros(1, 1, side, side) for side in (4, 2, 1))
    anchors = anchors_of(maps)
    count = len(anchors.stride_A)
    boxes_A4 = torch.cat((anchors.centre_A2, torch.full((count, 2), 16.0)), 1)
    true_n4 = torch.tensor([[16.0, 16.0, 16.0, 16.0], [17.0, 16.0, 15.0, 16.0]])
    classes_AK = torch.tensor([[4.0, -4.0]]).repeat(count, 1)
    found = assign(anchors, boxes_A4, torch.zeros(count), classes_AK, true_n4, torch.tensor([0, 1]))
    assert len(found.anchor_F.unique()) == len(found.anchor_F)
    # The box whose class the anchors already say has the centre's; none is left without one.
    assert set(found.box_F.tolist()) <= {0, 1}
    assert (found.box_F == 0).sum() >= (found.box_F == 1).sum()
    assert (found.iou_F > 0).all()


def test_scores_are_object_times_class_however_large_the_logits() -> None:
    objects = torch.tensor([[-200.0, -1.0, 0.5, 200.0]])
    classes = torch.tensor([[[3.0], [-2.0], [0.5], [-150.0]]])
    joint = joint_logits(objects, classes)
    product = objects.sigmoid()[..., None] * classes.sigmoid()
    assert torch.isfinite(joint).all()
    torch.testing.assert_close(joint.sigmoid(), product)
    torch.testing.assert_close(joint[0, [0, 3], 0], torch.tensor([-200.0 - 0.0486, -150.0]))


def test_published_weights_see_bytes_in_blue_green_red() -> None:
    size = "yolox-nano"
    published = network(size).eval()
    student = YoloxStudent(size, num_classes=CLASSES, image_size=SIDE).eval()
    weights = published.state_dict()
    assert is_published(weights)
    assert not is_published(student.state_dict())
    student.load_state_dict(from_published(weights))
    shown = images()
    with torch.no_grad():
        theirs: RawHeads = published(shown.flip(1) * 255)
        ours: RawHeads = student.net(shown)
    torch.testing.assert_close(ours.boxes_BA4, theirs.boxes_BA4, rtol=0.01, atol=0.05)


def test_a_published_file_starts_a_detector_of_other_classes(tmp_path: Path) -> None:
    published = YoloxNet(SHAPES["yolox-nano"], 80)
    published.load_state_dict(fill(published.state_dict()))
    file = tmp_path / "yolox_nano.pth"
    torch.save({"model": published.state_dict(), "start_epoch": 300}, file)
    spec = StudentSpec(type="yolox", size="yolox-nano", init="pretrained", path=str(file))
    student = build(spec, CLASSES, SIDE)
    theirs, ours = published.state_dict(), student.net.state_dict()
    name = "head.reg_preds.0.weight"
    assert torch.equal(ours[name], theirs[name])
    assert len(student.notes) == 1
    assert "start as drawn: net.head.cls_preds.0.weight" in student.notes[0]
    with pytest.raises(StudentError, match="not those of yolox-s"):
        build(spec.model_copy(update={"size": "yolox-s"}), CLASSES, SIDE)
