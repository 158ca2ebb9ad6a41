"""Pictures as a teacher wants them: its own mean and deviation, and Qwen's order of patches."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from tandem.spec.errors import TeacherError
from tandem.train.pretrained.checkpoint import ConfigJson, PretrainedCheckpoint

FILES = ("processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class Preparation:
    """How the checkpoint's own image processor treats a picture of the right size."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def normalise(self, images_BCHW: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Float pictures of 0 to 1, or uint8 ones, to normalised `dtype` on `device`."""
        images = images_BCHW.to(device, non_blocking=True)
        images = images.float() / 255 if images.dtype == torch.uint8 else images.float()
        mean, std = _columns(self.mean, self.std, device)
        return ((images - mean) / std).to(dtype)


def read_preparation(checkpoint: PretrainedCheckpoint) -> Preparation:
    """From the checkpoint's processor files; TeacherError when it has none."""
    for name in FILES:
        path = checkpoint.file(name)
        if path is None:
            continue
        settings: ConfigJson = json.loads(path.read_text(encoding="utf-8"))
        settings = settings.get("image_processor", settings)
        if not settings.get("do_normalize", True):
            return Preparation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        if "image_mean" in settings and "image_std" in settings:
            return Preparation(tuple(settings["image_mean"]), tuple(settings["image_std"]))
    raise TeacherError(
        "The teacher {name} does not say how its pictures are normalised: "
        "{files} is missing, or has no image_mean and image_std.",
        name=checkpoint.name,
        files=" / ".join(FILES),
        fix="Copy that file from where the checkpoint came from.",
    )


def native_side(checkpoint: PretrainedCheckpoint) -> int | None:
    """Pixels a side that the checkpoint's own image processor ends with; None where no file says.

    Of CLIP at 336 px and SigLIP at 384 px these; of DINOv2 224, as it is published, though its
    positions were learnt at 518.
    """
    for name in FILES:
        path = checkpoint.file(name)
        if path is None:
            continue
        settings: ConfigJson = json.loads(path.read_text(encoding="utf-8"))
        settings = settings.get("image_processor", settings)
        crop = settings.get("crop_size") if settings.get("do_center_crop", True) else None
        if (side := _side(crop or settings.get("size"))) is not None:
            return side
    return None


def _side(size: object) -> int | None:
    """A side from what a processor calls its size: a number, or sides by name."""
    if isinstance(size, int):
        return size
    if isinstance(size, dict):
        found = size.get("height") or size.get("shortest_edge")
        return int(found) if found else None
    return None


def to_patches(images_BCHW: Tensor, patch: int, merge: int, temporal: int) -> Tensor:
    """Patches in the order of Qwen's processor: (B*H/patch*W/patch, 3*temporal*patch*patch).

    Blocks of merge x merge patches lie together, the blocks in raster order; a still picture is
    shown `temporal` times (transformers, `Qwen2VLImageProcessor.patchify`).
    """
    B, C, H, W = images_BCHW.shape
    rows, columns = H // patch // merge, W // patch // merge
    blocks = images_BCHW.reshape(B, C, rows, merge, patch, columns, merge, patch)
    blocks = blocks.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6)
    blocks = blocks.expand(*blocks.shape[:6], temporal, patch, patch)
    return blocks.reshape(B * rows * columns * merge**2, C * temporal * patch**2)


@lru_cache(maxsize=8)
def _columns(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    shape = (1, -1, 1, 1)
    return (
        torch.tensor(mean, device=device).view(shape),
        torch.tensor(std, device=device).view(shape),
    )
