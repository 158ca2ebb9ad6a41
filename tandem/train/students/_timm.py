"""What the students share: normalisation, taps, the classifier or the mask's head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from timm.models.resnet import ResNet as TimmResNet
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from tandem.spec.run import StudentSpec
from tandem.train.students._dual_head import DualHead
from tandem.train.students._mask_head import MaskHead
from tandem.train.types import StepOutput, Student

TimmNet = TimmResNet | VisionTransformer


class NormalisedStudent(Student):
    """Pictures are normalised inside, by a mean and deviation that lie in the state dict."""

    def __init__(self, *, num_classes: int, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size
        self.num_classes = num_classes
        self.notes: tuple[str, ...] = ()
        # In the state dict: weights pretrained with another mean keep it when loaded again.
        self.register_buffer("input_mean", torch.tensor(self.mean).view(1, 3, 1, 1))
        self.register_buffer("input_std", torch.tensor(self.std).view(1, 3, 1, 1))
        self.input_mean: Tensor
        self.input_std: Tensor
        self.register_load_state_dict_post_hook(_read_normalisation)  # type: ignore[no-untyped-call]

    def normalise_with(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Let these weights see the mean and deviation that they were pretrained with."""
        with torch.no_grad():
            self.input_mean.copy_(torch.tensor(mean).view(1, 3, 1, 1))
            self.input_std.copy_(torch.tensor(std).view(1, 3, 1, 1))
        self.mean, self.std = tuple(mean), tuple(std)

    def normalised(self, images_BCHW: Tensor) -> Tensor:
        """Float images of 0 to 1 as the network wants them."""
        return (images_BCHW - self.input_mean) / self.input_std

    def logits(self, images_BCHW: Tensor) -> Tensor:
        """The class scores (B, K) only: what is exported."""
        output: StepOutput = self.forward(images_BCHW)
        return output.logits_BK


class TimmStudent(NormalisedStudent):
    """A timm network with the taps of `StepOutput`. A subclass writes `features`."""

    mask_layers: Sequence[int] = ()
    """The layers that the mask's head is made of; the last tokens where empty."""

    def __init__(self, net: TimmNet, *, num_classes: int, image_size: int, dropout: float) -> None:
        super().__init__(num_classes=num_classes, image_size=image_size)
        self.net = net
        self.dropout = nn.Dropout(dropout)
        self.mask_head: MaskHead | None = None
        self.dual_head: DualHead | None = None

    def add_dual_head(self, spec: StudentSpec) -> None:
        """Give it a second head where the spec asks for one and there is a class head."""
        if spec.dual_head and self.mask_head is None:
            self.dual_head = DualHead(self.pooled_width, self.num_classes, spec)

    def end_in_masks(self, widths: Sequence[int], layers: Sequence[int] = ()) -> None:
        """Give it a head for each pixel in place of the classifier, over `layers` or the tokens."""
        self.net.reset_classifier(0)
        self.mask_layers = tuple(layers)
        self.mask_head = MaskHead(widths, self.num_classes)

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:
        """Float images of 0 to 1; `layers` counts stages (ResNet) or blocks (ViT) from 0.

        Raises StudentError for a layer that does not exist.
        """
        self.check_layers(layers)
        wanted = (*layers, *self.mask_layers)
        pooled_BD, tokens_BHWD, taps = self.features(self.normalised(images_BCHW), wanted)
        taps, stages = taps[: len(layers)], taps[len(layers) :]
        if self.mask_head is None:
            features_BD = self.dropout(pooled_BD)
            logits_BK = self.classifier()(features_BD)
            if self.dual_head is None:
                return StepOutput(logits_BK, pooled_BD, tokens_BHWD, taps)
            logits_BK, taught_BK = self.dual_head(features_BD, logits_BK)
            return StepOutput(logits_BK, pooled_BD, tokens_BHWD, taps, taught_BK=taught_BK)
        dense = self.mask_head(stages or (tokens_BHWD,), images_BCHW.shape[2:], self.dropout)
        return StepOutput(dense.mean((1, 2)), pooled_BD, tokens_BHWD, taps, dense)

    def features(
        self, images_BCHW: Tensor, layers: Sequence[int]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """For normalised images: pooled (B, D), last tokens (B, H, W, D), the layers in order."""
        raise NotImplementedError

    def classifier(self) -> nn.Module:
        """The linear layer from the pooled features to the classes."""
        classifier: nn.Module = self.net.get_classifier()
        return classifier


def to_raster(features_BDHW: Tensor) -> Tensor:
    """(B, D, H, W) to (B, H, W, D)."""
    return features_BDHW.permute(0, 2, 3, 1)


def _read_normalisation(student: nn.Module, _keys: object) -> None:
    assert isinstance(student, NormalisedStudent)
    student.mean = tuple(student.input_mean.flatten().tolist())
    student.std = tuple(student.input_std.flatten().tolist())
