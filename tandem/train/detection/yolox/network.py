"""YOLOX's network: CSPDarknet, a path-aggregating neck, a head of separate branches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tandem.train.detection.yolox.blocks import (
    ConvUnit,
    Focus,
    PartialStage,
    SpatialPyramid,
    spatial,
)

PRIOR = 0.01
"""How likely an object is at a cell before anything is learnt (Lin et al. 2017)."""
HEAD_WIDTH = 256


@dataclass(frozen=True)
class YoloxSize:
    """How deep and wide one size is, as parts of `l`."""

    depth: float
    width: float
    separable: bool = False

    def channels(self, of_large: int) -> int:
        """The channels where the large network has so many."""
        return int(of_large * self.width)

    def blocks(self, of_large: int) -> int:
        """The bottlenecks where the large network has so many."""
        return max(round(of_large * self.depth), 1)


SHAPES = {
    "yolox-nano": YoloxSize(0.33, 0.25, separable=True),
    "yolox-tiny": YoloxSize(0.33, 0.375),
    "yolox-s": YoloxSize(0.33, 0.50),
    "yolox-m": YoloxSize(0.67, 0.75),
}
"""The paper's table 3; nano's 3x3 convolutions are separable."""


@dataclass(frozen=True)
class RawHeads:
    """What the head says of A anchors, one a cell: P3, P4, P5, each in raster order."""

    boxes_BA4: Tensor
    """Undecoded: x and y in cells from the cell's corner, log width and log height in cells."""
    objects_BA: Tensor
    """Logits: whether an object is there."""
    classes_BAK: Tensor
    """Logits of each class."""
    maps_BCHW: tuple[Tensor, ...]
    """The neck's maps."""

    def canvases(self, kept_B: Tensor) -> RawHeads:
        """What it says of these canvases only."""
        return RawHeads(
            self.boxes_BA4[kept_B],
            self.objects_BA[kept_B],
            self.classes_BAK[kept_B],
            tuple(one[kept_B] for one in self.maps_BCHW),
        )


