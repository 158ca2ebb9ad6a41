"""U-Net (Ronneberger et al. 2015), as it was drawn, or on a pretrained encoder."""

from __future__ import annotations

from collections.abc import Sequence

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tandem.spec.errors import StudentError
from tandem.spec.plugins.students import resolve
from tandem.spec.run import StudentSpec
from tandem.train.registry import register
from tandem.train.students._initialize import draw, load_pretrained
from tandem.train.students._options import options_from_spec
from tandem.train.students._timm import NormalisedStudent, to_raster
from tandem.train.types import StepOutput

BASE_WIDTH = {"unet-small": 32, "unet-medium": 48, "unet-large": 64}
PREFIX = "unet-"
SIZES = {"unet-small": 7.76, "unet-medium": 17.46, "unet-large": 31.04}
"""Millions of parameters at 21 classes."""
ACTIVATIONS = {"unet-small": 656.0, "unet-medium": 983.0, "unet-large": 1309.0}
"""Numbers that a pixel leaves for the backward pass."""


class MaskStudent(NormalisedStudent):
    """A network that gives encoder stages and a class for each pixel."""

    stride: int
    """Pixels that one cell of the bottleneck spans; an image is padded to a multiple of it."""

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:
        """Float images of 0 to 1; `layers` counts the encoder's stages from 0."""
        self.check_layers(layers)
        height, width = images_BCHW.shape[2:]
        pads = (0, -width % self.stride, 0, -height % self.stride)
        stages, scores_BKHW = self.masks(F.pad(self.normalised(images_BCHW), pads))
        class_map_BHWK = to_raster(scores_BKHW[:, :, :height, :width])
        bottleneck = to_raster(stages[-1])
        return StepOutput(
            class_map_BHWK.mean((1, 2)),
            bottleneck.mean((1, 2)),
            bottleneck,
            tuple(to_raster(stages[one]) for one in layers),
            class_map_BHWK,
        )

    def masks(self, images_BCHW: Tensor) -> tuple[list[Tensor], Tensor]:
        """From normalised, padded images: the stages, finest first, and (B, K, H, W) scores."""
        raise NotImplementedError


class UNet(MaskStudent):
    """Four times halved and doubled again, each level joined to the one of its size."""

    stride = 16

    def __init__(
        self, base_width: int, *, num_classes: int, image_size: int, dropout: float
    ) -> None:
        super().__init__(num_classes=num_classes, image_size=image_size)
        widths = [base_width * 2**level for level in range(5)]
        self.down = nn.ModuleList(
            _twice(inside, outside)
            for inside, outside in zip([3, *widths[:-1]], widths, strict=True)
        )
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.widen = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(_twice(2 * b, b) for _, b in pairs)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(base_width, num_classes, 1)
        self.layer_widths = widths
        self.pooled_width = self.tokens_width = widths[-1]
        self.tokens_grid = -(-image_size // self.stride)

    def masks(self, images_BCHW: Tensor) -> tuple[list[Tensor], Tensor]:
        x, stages = images_BCHW, []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            stages.append(x)
        for widen, block, beside in zip(self.widen, self.up, stages[-2::-1], strict=True):
            x = block(torch.cat([beside, widen(x)], dim=1))
        return stages, self.classify(self.dropout(x))


class EncoderUNet(MaskStudent):
    """segmentation-models-pytorch's Unet on one of its encoders."""

    stride = 32

    def __init__(self, encoder: str, *, num_classes: int, image_size: int, dropout: float) -> None:
        super().__init__(num_classes=num_classes, image_size=image_size)
        self.net = smp.Unet(encoder, encoder_weights=None, classes=num_classes)
        self.dropout = nn.Dropout2d(dropout)
        widths = list(self.net.encoder.out_channels[1:])
        self.layer_widths = [width for width in widths if width > 0]
        self.pooled_width = self.tokens_width = self.layer_widths[-1]
        self.tokens_grid = -(-image_size // self.stride)

    def masks(self, images_BCHW: Tensor) -> tuple[list[Tensor], Tensor]:
        features = self.net.encoder(images_BCHW)
        decoded = self.net.decoder(features)
        stages = [one for one in features[1:] if one.shape[1] > 0]
        scores: Tensor = self.net.segmentation_head(self.dropout(decoded))
        return stages, scores


def _twice(inside: int, outside: int) -> nn.Sequential:
    """Two 3x3 convolutions; batch norm, which the paper lacked, is what everyone trains with."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
        nn.Conv2d(outside, outside, 3, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


@register.student(
    "unet",
    kinds={"segmentation"},
    gives={"logits", "pooled", "tokens", "layers"},
    options=options_from_spec(
        "UNetOptions",
        "init",
        "path",
        "dropout",
        sizes=SIZES,
        default_size="unet-medium",
        size_note="unet-<encoder> with an encoder of segmentation-models-pytorch, such as "
        "unet-resnet34",
        descriptions={
            "path": "Weights for `pretrained`: a file or a folder.",
            "dropout": "Before the last convolution.",
        },
    ),
    sizes=SIZES,
    activations=ACTIVATIONS,
    default_size="unet-medium",
    defaults={
        "optim.learning_rate": 1e-4,
        "optim.optimizer": "adam",
        "optim.batch_size": 8,
        "data.image_size": 512,
    },
    open_sizes=True,
    licence="Apache-2.0",
    source="https://arxiv.org/abs/1505.04597; unet-<encoder>: segmentation-models-pytorch (MIT)",
    zh="UNet：给每个像素一个类别；图片不多也能得到清晰的轮廓。",
)
def build(spec: StudentSpec, num_classes: int, image_size: int) -> MaskStudent:
    """UNet: a class for each pixel; sharp outlines from few pictures."""
    _, size = resolve("unet", spec.size)
    student: MaskStudent
    shape = {"num_classes": num_classes, "image_size": image_size}
    if size in BASE_WIDTH:
        student = UNet(BASE_WIDTH[size], dropout=spec.dropout, **shape)
    else:
        student = _on_encoder(size.removeprefix(PREFIX), spec, num_classes, image_size)
    if spec.init in ("kaiming", "xavier"):
        draw(student, spec.init)
    elif spec.init == "pretrained":
        load_pretrained(student, spec, encoder="net.encoder." if size not in BASE_WIDTH else "")
    return student


def _on_encoder(encoder: str, spec: StudentSpec, num_classes: int, image_size: int) -> EncoderUNet:
    known = smp.encoders.get_encoder_names()
    if encoder not in known:
        raise StudentError(
            "There is no UNet encoder {encoder!r}.",
            encoder=encoder,
            allowed=[*BASE_WIDTH, *(PREFIX + one for one in known)],
            fix="Choose one of these.",
        )
    return EncoderUNet(
        encoder, num_classes=num_classes, image_size=image_size, dropout=spec.dropout
    )
