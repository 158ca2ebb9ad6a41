"""What YOLOX is built of: convolutions with SiLU, cross-stage partial layers, spatial pyramids.

Names of modules are those of the published checkpoints, so that these load without a table.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BN_EPS, BN_MOMENTUM = 1e-3, 0.03
"""As YOLOX is trained with; PyTorch's own are 1e-5 and 0.1."""
POOLS = (5, 9, 13)
"""Windows of the spatial pyramid, in cells of the coarsest map."""


class ConvUnit(nn.Module):
    """Convolution, batch norm, SiLU. The side is kept, or divided by `stride`."""

    def __init__(
        self, inside: int, outside: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inside, outside, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outside, eps=BN_EPS, momentum=BN_MOMENTUM)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return F.silu(self.bn(self.conv(x_BCHW)), inplace=True)


class SeparableUnit(nn.Module):
    """The same in two: each channel by itself, then across channels (nano has no other)."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.dconv = ConvUnit(inside, inside, kernel, stride, groups=inside)
        self.pconv = ConvUnit(inside, outside)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out_BCHW: Tensor = self.pconv(self.dconv(x_BCHW))
        return out_BCHW


def spatial(inside: int, outside: int, stride: int = 1, *, separable: bool) -> nn.Module:
    """A 3x3 convolution, as this size of YOLOX has them."""
    if separable:
        return SeparableUnit(inside, outside, 3, stride)
    return ConvUnit(inside, outside, 3, stride)


class Focus(nn.Module):
    """Four neighbouring pixels become one cell of four times the channels."""

    def __init__(self, outside: int) -> None:
        super().__init__()
        self.conv = ConvUnit(12, outside, 3)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        rows = (images_BCHW[..., ::2, :], images_BCHW[..., 1::2, :])
        # Columns outside, rows within: the order that published weights are in.
        parts = [row[..., column::2] for column in (0, 1) for row in rows]
        out_BCHW: Tensor = self.conv(torch.cat(parts, 1))
        return out_BCHW


class Bottleneck(nn.Module):
    """A 1x1 and a 3x3 convolution, added to what came in where `shortcut` says so."""

    def __init__(self, width: int, *, shortcut: bool, separable: bool) -> None:
        super().__init__()
        self.conv1 = ConvUnit(width, width)
        self.conv2 = spatial(width, width, separable=separable)
        self.shortcut = shortcut

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out_BCHW: Tensor = self.conv2(self.conv1(x_BCHW))
        return out_BCHW + x_BCHW if self.shortcut else out_BCHW


class PartialStage(nn.Module):
    """Half of the channels go through the bottlenecks, half past them (Wang et al. 2020)."""

    def __init__(
        self, inside: int, outside: int, depth: int, *, shortcut: bool, separable: bool
    ) -> None:
        super().__init__()
        half = outside // 2
        self.conv1, self.conv2 = ConvUnit(inside, half), ConvUnit(inside, half)
        self.conv3 = ConvUnit(2 * half, outside)
        self.m = nn.Sequential(
            *(Bottleneck(half, shortcut=shortcut, separable=separable) for _ in range(depth))
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        deep_BCHW, past_BCHW = self.m(self.conv1(x_BCHW)), self.conv2(x_BCHW)
        out_BCHW: Tensor = self.conv3(torch.cat((deep_BCHW, past_BCHW), 1))
        return out_BCHW


class SpatialPyramid(nn.Module):
    """A cell sees the largest of its neighbourhoods of `POOLS` cells (He et al. 2014)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.conv1 = ConvUnit(width, half)
        self.conv2 = ConvUnit(half * (len(POOLS) + 1), width)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.conv1(x_BCHW)
        pooled = [F.max_pool2d(x_BCHW, side, 1, side // 2) for side in POOLS]
        out_BCHW: Tensor = self.conv2(torch.cat((x_BCHW, *pooled), 1))
        return out_BCHW
