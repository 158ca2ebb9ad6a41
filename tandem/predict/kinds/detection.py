"""Pictures to boxes: letterboxed, suppressed, and back in the picture's own pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from tandem.predict.answers import Answer, DetectedBox, Detections
from tandem.predict.images import open_image
from tandem.predict.kinds.base import ModelInput, ModelOutput
from tandem.spec.model import ModelConfig
from tandem.train.detection.boxes import letterbox, suppress, unletterbox, whole_strides

THRESHOLD = 0.25
"""The threshold of a class for which none was found: Ultralytics' own."""


class DetectionProcessor:
    """Scores are the model's own; below its class's threshold a box is not told."""

    def __init__(
        self, config: ModelConfig, threshold: float | Mapping[str, float] | None = None
    ) -> None:
        self.config = config
        self.side = whole_strides(config.image_size)
        given = threshold if isinstance(threshold, Mapping) else {}
        own = {**config.thresholds, **given}
        self.threshold: float | Sequence[float] = (
            threshold
            if isinstance(threshold, float | int)
            else [own.get(name, THRESHOLD) for name in config.classes]
        )

    def read(self, source: object) -> ModelInput:
        image, (height, width) = open_image(source, self.side, in_proportion=True)
        pixels_CHW = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        canvas_CHW, placed = letterbox(pixels_CHW, self.side, self.side)
        return ModelInput(canvas_CHW.numpy(), height, width, placed)

    def postprocess(self, output: ModelOutput, inputs: Sequence[ModelInput]) -> list[Answer]:
        found = suppress(output["boxes_BCA"].float(), self.threshold)
        return [self._decode(n6.cpu(), one) for n6, one in zip(found, inputs, strict=True)]

    def _decode(self, found_N6: torch.Tensor, source: ModelInput) -> Detections:
        placed = source.letterbox
        assert placed is not None  # `read` has set it
        boxes_N6 = unletterbox(found_N6, placed)
        # A JPEG may have been decoded at a part of its size.
        across, down = source.width / placed.width, source.height / placed.height
        boxes_N6[:, 0:4:2] *= across
        boxes_N6[:, 1:4:2] *= down
        boxes = tuple(
            DetectedBox(self.config.classes[int(row[5])], row[4], (row[0], row[1], row[2], row[3]))
            for row in boxes_N6.tolist()
            if row[2] > row[0] and row[3] > row[1]
        )
        return Detections(boxes, source.height, source.width)
