"""Qwen2.5-VL of any size, and Qwen3-VL: the tower's tokens, and the language model's word."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tandem.spec.run import TeacherSpec
from tandem.train.pretrained import packed_attention
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.frozen import FrozenTeacher
from tandem.train.pretrained.quantize import quantize_linear
from tandem.train.pretrained.qwen_language import load_language
from tandem.train.pretrained.qwen_tower import (
    MODEL_TYPES,
    TowerOutput,
    load_tower,
    run_tower,
    vision_config,
    vision_name,
)
from tandem.train.registry import register
from tandem.train.teachers.family import checkpoint_of, family_of
from tandem.train.types import Signals


class QwenVLTeacher(FrozenTeacher):
    """Only the tower is loaded (0.67 of the 7B release's 8.3 billion weights), until the language
    model is needed too.

    Tokens are those before the merger, after its norm, in raster order: (B, S/patch, S/patch, D).
    """

    model_types = MODEL_TYPES

    def __init__(
        self, checkpoint: PretrainedCheckpoint, spec: TeacherSpec, device: torch.device
    ) -> None:
        vision = vision_config(checkpoint)
        super().__init__(checkpoint, spec, device, vision.patch_size * vision.spatial_merge_size)
        self.grid = self.image_size // vision.patch_size
        self.width = vision.hidden_size
        self.layer_count = vision.depth
        self.layers = tuple(spec.layers)
        self.tower: nn.Module | None = None
        self.language: nn.Module | None = None
        """The whole model with its language part, once `load_language` was called."""

    def rename(self, name: str) -> str | None:
        return vision_name(name)

    def load(self) -> None:
        if self.tower is not None:
            return
        tower = load_tower(self.checkpoint, self.dtype)
        quantize_linear(tower, self.precision, self.dtype)
        self._use(tower.to(self.device).eval())

    def load_language(self) -> nn.Module:
        """The whole model on the teacher's device; its tower takes the lone one's place."""
        if self.language is None:
            self.forget()
            self.language = load_language(self.checkpoint, self.precision, self.dtype, self.device)
            self._use(self.language.get_submodule("model.visual"))
        return self.language

    def forget(self) -> None:
        self.tower = self.language = None

    def look(self, pixels_BCHW: Tensor) -> TowerOutput:
        """The tower's own answer to normalised pictures; gradient flows if it is on."""
        assert self.tower is not None
        return run_tower(self.tower, pixels_BCHW, self.layers)

    def answer(self, pixels_BCHW: Tensor) -> Signals:
        return self.signals_of(self.look(pixels_BCHW))

    def signals_of(self, seen: TowerOutput) -> Signals:
        """Tokens, and their mean over the grid: a linear probe on it gives a map of classes."""
        return Signals(
            pooled_BD=seen.tokens_BHWD.mean(dim=(1, 2)),
            tokens_BHWD=seen.tokens_BHWD,
            layers_BHWD=seen.layers_BHWD,
        )

    def _use(self, tower: nn.Module) -> None:
        packed_attention.choose(tower, self.device, self.dtype)
        self.tower = tower


def recognises(checkpoint: PretrainedCheckpoint) -> bool:
    """A checkpoint whose tower is one of those that `qwen_tower` reads."""
    return checkpoint.raw_config.get("model_type") in MODEL_TYPES


@register.teacher(
    "qwen_vl",
    gives={"pooled", "tokens", "layers", "logits"},
    recognises=recognises,
    strict=True,
    licence="Apache-2.0 (3B and 72B: Qwen's own)",
    source="https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct",
    models=["Qwen2.5-VL", "Qwen3-VL"],
    zh="任意规格的 Qwen2.5-VL，以及 Qwen3-VL，来自文件夹或 Hub ID。",
)
def open_qwen_vl(spec: TeacherSpec, device: torch.device) -> QwenVLTeacher:
    """Qwen2.5-VL of any size, and Qwen3-VL, from a folder or a hub id."""
    family_of(spec.model_copy(update={"family": "qwen_vl"}))
    return QwenVLTeacher(checkpoint_of(spec), spec, device)
