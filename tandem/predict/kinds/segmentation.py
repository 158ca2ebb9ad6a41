"""Pictures to masks at the picture's own size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tandem.predict.answers import Answer, Segmentation
from tandem.predict.images import opened
from tandem.predict.kinds.base import ModelInput, Output, Picture
from tandem.spec.model import ModelConfig
from tandem.train.data.augment import whole


class Masks:
    """Each class's probability is brought to the picture's size; a pixel gets the highest."""

    output = "class_map_BHWK"

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    def read(self, source: Picture) -> ModelInput:
        size = self.config.image_size
        image, (height, width) = opened(source, size)
        return ModelInput(whole(image, size).transpose(2, 0, 1), height, width)

    def postprocess(self, output: Output, shown: Sequence[ModelInput]) -> list[Answer]:
        scaled_BHWK = output.class_map_BHWK.float() / self.config.temperature
        maps_BHWK = scaled_BHWK.softmax(-1)
        return [self._one(one, at) for one, at in zip(maps_BHWK, shown, strict=True)]

    def _one(self, map_HWK: Tensor, shown: ModelInput) -> Segmentation:
        best_HW, mask_HW = _highest(map_HWK, shown.height, shown.width)
        mask, best = mask_HW.cpu().numpy(), best_HW.cpu().numpy()
        names = self.config.classes
        there = {names[k]: float(best[mask == k].mean()) for k in np.unique(mask)}
        return Segmentation(mask, tuple(names), there)


def _highest(map_HWK: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Class after class: all of them at a large picture's size would be too much at once."""
    best_HW = map_HWK.new_full((height, width), -1.0)
    mask_HW = torch.zeros(height, width, dtype=torch.uint8, device=map_HWK.device)
    for k in range(map_HWK.shape[2]):
        one_HW = F.interpolate(map_HWK[None, None, ..., k], size=(height, width), mode="bilinear")[
            0, 0
        ]
        better_HW = one_HW > best_HW
        mask_HW[better_HW] = k
        best_HW = torch.maximum(best_HW, one_HW)
    return best_HW, mask_HW
