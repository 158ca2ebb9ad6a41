"""Pictures to masks at the picture's own size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tandem.predict.answers import Answer, SegmentationMask
from tandem.predict.images import open_image
from tandem.predict.kinds.base import ModelInput, ModelOutput
from tandem.spec.model import ModelConfig
from tandem.train.data.augment import whole


class SegmentationProcessor:
    """Each class's probability is brought to the picture's size; a pixel gets the highest."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    def read(self, source: object) -> ModelInput:
        size = self.config.image_size
        image, (height, width) = open_image(source, size)
        return ModelInput(whole(image, size).transpose(2, 0, 1), height, width)

    def postprocess(self, output: ModelOutput, inputs: Sequence[ModelInput]) -> list[Answer]:
        scaled_BHWK = output["class_map_BHWK"].float() / self.config.temperature
        maps_BHWK = scaled_BHWK.softmax(-1)
        return [self._decode(one, at) for one, at in zip(maps_BHWK, inputs, strict=True)]

    def _decode(self, map_HWK: Tensor, source: ModelInput) -> SegmentationMask:
        best_HW, mask_HW = _highest(map_HWK, source.height, source.width)
        mask, best = mask_HW.cpu().numpy(), best_HW.cpu().numpy()
        names = self.config.classes
        there = {names[k]: float(best[mask == k].mean()) for k in np.unique(mask)}
        return SegmentationMask(mask, tuple(names), there)


def _highest(map_HWK: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The highest probability of each pixel, and its class, at `height` × `width`.

    It goes class after class: all of them at a large picture's size would be too much at once.
    """
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
