"""What a larger YOLOv8 teaches a smaller, against the formulas, with real networks."""

from __future__ import annotations

import pytest
import torch

from tandem.train.detection.student import STRIDES
from tandem.train.detection.teacher.detector import DetectorTargets, token_sizes
from tandem.train.detection.teacher_terms import how_sure, on_boxes, on_features
from tandem.train.detection.types import DetectionLossWeights, TeacherTargets
from tandem.train.yolo.student import YoloStudent, make_net

SIDE, CLASSES = 64, 3


@pytest.fixture(scope="module")
def teacher() -> YoloStudent:
    torch.manual_seed(0)
    net = make_net("yolov8n", CLASSES)
    return YoloStudent(net, num_classes=CLASSES, image_size=SIDE).eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def targets_of(teacher: YoloStudent, images: torch.Tensor, order: list[int]) -> TeacherTargets:
    sizes = token_sizes(teacher, images, torch.device("cpu"))
    return DetectorTargets(teacher, order, sizes)({"img": images})  # type: ignore[typeddict-item]


def test_its_tokens_have_mean_square_one_and_its_cells_their_anchor_s_foreground(teacher, images):
    targets = targets_of(teacher, images, [2, 0, 1])
    output, bins_BCA = teacher.with_bins(images)
    cells = [(SIDE // stride) ** 2 for stride in STRIDES]
    assert bins_BCA.shape == (2, 4 * 16, sum(cells))
    assert torch.equal(targets.bins_BCA, bins_BCA)
    start = 0
    for tokens, there, count in zip(targets.tokens_MD, targets.foreground_M, cells, strict=True):
        assert float(tokens.square().mean()) == pytest.approx(1, rel=1e-4)
        scores_B4C = output.boxes_BCA[:, 4:, start : start + count]
        assert torch.equal(there, scores_B4C.amax(1).flatten())
        start += count
    assert torch.equal(targets.classes_BAK[..., 1], output.boxes_BCA[:, 4])


def test_features_count_by_their_foreground():
    """A cell of foreground 3 among one of 1, and one that holds nothing."""
    tokens_MD, student_BCHW = torch.zeros(3, 2), torch.zeros(1, 1, 1, 3)
    tokens_MD[0], tokens_MD[1], tokens_MD[2] = 1.0, 2.0, 50.0
    targets = TeacherTargets(
        tokens_MD=(tokens_MD,),
        covered_BHW=(torch.ones(1, 1, 3, dtype=torch.bool),),
        foreground_M=(torch.tensor([0.75, 0.25, 0.0]),),
    )
    projector = torch.nn.Conv2d(1, 2, 1)
    torch.nn.init.zeros_(projector.bias)
    weights = DetectionLossWeights(feature=1.0)
    loss = on_features([projector], [student_BCHW], targets, weights)
    assert float(loss.detach()) == pytest.approx(0.75 * 1 + 0.25 * 4)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_scores_are_compared_at_the_temperature(temperature):
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 5, CLASSES), torch.randn(2, 5, CLASSES) * 3
    p = (teacher / temperature).sigmoid()
    q = (student / temperature).sigmoid()
    nats = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    there = torch.maximum(teacher.sigmoid(), student.sigmoid()).amax(-1, keepdim=True)
    expected = temperature**2 * (nats * there).sum() / teacher.sigmoid().sum()
    found = how_sure(student, teacher.sigmoid(), temperature)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)
    assert float(how_sure(teacher, teacher.sigmoid(), temperature)) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_boxes_are_compared_side_by_side_where_something_is(teacher, images, temperature):
    targets = targets_of(teacher, images, [0, 1, 2])
    weights = DetectionLossWeights(soft=1.0, boxes=1.0, temperature=temperature)
    bins_BCA = torch.randn(targets.bins_BCA.shape, generator=torch.Generator().manual_seed(3))
    own, target = (
        (one.reshape(2, 4, 16, -1) / temperature).softmax(2) for one in (bins_BCA, targets.bins_BCA)
    )
    nats = (target * (target / own).log()).sum(2).mean(1)
    there = targets.classes_BAK.amax(-1)
    expected = 1.5 * temperature**2 * (nats * there).sum() / there.sum().clamp_min(1)
    found = on_boxes(bins_BCA, targets, weights, gain=1.5)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)
    same = on_boxes(targets.bins_BCA, targets, weights, gain=1.5)
    assert float(same) == pytest.approx(0, abs=1e-5)


def test_a_student_s_loss_has_each_term_and_its_boxes_learn_without_a_label(teacher, images):
    """A canvas that nobody looked at: all that moves the box branch is the teacher's."""
    weights = DetectionLossWeights(feature=1.0, soft=1.0, boxes=1.0, temperature=4.0)
    pairs = tuple((one, one) for one in teacher.layer_widths)
    from tandem.train.yolo.model import TaughtModel  # after its first, quiet import

    model = TaughtModel("yolov8n.yaml", num_classes=CLASSES, weights=weights, projections=pairs)
    model.args = type("Args", (), {"box": 7.5, "cls": 0.5, "dfl": 1.5})()
    batch = {
        "img": images,
        "labelled": [False, False],
        "cls": torch.zeros(0, 1),
        "bboxes": torch.zeros(0, 4),
        "batch_idx": torch.zeros(0),
        "targets": targets_of(teacher, images, [0, 1, 2]),
    }
    loss, items = model.loss(batch)
    assert model.terms == ("box", "cls", "dfl", "feature_mse", "soft", "soft_dfl")
    assert model.roles["soft_dfl"] == "soft"
    assert all(float(items[name]) > 0 for name in ("feature_mse", "soft", "soft_dfl"))
    loss.sum().backward()
    branch = model.model[-1].cv2[0][-1].weight
    assert float(branch.grad.abs().sum()) > 0
    without = TaughtModel("yolov8n.yaml", num_classes=CLASSES, weights=DetectionLossWeights())
    assert without.terms == ("box", "cls", "dfl")
