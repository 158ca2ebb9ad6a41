"""D-FINE's published sizes as Transformers' configurations: a backbone HGNetV2, a hybrid encoder
and a decoder of queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import DFineConfig

QUERIES = 300
"""Boxes that it gives of a picture, as published; no more than there are cells."""


@dataclass(frozen=True)
class DfineSize:
    """What tells one size from another; all else is as `DFineConfig` has it."""

    stem: tuple[int, ...]
    stage_in: tuple[int, ...]
    stage_mid: tuple[int, ...]
    stage_out: tuple[int, ...]
    blocks: tuple[int, ...]
    layers: int
    """Convolutions to a block."""
    decoder_layers: int
    depth: float = 1.0
    expansion: float = 1.0
    width: int = 256
    feedforward: int = 1024
    affine: bool = True
    """Whether each activation of the backbone has a scale and a shift of its own."""
    strides: tuple[int, ...] = (8, 16, 32)
    points: tuple[int, ...] = field(default=(3, 6, 3))
    """Places of each map at which a head of the decoder looks."""


_SMALL = ((3, 16, 16), (16, 64, 256, 512), (16, 32, 64, 128), (64, 256, 512, 1024), (1, 1, 2, 1), 3)
SHAPES = {
    "dfine-n": DfineSize(
        *_SMALL, 3, 0.5, 0.34, width=128, feedforward=512, strides=(16, 32), points=(6, 6)
    ),
    "dfine-s": DfineSize(*_SMALL, 3, 0.34, 0.5),
    "dfine-m": DfineSize(
        (3, 24, 32), (32, 96, 384, 768), (32, 64, 128, 256), (96, 384, 768, 1536), (1, 1, 3, 1), 4,
        4, 0.67,
    ),
    "dfine-l": DfineSize(
        (3, 32, 48), (48, 128, 512, 1024), (48, 96, 192, 384), (128, 512, 1024, 2048),
        (1, 1, 3, 1), 6, 6, affine=False,
    ),
}  # fmt: skip
"""By the configurations of the authors' repository, as Transformers' conversion lists them."""


def config_of(shape: DfineSize, num_classes: int, image_size: int) -> DFineConfig:
    """Transformers' configuration for pictures of `image_size` pixels a side."""
    from transformers import DFineConfig, HGNetV2Config

    maps = len(shape.strides)
    # As dictionaries: Transformers' classes name but a part of what they take.
    backbone: dict[str, Any] = {
        "stem_channels": list(shape.stem),
        "stage_in_channels": list(shape.stage_in),
        "stage_mid_channels": list(shape.stage_mid),
        "stage_out_channels": list(shape.stage_out),
        "stage_num_blocks": list(shape.blocks),
        "stage_numb_of_layers": [shape.layers] * 4,
        "hidden_sizes": list(shape.stage_out),
        "use_learnable_affine_block": shape.affine,
        "out_indices": list(range(5 - maps, 5)),
    }
    named: dict[str, Any] = {"num_labels": num_classes}
    return DFineConfig(
        backbone_config=HGNetV2Config(**backbone),
        **named,
        # Frozen norms suit a backbone that has learnt; most of ours start as drawn.
        freeze_backbone_batch_norms=False,
        encoder_in_channels=list(shape.stage_out[-maps:]),
        encoder_hidden_dim=shape.width,
        encoder_ffn_dim=shape.feedforward,
        encode_proj_layers=[maps - 1],
        feat_strides=list(shape.strides),
        num_feature_levels=maps,
        d_model=shape.width,
        decoder_in_channels=[shape.width] * maps,
        decoder_ffn_dim=shape.feedforward,
        decoder_layers=shape.decoder_layers,
        decoder_n_points=list(shape.points),
        depth_mult=shape.depth,
        hidden_expansion=shape.expansion,
        num_queries=min(QUERIES, sum((image_size // one) ** 2 for one in shape.strides)),
        # These three are the run's own: yolo.box_gain, yolo.cls_gain, yolo.dfl_gain.
        weight_loss_giou=1.0,
        weight_loss_vfl=1.0,
        weight_loss_fgl=1.0,
    )
