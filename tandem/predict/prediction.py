"""What a model says of one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """`confidence` is the calibrated probability of `label`, 0 to 1."""

    label: str
    confidence: float
    probabilities: dict[str, float]
    """Each class's probability, in the model's order; they sum to 1, but for a foreign model that
    scores each class alone."""

    def top(self, count: int) -> list[tuple[str, float]]:
        """The most probable classes, best first."""
        return sorted(self.probabilities.items(), key=lambda one: -one[1])[:count]


def predictions_from_logits(
    logits_BK: NDArray[np.floating], classes: Sequence[str], temperature: float
) -> list[Prediction]:
    """One for each row: the softmax of its logits, divided by `temperature`."""
    scaled_BK = logits_BK.astype(np.float64) / temperature
    scaled_BK -= scaled_BK.max(1, keepdims=True)  # so that no exponential overflows
    probabilities_BK = np.exp(scaled_BK)
    probabilities_BK /= probabilities_BK.sum(1, keepdims=True)
    return predictions_from_scores(probabilities_BK, classes)


def predictions_from_scores(
    scores_BK: NDArray[np.floating], classes: Sequence[str]
) -> list[Prediction]:
    """One for each row of scores of 0 to 1, as they are."""
    made = []
    for row in scores_BK:
        best = int(row.argmax())
        by_class = dict(zip(classes, row.tolist(), strict=True))
        made.append(Prediction(classes[best], float(row[best]), by_class))
    return made
