"""Frame features of a ResNet-50 into a bidirectional LSTM (Donahue et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence

import timm
import torch
from timm.models.resnet import ResNet as TimmResNet
from torch import Tensor, nn

from tandem.spec.plugins.students import resolve
from tandem.spec.run import StudentSpec
from tandem.train.registry import register
from tandem.train.students._dual_head import DualHead
from tandem.train.students._initialize import draw, load_pretrained
from tandem.train.students._options import DUAL_HEAD, options_from_spec
from tandem.train.students._timm import NormalisedStudent
from tandem.train.types import StepOutput

HIDDEN = {"lstm-small": 256, "lstm-medium": 512, "lstm-large": 1024}
LAYERS = 2
FRAME_NET = "resnet50"
SIZES = {"lstm-small": 6.3, "lstm-medium": 16.8, "lstm-large": 50.4}
"""Millions of parameters without the frame features (23.5)."""
ACTIVATIONS = {
    "lstm-small": 2.4,
    "lstm-medium": 4.3,
    "lstm-large": 8.1,
}
"""Numbers that a pixel of a frame leaves for the backward pass: few, as frozen features do."""


class LSTMStudent(NormalisedStudent):
    """`tokens_BHWD` has a row for each frame and one column: the states over time."""

    tokens_grid = 1

    def __init__(self, spec: StudentSpec, hidden: int, num_classes: int, image_size: int) -> None:
        super().__init__(num_classes=num_classes, image_size=image_size)
        self.frames, self.pooling = spec.frames, spec.pooling
        self.train_features = spec.train_features
        net = timm.create_model(FRAME_NET, num_classes=0)
        assert isinstance(net, TimmResNet)
        self.features = net
        width = int(net.num_features)
        dropout = spec.dropout if LAYERS > 1 else 0.0
        self.lstm = nn.LSTM(
            width, hidden, LAYERS, batch_first=True, bidirectional=True, dropout=dropout
        )
        self.attention = nn.Linear(2 * hidden, 1) if spec.pooling == "attention" else None
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Linear(2 * hidden, num_classes)
        self.pooled_width = self.tokens_width = 2 * hidden
        self.dual_head = DualHead(2 * hidden, num_classes, spec) if spec.dual_head else None
        self.layer_widths = [width, 2 * hidden]

    def train(self, mode: bool = True) -> LSTMStudent:
        """Frozen features keep their norms' statistics too."""
        super().train(mode)
        if not self.train_features:
            self.features.eval()
        return self

    def freeze_features(self) -> None:
        """Leave the frame features as they are, their norms' statistics too."""
        self.features.requires_grad_(False).eval()

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:
        """Clips (B, T, 3, S, S) of 0 to 1, or pictures (B, 3, S, S) as clips of one.

        Layer 0 is the frame features, layer 1 the states.
        """
        self.check_layers(layers)
        clips = images_BCHW[:, None] if images_BCHW.ndim == 4 else images_BCHW
        batch, frames = clips.shape[:2]
        frames_BCHW = self.normalised(clips.flatten(0, 1))
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.train_features):
            frame_BTD = self.features(frames_BCHW).unflatten(0, (batch, frames))
        states_BTD, (last, _) = self.lstm(frame_BTD)
        pooled_BD = self._pool(states_BTD, last)
        tokens_BHWD = states_BTD[:, :, None]
        given = (frame_BTD[:, :, None], tokens_BHWD)
        taps = tuple(given[one] for one in layers)
        features_BD = self.dropout(pooled_BD)
        logits_BK = self.head(features_BD)
        if self.dual_head is None:
            return StepOutput(logits_BK, pooled_BD, tokens_BHWD, taps)
        logits_BK, taught_BK = self.dual_head(features_BD, logits_BK)
        return StepOutput(logits_BK, pooled_BD, tokens_BHWD, taps, taught_BK=taught_BK)

    def example(self, count: int) -> Tensor:
        """Clips of as many frames as it is shown."""
        frames_BCHW = super().example(count * self.frames)
        return frames_BCHW.view(count, self.frames, *frames_BCHW.shape[1:])

    def _pool(self, states_BTD: Tensor, last: Tensor) -> Tensor:
        if self.attention is not None:
            weight_BT1: Tensor = self.attention(states_BTD).softmax(1)
            return (weight_BT1 * states_BTD).sum(1)
        if self.pooling == "mean":
            return states_BTD.mean(1)
        return torch.cat([last[-2], last[-1]], dim=-1)  # each direction's own end


@register.student(
    "lstm",
    kinds={"sequence", "classification"},
    gives={"logits", "pooled", "tokens", "layers"},
    options=options_from_spec(
        "LSTMOptions",
        "init",
        "path",
        "dropout",
        "frames",
        "pooling",
        "train_features",
        *DUAL_HEAD,
        sizes=SIZES,
        default_size="lstm-medium",
        descriptions={
            "path": "Weights for `pretrained`: those of this student, or of a ResNet-50.",
            "dropout": "Between the layers and before the head.",
        },
    ),
    sizes=SIZES,
    activations=ACTIVATIONS,
    default_size="lstm-medium",
    defaults={"optim.learning_rate": 1e-4, "optim.optimizer": "adam"},
    frame_features={"name": FRAME_NET, "parameters_millions": 23.5},
    licence="Apache-2.0",
    source="https://arxiv.org/abs/1411.4389, timm",
    zh="LSTM：用于片段；先取 ResNet-50 的逐帧特征，再读它们的先后顺序。",
)
def build(spec: StudentSpec, num_classes: int, image_size: int) -> LSTMStudent:
    """LSTM: clips; frame features of a ResNet-50, and what they say one after the other."""
    _, size = resolve("lstm", spec.size)
    student = LSTMStudent(spec, HIDDEN[size], num_classes, image_size)
    if spec.init in ("kaiming", "xavier"):
        draw(student, spec.init)
    elif spec.init == "pretrained":
        load_pretrained(student, spec, encoder="features.")
    if not spec.train_features:
        student.freeze_features()
    return student


def parameters_by_part(student: LSTMStudent) -> dict[str, int]:
    """Numbers in the frame features, and in the rest."""
    features = sum(one.numel() for one in student.features.parameters())
    whole = sum(one.numel() for one in student.parameters())
    return {"frame_features": features, "lstm": whole - features}
