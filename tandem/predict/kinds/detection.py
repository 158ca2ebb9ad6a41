"""Pictures to boxes: letterboxed, suppressed, and back in the picture's own pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from tandem.predict.answers import Answer, Detections, Found
from tandem.predict.images import opened
from tandem.predict.kinds.base import ModelInput, Output, Picture
from tandem.spec.model import ModelConfig
from tandem.train.yolo.boxes import letterbox, suppress, unletterbox, whole_strides

THRESHOLD = 0.25
"""Of a class for which no threshold was found: Ultralytics' own."""


class Detection:
    """Scores are the model's own; below its class's threshold a box is not told."""

    output = "boxes_BCA"

    def __init__(
        self, config: ModelConfig, threshold: float | Mapping[str, float] | None = None
    ) -> None:
        self.config = config
        self.side = whole_strides(config.image_size)
        asked = threshold if isinstance(threshold, Mapping) else {}
        own = {**config.thresholds, **asked}
        self.threshold: float | Sequence[float] = (
            threshold
            if isinstance(threshold, float | int)
            else [own.get(name, THRESHOLD) for name in config.classes]
        )

    def read(self, source: Picture) -> ModelInput:
        image, (height, width) = opened(source, self.side, in_proportion=True)
        pixels_CHW = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        canvas_CHW, placed = letterbox(pixels_CHW, self.side, self.side)
        return ModelInput(canvas_CHW.numpy(), height, width, placed)

    def postprocess(self, output: Output, shown: Sequence[ModelInput]) -> list[Answer]:
        found = suppress(output.boxes_BCA.float(), self.threshold)
        return [self._one(n6.cpu(), one) for n6, one in zip(found, shown, strict=True)]

    def _one(self, found_N6: torch.Tensor, shown: ModelInput) -> Detections:
        boxes_N6 = unletterbox(found_N6, shown.placed)
        # A JPEG may have been decoded at a part of its size.
        across, down = shown.width / shown.placed.width, shown.height / shown.placed.height
        boxes_N6[:, 0:4:2] *= across
        boxes_N6[:, 1:4:2] *= down
        told = tuple(
            Found(self.config.classes[int(row[5])], row[4], (row[0], row[1], row[2], row[3]))
            for row in boxes_N6.tolist()
            if row[2] > row[0] and row[3] > row[1]
        )
        return Detections(told, shown.height, shown.width)
