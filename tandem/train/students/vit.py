"""ViT (Dosovitskiy et al. 2021; its small sizes, Touvron et al. 2021), through timm."""

from __future__ import annotations

from collections.abc import Sequence

import timm
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import Tensor

from tandem.spec.errors import StudentError
from tandem.spec.plugins.students import resolve
from tandem.spec.run import StudentSpec
from tandem.train.registry import register
from tandem.train.students._foreign_vit import in_timms_names
from tandem.train.students._initialize import initialise
from tandem.train.students._options import DUAL_HEAD, options_from_spec
from tandem.train.students._timm import TimmStudent, to_raster

PATCH = 16
"""What the four sizes were published with."""
LARGEST_GRID = 32
"""More tokens a side make attention, quadratic in them all, too slow to be meant."""
SIZES = {"vit-tiny": 5.7, "vit-small": 22.0, "vit-base": 86.6, "vit-large": 304.0}
"""Millions of parameters at 1,000 classes."""
ACTIVATIONS = {"vit-tiny": 177.0, "vit-small": 351.0, "vit-base": 700.0, "vit-large": 1852.0}
"""Numbers that a pixel leaves for the backward pass."""


class ViT(TimmStudent):
    """Blocks of attention over patches; the class token is what is pooled."""

    def __init__(
        self,
        net: VisionTransformer,
        *,
        num_classes: int,
        image_size: int,
        dropout: float,
        patch_size: int,
    ) -> None:
        super().__init__(net, num_classes=num_classes, image_size=image_size, dropout=dropout)
        self.patch_size = patch_size
        self.layer_widths = [net.embed_dim] * len(net.blocks)
        self.pooled_width = self.tokens_width = net.embed_dim
        self.tokens_grid = image_size // patch_size

    def features(
        self, images_BCHW: Tensor, layers: Sequence[int]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        net = self.net
        assert isinstance(net, VisionTransformer)
        wanted = sorted(set(layers)) or [0]  # timm wants one at least
        x_BND, taps = net.forward_intermediates(images_BCHW, indices=wanted)
        assert isinstance(x_BND, Tensor)
        by_layer = dict(zip(wanted, taps, strict=True))
        pooled_BD = net.fc_norm(net.pool(x_BND))
        side = self.tokens_grid
        tokens_BHWD = x_BND[:, net.num_prefix_tokens :].unflatten(1, (side, side))
        return pooled_BD, tokens_BHWD, tuple(to_raster(by_layer[i]) for i in layers)


def patch_for(image_size: int) -> int:
    """The patch's side in pixels: 16 where that leaves 6 x 6 patches or more.

    Else the largest divisor that leaves 6 to 32 a side, so that a small picture is not one blur.
    Raises StudentError where there is none.
    """
    patch = _patch(image_size)
    if patch is not None:
        return patch
    below = next((size for size in range(image_size, 15, -1) if _patch(size)), None)
    above = next(size for size in range(image_size, 4096) if _patch(size))
    raise StudentError(
        "A ViT cannot cut a picture of {image_size} pixels a side into equal patches.",
        image_size=image_size,
        allowed=[size for size in (below, above) if size is not None],
        fix="Set data.image_size (--image_size) to one of these, or choose a ResNet.",
    )


def _patch(image_size: int) -> int | None:
    for patch in range(PATCH, 0, -1):
        if image_size % patch == 0 and 6 <= image_size // patch <= LARGEST_GRID:
            return patch
    return PATCH if image_size % PATCH == 0 and image_size > PATCH * LARGEST_GRID else None


def _convert(weights: dict[str, Tensor], net: VisionTransformer) -> dict[str, Tensor]:
    """Foreign names, and a grid of another size."""
    fit: dict[str, Tensor] = checkpoint_filter_fn(in_timms_names(weights), net)
    return fit


@register.student(
    "vit",
    kinds={"classification", "segmentation"},
    gives={"logits", "pooled", "tokens", "layers"},
    options=options_from_spec(
        "ViTOptions",
        "init",
        "path",
        "head",
        "dropout",
        *DUAL_HEAD,
        sizes=SIZES,
        default_size="vit-small",
    ),
    sizes=SIZES,
    activations=ACTIVATIONS,
    default_size="vit-small",
    defaults={
        "optim.learning_rate": 5e-5,
        "optim.optimizer": "adamw",
        "optim.weight_decay": 0.05,
    },
    licence="Apache-2.0",
    source="https://arxiv.org/abs/2010.11929, timm",
    zh="ViT：图块上的注意力网络；比 ResNet 需要更多的数据或更多的教学。",
)
def build(spec: StudentSpec, num_classes: int, image_size: int) -> ViT:
    """ViT: attention over patches; wants more data or more teaching than a ResNet."""
    _, size = resolve(spec.type, spec.size)
    patch = patch_for(image_size)
    net = timm.create_model(
        f"{size.replace('-', '_')}_patch{PATCH}_224",
        num_classes=num_classes,
        img_size=image_size,
        patch_size=patch,
    )
    assert isinstance(net, VisionTransformer)
    student = ViT(
        net,
        num_classes=num_classes,
        image_size=image_size,
        dropout=spec.dropout,
        patch_size=patch,
    )
    if spec.head == "mask":
        student.end_in_masks([student.tokens_width])
    student.add_dual_head(spec)
    initialise(student, spec, _convert)
    return student
