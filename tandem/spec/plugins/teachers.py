"""The teachers' well-known names and the hub ids they stand for."""

from __future__ import annotations

import re

HUB_IDS: dict[str, str] = {
    "qwen2.5-vl-3b": "Qwen/Qwen2.5-VL-3B-Instruct",
    "qwen2.5-vl-7b": "Qwen/Qwen2.5-VL-7B-Instruct",
    "qwen2.5-vl-32b": "Qwen/Qwen2.5-VL-32B-Instruct",
    "qwen2.5-vl-72b": "Qwen/Qwen2.5-VL-72B-Instruct",
    "qwen3-vl-2b": "Qwen/Qwen3-VL-2B-Instruct",
    "qwen3-vl-4b": "Qwen/Qwen3-VL-4B-Instruct",
    "qwen3-vl-8b": "Qwen/Qwen3-VL-8B-Instruct",
    "qwen3-vl-32b": "Qwen/Qwen3-VL-32B-Instruct",
    "dinov2-base": "facebook/dinov2-base",
    "dinov2-large": "facebook/dinov2-large",
    "siglip2-base": "google/siglip2-base-patch16-224",
    "clip-vit-large": "openai/clip-vit-large-patch14",
}

NEVER_RELEASED = {"qwen2.5-vl-8b": "qwen2.5-vl-7b"}
"""Installed systems call their teacher so; the release that comes nearest."""


def key(name: str) -> str:
    """The same for every spelling of a name: `qwen-2.5-vl-8b`, `Qwen2.5_VL-8B`."""
    return re.sub(r"[\s_\-.]+", "", name.lower()).removesuffix("instruct")
