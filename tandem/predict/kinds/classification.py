"""Pictures to classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tandem.predict.answers import Answer
from tandem.predict.images import open_image
from tandem.predict.kinds.base import ModelInput, ModelOutput
from tandem.predict.prediction import predictions_from_logits, predictions_from_scores
from tandem.spec.model import ModelConfig
from tandem.train.data.augment import whole


class ClassificationProcessor:
    """The whole picture, resized as validation does; probabilities at the fitted temperature."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    def read(self, source: object) -> ModelInput:
        size = self.config.image_size
        image, (height, width) = open_image(source, size)
        return ModelInput(whole(image, size).transpose(2, 0, 1), height, width)

    def postprocess(self, output: ModelOutput, inputs: Sequence[ModelInput]) -> list[Answer]:  # noqa: ARG002
        if "probabilities_BK" in output:  # of a foreign model, which has applied its own
            scores_BK = output["probabilities_BK"].float().cpu().numpy()
            return [*predictions_from_scores(scores_BK, self.config.classes)]
        logits_BK = np.asarray(output["logits_BK"].float().cpu().numpy(), np.float32)
        return [*predictions_from_logits(logits_BK, self.config.classes, self.config.temperature)]
