"""A ViT's weights as transformers and torchvision name them, in timm's names."""

from __future__ import annotations

import re

import torch
from torch import Tensor

Weights = dict[str, Tensor]
_PARTS = ("query", "key", "value")
_TRANSFORMERS = {
    r"embeddings\.cls_token": "cls_token",
    r"embeddings\.position_embeddings": "pos_embed",
    r"embeddings\.patch_embeddings\.projection\.(\w+)": r"patch_embed.proj.\1",
    r"encoder\.layer\.(\d+)\.attention\.output\.dense\.(\w+)": r"blocks.\1.attn.proj.\2",
    r"encoder\.layer\.(\d+)\.intermediate\.dense\.(\w+)": r"blocks.\1.mlp.fc1.\2",
    r"encoder\.layer\.(\d+)\.output\.dense\.(\w+)": r"blocks.\1.mlp.fc2.\2",
    r"encoder\.layer\.(\d+)\.layernorm_before\.(\w+)": r"blocks.\1.norm1.\2",
    r"encoder\.layer\.(\d+)\.layernorm_after\.(\w+)": r"blocks.\1.norm2.\2",
    r"layernorm\.(\w+)": r"norm.\1",
    r"classifier\.(\w+)": r"head.\1",
}
_TORCHVISION = {
    r"class_token": "cls_token",
    r"encoder\.pos_embedding": "pos_embed",
    r"conv_proj\.(\w+)": r"patch_embed.proj.\1",
    r"encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\.(\w+)": r"blocks.\1.norm\2.\3",
    r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_(\w+)": (
        r"blocks.\1.attn.qkv.\2"
    ),
    r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.(\w+)": (
        r"blocks.\1.attn.proj.\2"
    ),
    r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:linear_1|0)\.(\w+)": r"blocks.\1.mlp.fc1.\2",
    r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:linear_2|3)\.(\w+)": r"blocks.\1.mlp.fc2.\2",
    r"encoder\.ln\.(\w+)": r"norm.\1",
    r"heads\.head\.(\w+)": r"head.\1",
}


def in_timms_names(weights: Weights) -> Weights:
    """The weights themselves where they are neither's. A pooler, which timm has none of, is left
    out: it was trained for another task."""
    plain = {name.removeprefix("vit."): value for name, value in weights.items()}
    if "embeddings.cls_token" in plain:
        kept = {k: v for k, v in _joined(plain).items() if not k.startswith("pooler.")}
        return _renamed(kept, _TRANSFORMERS)
    if "conv_proj.weight" in weights:
        return _renamed(weights, _TORCHVISION)
    return weights


def _renamed(weights: Weights, names: dict[str, str]) -> Weights:
    patterns = [(re.compile(one), other) for one, other in names.items()]

    def timms(name: str) -> str:
        for pattern, other in patterns:
            if pattern.fullmatch(name):
                return pattern.sub(other, name)
        return name  # the check of names tells of it

    return {timms(name): value for name, value in weights.items()}


def _joined(weights: Weights) -> Weights:
    """Query, key and value of a layer in one, as timm has them."""
    joined = {}
    for name, value in weights.items():
        found = re.fullmatch(r"encoder\.layer\.(\d+)\.attention\.attention\.(\w+)\.(\w+)", name)
        if found is None:
            joined[name] = value
        elif found[2] == "query":
            layer, _, what = found.groups()
            names = [name.replace(".query.", f".{one}.") for one in _PARTS]
            parts = [weights[one] for one in names if one in weights]
            joined[f"blocks.{layer}.attn.qkv.{what}"] = torch.cat(parts)
    return joined
