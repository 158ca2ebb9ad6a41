"""A second class head, and the answer that is made of both."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tandem.spec.run import StudentSpec


class DualHead(nn.Module):
    """The head that learns from the teacher (Kang et al. 2025, arXiv 2505.07675, DHO).

    Labels and soft labels pull a single head in different directions; of two heads each learns
    from its own. What is answered is a mix of their probabilities:
    share · softmax(labels) + (1 - share) · softmax(taught / temperature), as log-probabilities.
    """

    def __init__(self, width: int, num_classes: int, spec: StudentSpec) -> None:
        super().__init__()
        self.classifier = nn.Linear(width, num_classes)
        self.share, self.temperature = spec.label_head_share, spec.taught_head_temperature

    def forward(self, features_BD: Tensor, labels_BK: Tensor) -> tuple[Tensor, Tensor]:
        """The logits that stand for the student, and the taught head's own.

        While it learns, the first are the labels' head's, untouched; else they are the mix.
        """
        taught_BK: Tensor = self.classifier(features_BD)
        if self.training:
            return labels_BK, taught_BK
        return self.mixed(labels_BK, taught_BK), taught_BK

    def mixed(self, labels_BK: Tensor, taught_BK: Tensor) -> Tensor:
        """(B, K) log-probabilities of the answer."""
        own_BK = F.log_softmax(labels_BK.float(), dim=-1)
        if self.share == 1:
            return own_BK
        other_BK = F.log_softmax(taught_BK.float() / self.temperature, dim=-1)
        if self.share == 0:
            return other_BK
        # In logarithms: a sure head's other classes would else round to zero, and to -inf here.
        mine, its = math.log(self.share), math.log(1 - self.share)
        return torch.logaddexp(own_BK + mine, other_BK + its)