class Darknet(nn.Module):
    """CSPDarknet: stages of stride 8, 16 and 32."""

    def __init__(self, shape: YoloxSize) -> None:
        super().__init__()
        widths = [shape.channels(64 * 2**level) for level in range(5)]
        self.stem = Focus(widths[0])
        self.dark2 = self._stage(shape, widths[0], widths[1], 3)
        self.dark3 = self._stage(shape, widths[1], widths[2], 9)
        self.dark4 = self._stage(shape, widths[2], widths[3], 9)
        deepest = self._stage(shape, widths[3], widths[4], 3, last=True)
        self.dark5 = nn.Sequential(deepest[0], SpatialPyramid(widths[4]), deepest[1])

    @staticmethod
    def _stage(
        shape: YoloxSize, inside: int, outside: int, depth: int, *, last: bool = False
    ) -> nn.Sequential:
        # The three of `l` are rounded first and then tripled, as published: m has 6, not 6.03.
        count = shape.blocks(3) * (depth // 3)
        return nn.Sequential(
            spatial(inside, outside, 2, separable=shape.separable),
            PartialStage(outside, outside, count, shortcut=not last, separable=shape.separable),
        )

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        third = self.dark3(self.dark2(self.stem(images_BCHW)))
        fourth = self.dark4(third)
        return third, fourth, self.dark5(fourth)


class Neck(nn.Module):
    """Coarse to fine, and back (PANet, Liu et al. 2018); `backbone` within, as published."""

    def __init__(self, shape: YoloxSize) -> None:
        super().__init__()
        small, middle, large = (shape.channels(one) for one in (256, 512, 1024))
        self.backbone = Darknet(shape)
        self.lateral_conv0 = ConvUnit(large, middle)
        self.C3_p4 = self._join(shape, 2 * middle, middle)
        self.reduce_conv1 = ConvUnit(middle, small)
        self.C3_p3 = self._join(shape, 2 * small, small)
        self.bu_conv2 = spatial(small, small, 2, separable=shape.separable)
        self.C3_n3 = self._join(shape, 2 * small, middle)
        self.bu_conv1 = spatial(middle, middle, 2, separable=shape.separable)
        self.C3_n4 = self._join(shape, 2 * middle, large)

    @staticmethod
    def _join(shape: YoloxSize, inside: int, outside: int) -> PartialStage:
        return PartialStage(
            inside, outside, shape.blocks(3), shortcut=False, separable=shape.separable
        )

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        third, fourth, fifth = self.backbone(images_BCHW)
        top = self.lateral_conv0(fifth)
        middle = self.reduce_conv1(self.C3_p4(torch.cat((_doubled(top), fourth), 1)))
        fine = self.C3_p3(torch.cat((_doubled(middle), third), 1))
        medium = self.C3_n3(torch.cat((self.bu_conv2(fine), middle), 1))
        return fine, medium, self.C3_n4(torch.cat((self.bu_conv1(medium), top), 1))


class DecoupledHead(nn.Module):
    """For each map, two branches of two convolutions: one for classes, one for box and object."""

    def __init__(self, shape: YoloxSize, num_classes: int) -> None:
        super().__init__()
        width, insides = shape.channels(HEAD_WIDTH), [shape.channels(n) for n in (256, 512, 1024)]
        self.stems = nn.ModuleList(ConvUnit(inside, width) for inside in insides)
        self.cls_convs = nn.ModuleList(self._branch(width, shape) for _ in insides)
        self.reg_convs = nn.ModuleList(self._branch(width, shape) for _ in insides)
        self.cls_preds = nn.ModuleList(nn.Conv2d(width, num_classes, 1) for _ in insides)
        self.reg_preds = nn.ModuleList(nn.Conv2d(width, 4, 1) for _ in insides)
        self.obj_preds = nn.ModuleList(nn.Conv2d(width, 1, 1) for _ in insides)
        self.expect_few()

    @staticmethod
    def _branch(width: int, shape: YoloxSize) -> nn.Sequential:
        return nn.Sequential(*(spatial(width, width, separable=shape.separable) for _ in range(2)))

    def expect_few(self) -> None:
        """Biases of a head for which objects are rare: else the first steps only unlearn them."""
        rare = -math.log((1 - PRIOR) / PRIOR)
        for one in (*self.cls_preds, *self.obj_preds):
            assert isinstance(one, nn.Conv2d)
            assert one.bias is not None
            nn.init.constant_(one.bias, rare)

    def forward(self, maps_BCHW: tuple[Tensor, ...]) -> RawHeads:
        boxes, objects, classes = [], [], []
        for number, map_BCHW in enumerate(maps_BCHW):
            stem = self.stems[number](map_BCHW)
            place = self.reg_convs[number](stem)
            classes.append(self.cls_preds[number](self.cls_convs[number](stem)))
            boxes.append(self.reg_preds[number](place))
            objects.append(self.obj_preds[number](place))
        return RawHeads(_anchors(boxes), _anchors(objects)[..., 0], _anchors(classes), maps_BCHW)


class YoloxNet(nn.Module):
    """The whole network. Sides of the pictures are in whole strides of 32."""

    def __init__(self, shape: YoloxSize, num_classes: int) -> None:
        super().__init__()
        self.backbone = Neck(shape)
        self.head = DecoupledHead(shape, num_classes)

    def forward(self, images_BCHW: Tensor) -> RawHeads:
        heads: RawHeads = self.head(self.backbone(images_BCHW))
        return heads


def _doubled(map_BCHW: Tensor) -> Tensor:
    return F.interpolate(map_BCHW, scale_factor=2, mode="nearest")


def _anchors(maps_BCHW: list[Tensor]) -> Tensor:
    """(B, A, C): the cells of all maps in one row."""
    return torch.cat([one.flatten(2) for one in maps_BCHW], 2).transpose(1, 2)
