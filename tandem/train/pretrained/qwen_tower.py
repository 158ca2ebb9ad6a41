"""The vision tower of Qwen2.5-VL and Qwen3-VL, alone: built, loaded, run, put in raster order."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from tandem.train.pretrained import packed_attention
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.pixels import to_patches
from tandem.train.pretrained.weights import load_into

MODEL_TYPES = ("qwen2_5_vl", "qwen3_vl")
VISION_KEY = re.compile(r"(?:model\.)?visual\.(.+)")


def vision_name(name: str) -> str | None:
    """A checkpoint tensor's name within the tower; None for the language model's."""
    found = VISION_KEY.fullmatch(name)
    return found[1] if found else None


class VisionConfig(Protocol):
    """What is read of transformers' configuration of a tower."""

    patch_size: int
    spatial_merge_size: int
    temporal_patch_size: int
    hidden_size: int
    depth: int
    _attn_implementation: str


class RawTowerOutput(Protocol):
    """What transformers' tower answers."""

    last_hidden_state: Tensor
    """(B*H*W, D), in the tower's own order, before the merger."""
    pooler_output: Tensor
    """The merged tokens, as the language model reads them."""


@dataclass(frozen=True)
class TowerOutput:
    """`tokens_BHWD` is normalised as the merger sees it."""

    tokens_BHWD: Tensor
    layers_BHWD: tuple[Tensor, ...]
    raw: RawTowerOutput
    grid_thw: Tensor


def config_of(tower: nn.Module) -> VisionConfig:
    """A loaded tower's configuration."""
    return cast(VisionConfig, tower.config)


def vision_config(checkpoint: PretrainedCheckpoint) -> VisionConfig:
    """The tower's configuration object, from config.json alone."""
    from transformers import Qwen2_5_VLConfig, Qwen3VLConfig

    made = Qwen3VLConfig if checkpoint.model_type == "qwen3_vl" else Qwen2_5_VLConfig
    return cast(VisionConfig, made.from_dict(checkpoint.config).vision_config)


def load_tower(checkpoint: PretrainedCheckpoint, dtype: torch.dtype) -> nn.Module:
    """The tower's weights and no others, on the CPU."""
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
        Qwen2_5_VisionTransformerPretrainedModel,
    )
    from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionModel

    config = vision_config(checkpoint)
    made = (
        Qwen3VLVisionModel
        if checkpoint.model_type == "qwen3_vl"
        else Qwen2_5_VisionTransformerPretrainedModel
    )
    with torch.device("meta"):
        tower: nn.Module = made(config)  # type: ignore[arg-type]
    load_into(tower, checkpoint, vision_name, dtype)
    _fill_buffers(tower)
    return tower.eval().requires_grad_(False)


def _fill_buffers(tower: nn.Module) -> None:
    """The rotary frequencies are in no checkpoint: they follow from the configuration."""
    for module in tower.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_meta:
                fresh = type(module)(module.config)  # type: ignore[call-arg]
                setattr(module, name, getattr(fresh, name))


def run_tower(tower: nn.Module, images_BCHW: Tensor, layers: tuple[int, ...] = ()) -> TowerOutput:
    """All pictures (normalised, square, of one size) in one call of the tower."""
    config = config_of(tower)
    B, _, S, _ = images_BCHW.shape
    side = S // config.patch_size
    order = _order(tower, B, side, images_BCHW.device)
    patches = to_patches(
        images_BCHW, config.patch_size, config.spatial_merge_size, config.temporal_patch_size
    )
    caught: dict[int, Tensor] = {}
    hooks = [tower.blocks[i].register_forward_hook(_catch(caught, i)) for i in set(layers)]  # type: ignore[index, union-attr]
    try:
        raw = tower(patches, grid_thw=order.grid_thw, **order.arguments)
    finally:
        for hook in hooks:
            hook.remove()
    return TowerOutput(
        order.raster(_norm(tower)(raw.last_hidden_state)),
        tuple(order.raster(caught[i]) for i in layers),
        raw,
        order.grid_thw,
    )


def _catch(
    caught: dict[int, Tensor], i: int
) -> Callable[[nn.Module, object, Tensor | tuple[Tensor, ...]], None]:
    def keep(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        caught[i] = output[0] if isinstance(output, tuple) else output

    return keep


def _norm(tower: nn.Module) -> nn.Module:
    merger = tower.get_submodule("merger")
    return merger.get_submodule("ln_q" if hasattr(merger, "ln_q") else "norm")


@dataclass(frozen=True)
class PatchOrder:
    """Where the patches of a batch of B equal squares lie in the tower's sequence."""

    grid_thw: Tensor
    arguments: dict[str, object]
    """What the tower would work out from grid_thw in every call, with a wait for the GPU each."""
    index_L: Tensor
    batch: int
    side: int

    def raster(self, sequence_LD: Tensor) -> Tensor:
        """The tower's sequence as (B, H, W, D), float32."""
        return sequence_LD[self.index_L].view(self.batch, self.side, self.side, -1).float()


def _order(tower: nn.Module, batch: int, side: int, device: torch.device) -> PatchOrder:
    config = config_of(tower)
    return _make_order(
        batch,
        side,
        config.spatial_merge_size,
        getattr(config, "window_size", 0) // config.patch_size,
        getattr(tower, "num_grid_per_side", 0),
        device,
        config._attn_implementation == packed_attention.NAME,
    )


@lru_cache(maxsize=16)
def _make_order(
    batch: int,
    side: int,
    merge: int,
    window: int,
    positions: int,
    device: torch.device,
    bounds_on_cpu: bool,
) -> PatchOrder:
    """`window` is in patches, 0 where the tower has no windows (Qwen3)."""
    from transformers import vision_utils as vision

    grid = torch.tensor([[1, side, side]] * batch)
    bounds = vision.get_vision_cu_seqlens(grid)
    arguments: dict[str, object] = {
        "position_ids": vision.get_vision_position_ids(grid, merge).to(device),
        "cu_seqlens": bounds if bounds_on_cpu else bounds.to(device),
        "max_seqlen": side * side,
    }
    blocks = torch.arange(batch * side * side).view(-1, merge * merge)
    if window:
        window_index, windows = vision.get_vision_window_index(grid, merge, window, 1)
        arguments["window_index"] = window_index.to(device)
        arguments["cu_window_seqlens"] = windows if bounds_on_cpu else windows.to(device)
        arguments["max_window_seqlen"] = int((windows[1:] - windows[:-1]).max())
        blocks = blocks[torch.argsort(window_index)]  # undo the tower's own permutation
    if positions:
        index, weights = vision.get_vision_interpolation_indices_and_weights(
            grid, positions, "bilinear", align_corners=True, spatial_merge_size=merge
        )
        arguments["interp_indices"] = index.to(device)
        arguments["interp_weights"] = weights.to(device)
    half = side // merge
    index_L = blocks.view(batch, half, half, merge, merge).permute(0, 1, 3, 2, 4).reshape(-1)
    return PatchOrder(grid.to(device), arguments, index_L.to(device), batch, side)
