"""ResNet 18 to 101 (He et al. 2016), through timm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
from timm.models.resnet import ResNet as TimmResNet
from torch import Tensor

from tandem.spec.plugins.students import resolve
from tandem.spec.run import StudentSpec
from tandem.train.registry import register
from tandem.train.students._initialize import initialise
from tandem.train.students._options import DUAL_HEAD, options_from_spec
from tandem.train.students._timm import TimmStudent, to_raster

SIZES = {"resnet18": 11.7, "resnet34": 21.8, "resnet50": 25.6, "resnet101": 44.5}
"""Millions of parameters at 1,000 classes."""
ACTIVATIONS = {"resnet18": 111.0, "resnet34": 161.0, "resnet50": 429.0, "resnet101": 633.0}
"""Numbers that a pixel leaves for the backward pass."""


class ResNet(TimmStudent):
    """Four stages, the last 1/32 of the picture a side: at 32 pixels one token.

    `stem` is timm's 7x7 convolution and pooling at every size. On 32-pixel digits with 100 labels a
    stem that shrinks less was no better and two to eight times slower.
    """

    stem = "7x7 stride 2, max pooling"

    def __init__(
        self, net: TimmResNet, *, num_classes: int, image_size: int, dropout: float
    ) -> None:
        super().__init__(net, num_classes=num_classes, image_size=image_size, dropout=dropout)
        self.layer_widths = [
            width for stage in net.feature_info[1:] if isinstance(width := stage["num_chs"], int)
        ]
        self.pooled_width = self.tokens_width = self.layer_widths[-1]
        self.tokens_grid = -(-image_size // 32)

    def features(
        self, images_BCHW: Tensor, layers: Sequence[int]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        net: Any = self.net  # timm sets its layers by name, so none of them has a type
        x = net.maxpool(net.act1(net.bn1(net.conv1(images_BCHW))))
        stages = []
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = stage(x)
            stages.append(x)
        pooled_BD = net.global_pool(x)
        return pooled_BD, to_raster(x), tuple(to_raster(stages[i]) for i in layers)


@register.student(
    "resnet",
    kinds={"classification", "segmentation"},
    gives={"logits", "pooled", "tokens", "layers"},
    options=options_from_spec(
        "ResNetOptions",
        "init",
        "path",
        "head",
        "dropout",
        *DUAL_HEAD,
        sizes=SIZES,
        default_size="resnet18",
    ),
    sizes=SIZES,
    activations=ACTIVATIONS,
    default_size="resnet18",
    defaults={"optim.learning_rate": 1e-4, "optim.optimizer": "adamw"},
    licence="Apache-2.0",
    source="https://arxiv.org/abs/1512.03385, timm",
    zh="ResNet：卷积网络；在各种设备上都快，是常用的选择。",
)
def build(spec: StudentSpec, num_classes: int, image_size: int) -> ResNet:
    """ResNet: convolutions; fast everywhere and the usual choice."""
    _, size = resolve(spec.type, spec.size)
    net = timm.create_model(size, num_classes=num_classes)
    assert isinstance(net, TimmResNet)
    student = ResNet(net, num_classes=num_classes, image_size=image_size, dropout=spec.dropout)
    if spec.head == "mask":
        student.end_in_masks(student.layer_widths, range(4))
    student.add_dual_head(spec)
    initialise(student, spec)
    return student
