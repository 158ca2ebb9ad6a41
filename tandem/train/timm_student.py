"""What the students from timm share: normalisation, taps, the classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tandem.spec.errors import StudentError
from tandem.train.types import StepOutput, Student


class TimmStudent(Student):
    """A timm network with the taps of `StepOutput`. A subclass writes `features`."""

    def __init__(
        self, net: nn.Module, *, num_classes: int, image_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.net = net
        self.dropout = nn.Dropout(dropout)
        self.image_size = image_size
        self.num_classes = num_classes
        self.notes: tuple[str, ...] = ()
        # In the state dict: weights pretrained with another mean keep it when loaded again.
        self.register_buffer("input_mean", torch.tensor(self.mean).view(1, 3, 1, 1))
        self.register_buffer("input_std", torch.tensor(self.std).view(1, 3, 1, 1))
        self.input_mean: Tensor
        self.input_std: Tensor
        hook: Any = self.register_load_state_dict_post_hook
        hook(_read_normalisation)

    def normalise_with(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Let these weights see the mean and deviation that they were pretrained with."""
        with torch.no_grad():
            self.input_mean.copy_(torch.tensor(mean).view(1, 3, 1, 1))
            self.input_std.copy_(torch.tensor(std).view(1, 3, 1, 1))
        self.mean, self.std = tuple(mean), tuple(std)

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:
        """Float images of 0 to 1; `layers` counts stages (ResNet) or blocks (ViT) from 0.

        Raises StudentError for a layer that does not exist.
        """
        wrong = [layer for layer in layers if not 0 <= layer < len(self.layer_widths)]
        if wrong:
            raise StudentError(
                "The student has no layer {layer}: it has {count}, counted from 0.",
                layer=wrong[0],
                count=len(self.layer_widths),
                fix="Change loss.intermediate_layers.",
            )
        pooled_BD, tokens_BHWD, taps = self.features(
            (images_BCHW - self.input_mean) / self.input_std, layers
        )
        logits_BK = self.classifier()(self.dropout(pooled_BD))
        return StepOutput(logits_BK, pooled_BD, tokens_BHWD, taps)

    def logits(self, images_BCHW: Tensor) -> Tensor:
        """The class scores (B, K) only: what is exported."""
        return self.forward(images_BCHW).logits_BK

    def features(
        self, images_BCHW: Tensor, layers: Sequence[int]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Of normalised images: pooled (B, D), last tokens (B, H, W, D), the layers in order."""
        raise NotImplementedError

    def classifier(self) -> nn.Module:
        """The linear layer from the pooled features to the classes."""
        net: Any = self.net
        classifier: nn.Module = net.get_classifier()
        return classifier


def to_raster(features_BDHW: Tensor) -> Tensor:
    """(B, D, H, W) to (B, H, W, D)."""
    return features_BDHW.permute(0, 2, 3, 1)


def _read_normalisation(student: nn.Module, _keys: object) -> None:
    assert isinstance(student, TimmStudent)
    student.mean = tuple(student.input_mean.flatten().tolist())
    student.std = tuple(student.input_std.flatten().tolist())
