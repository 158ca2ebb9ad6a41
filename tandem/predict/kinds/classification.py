"""Pictures to classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tandem.predict.answers import Answer
from tandem.predict.images import opened
from tandem.predict.kinds.base import ModelInput, Output, Picture
from tandem.predict.prediction import predictions
from tandem.spec.model import ModelConfig
from tandem.train.data.augment import whole


class Classification:
    """The whole picture, resized as validation does; probabilities at the fitted temperature."""

    output = "logits_BK"

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    def read(self, source: Picture) -> ModelInput:
        size = self.config.image_size
        image, (height, width) = opened(source, size)
        return ModelInput(whole(image, size).transpose(2, 0, 1), height, width)

    def postprocess(self, output: Output, shown: Sequence[ModelInput]) -> list[Answer]:  # noqa: ARG002
        logits_BK = np.asarray(output.logits_BK.float().cpu().numpy(), np.float32)
        return [*predictions(logits_BK, self.config.classes, self.config.temperature)]
