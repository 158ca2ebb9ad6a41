"""From features of one or several sizes to a class for each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 128


class MaskHead(nn.Module):
    """A feature pyramid (Lin et al. 2017, as Kirillov et al. 2019 end it in masks).

    Each stage is brought to one width; from the coarsest on, the sum goes to the next finer one.
    A single stage, as a ViT's tokens are, is made finer by convolutions (Zheng et al. 2021).
    """

    def __init__(self, widths: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in widths)
        rounds = 1 if len(widths) > 1 else 2
        self.smooth = nn.ModuleList(_block() for _ in range(rounds))
        self.classify = nn.Conv2d(WIDTH, num_classes, 1)

    def forward(
        self, stages_BHWD: Sequence[Tensor], size: Sequence[int], dropout: nn.Module
    ) -> Tensor:
        """(B, *size, K) scores; stages from the finest to the coarsest."""
        maps = [
            lateral(stage.permute(0, 3, 1, 2))
            for lateral, stage in zip(self.lateral, stages_BHWD, strict=True)
        ]
        x = maps[-1]
        for finer in reversed(maps[:-1]):
            x = finer + F.interpolate(x, finer.shape[2:], mode="bilinear", align_corners=False)
        for number, block in enumerate(self.smooth):
            if number:
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(x)
        scores = self.classify(dropout(x))
        height, width = int(size[0]), int(size[1])
        scores = F.interpolate(scores, (height, width), mode="bilinear", align_corners=False)
        dense: Tensor = torch.permute(scores, (0, 2, 3, 1))
        return dense


def _block() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()
    )
