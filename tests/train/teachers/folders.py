"""Small real checkpoints and pictures that the teachers' tests share."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from transformers.utils import logging

from tandem.spec.run import TeacherSpec
from tandem.train.registry import entries, find
from tandem.train.teachers.family import family_of
from tandem.train.types import ImageTable

CPU = torch.device("cpu")
_LAYERS = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
_VISION = {**_LAYERS, "intermediate_size": 64, "image_size": 32, "patch_size": 8}
_TEXT = {**_LAYERS, "intermediate_size": 64, "vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2}
ENCODERS = (
    "vit",
    "vit_classifier",
    "dinov2",
    "dinov2_registers",
    "dinov3",
    "siglip",
    "clip",
    "clip_vision",
    "swin",
    "convnext",
)
EXAMPLES = tuple(name for name, one in entries("teachers").items() if one.example)
"""Families that bring a small checkpoint of their own."""


def build_encoder(name: str, folder: Path) -> Path:
    """A random-weight encoder of a real architecture, saved with its image processor."""
    torch.manual_seed(0)
    model, processor = _encoder(name)
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    logging.set_verbosity(level)
    return folder


def _encoder(name: str) -> tuple[Any, Any]:
    t = transformers
    imagenet = t.ViTImageProcessor(image_mean=[0.485, 0.456, 0.406], image_std=[0.2, 0.3, 0.4])
    dino = {**_LAYERS, "mlp_ratio": 2, "image_size": 56, "patch_size": 14}
    match name:
        case "vit":
            return t.ViTModel(t.ViTConfig(**_VISION)), imagenet
        case "wide_vit":  # wide enough for int4's blocks
            return t.ViTModel(t.ViTConfig(**(_VISION | {"hidden_size": 64}))), imagenet
        case "vit_classifier":
            return t.ViTForImageClassification(t.ViTConfig(**_VISION)), imagenet
        case "dinov2":
            return t.Dinov2Model(t.Dinov2Config(**dino)), imagenet
        case "dinov2_registers":
            config = t.Dinov2WithRegistersConfig(**dino, num_register_tokens=4)
            return t.Dinov2WithRegistersModel(config), imagenet
        case "dinov3":
            return t.DINOv3ViTModel(t.DINOv3ViTConfig(**_VISION, num_register_tokens=4)), imagenet
        case "siglip":
            config = t.SiglipConfig(vision_config=_VISION, text_config=_TEXT)
            return t.SiglipModel(config), imagenet
        case "clip":
            config = t.CLIPConfig(vision_config=_VISION, text_config=_TEXT)
            return t.CLIPModel(config), imagenet
        case "clip_vision":
            return t.CLIPVisionModel(t.CLIPVisionConfig(**_VISION)), imagenet
        case "swin":
            config = t.SwinConfig(embed_dim=16, depths=[1, 1], num_heads=[2, 2], image_size=32)
            return t.SwinModel(config), imagenet
        case "convnext":
            config = t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)
            return t.ConvNextModel(config), imagenet
    raise ValueError(name)


def open_teacher(path: Path, **what: Any) -> Any:
    """Through the registry, as a run opens it."""
    what.setdefault("precision", "fp32")
    spec = TeacherSpec(path=str(path), **what)
    return find("teachers", family_of(spec)).make(spec, CPU)


def random_images(count: int, size: int, seed: int = 0) -> torch.Tensor:
    """Noise of 0 to 1: every patch differs from every other."""
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def coloured_table(folder: Path, count: int = 48, labelled: int = 36) -> ImageTable:
    """Noisy red, green and blue pictures: a task that is easy to see, and real files."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    hashes = []
    for i in range(count):
        image = random.integers(0, 90, (40, 40, 3)).astype(np.uint8)
        image[..., i % 3] = random.integers(160, 255, (40, 40))
        Image.fromarray(image).save(folder / f"{i}.png")
        hashes.append(hashlib.blake2b(image.tobytes(), digest_size=16).digest())
    labels = np.arange(count) % 3
    labels[labelled:] = -1
    return ImageTable(
        folder,
        np.array([f"{i}.png".encode() for i in range(count)]),
        labels,
        np.frombuffer(b"".join(hashes), np.uint8).reshape(count, 16),
        ("red", "green", "blue"),
    )
