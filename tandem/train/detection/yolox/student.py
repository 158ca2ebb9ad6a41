"""YOLOX as a student: the network with the taps of `StepOutput`, and its own loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tandem.train.detection.student import BoxTargets, Heads, LearningDetector
from tandem.train.detection.yolox.loss import PARTS, anchors_of, box_loss, decoded
from tandem.train.detection.yolox.network import SHAPES, RawHeads, YoloxNet

STEM = "net.backbone.backbone.stem.conv.conv.weight"
BYTES = 255.0


class YoloxStudent(LearningDetector):
    """Ge et al. 2021. A score is how likely an object is there, times its class."""

    parts = PARTS

    def __init__(self, size: str, *, num_classes: int, image_size: int) -> None:
        super().__init__()
        shape = SHAPES[size]
        self.net = YoloxNet(shape, num_classes)
        self.place(num_classes, image_size, [shape.channels(one) for one in (256, 512, 1024)])

    def heads(
        self,
        images_BCHW: Tensor,
        targets: BoxTargets | None = None,  # noqa: ARG002
    ) -> Heads:
        raw: RawHeads = self.net(images_BCHW)
        scores_BAK = joint_logits(raw.objects_BA, raw.classes_BAK)
        return Heads(raw.maps_BCHW, raw.classes_BAK, scores_BAK, raw)

    def decoded(self, heads: Heads) -> Tensor:
        raw = heads.own
        assert isinstance(raw, RawHeads)
        boxes_BA4 = decoded(raw.boxes_BA4.float(), anchors_of(raw.maps_BCHW))
        scores_BAK = raw.objects_BA.float().sigmoid()[..., None] * raw.classes_BAK.float().sigmoid()
        return torch.cat((boxes_BA4, scores_BAK), -1).transpose(1, 2)

    def label_loss(
        self, heads: Heads, targets: BoxTargets, labelled_B: Tensor, *, last: bool
    ) -> dict[str, Tensor]:
        raw = heads.own
        assert isinstance(raw, RawHeads)
        if not labelled_B.all():
            raw, targets = raw.canvases(labelled_B), targets.canvases(labelled_B)
        return box_loss(raw, targets, last=last, class_weight_K=self.class_weight_K)


def joint_logits(objects_BA: Tensor, classes_BAK: Tensor) -> Tensor:
    """(B, A, K): the logit of sigmoid(object) times sigmoid(class), in float32.

    p / (1 - p) of p = 1 / ((1 + e^-o) (1 + e^-c)) is 1 / (e^-o + e^-c + e^-(o + c)).
    """
    objects_BA1, classes_BAK = objects_BA.float()[..., None], classes_BAK.float()
    either = torch.logaddexp(-objects_BA1, -classes_BAK)
    return -torch.logaddexp(either, -objects_BA1 - classes_BAK)


def from_published(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of YOLOX's own checkpoints under our names, for pictures as we show them.

    They were trained on bytes in the order blue, green, red; ours see 0 to 1 in red, green, blue.
    The first convolution takes both up, so that its outputs are the same.
    """
    ours = {f"net.{name}": value for name, value in weights.items()}
    stem = ours[STEM]
    # Twelve channels: four neighbours of three colours each.
    turned = stem.unflatten(1, (4, 3)).flip(2).flatten(1, 2)
    return ours | {STEM: turned * BYTES}


def is_published(weights: Mapping[str, Tensor]) -> bool:
    """Whether their names are those of YOLOX's own checkpoints."""
    return STEM.removeprefix("net.") in weights
