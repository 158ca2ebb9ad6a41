"""Teachers with a trained adapter in them, read from the folder that `fit_teacher` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tandem.spec.run import TeacherSpec
from tandem.train.pretrained import adapters
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.frozen import FrozenModel
from tandem.train.teachers.hf_text import HfTextTeacher
from tandem.train.teachers.hf_vision import HfVisionTeacher
from tandem.train.teachers.qwen_vl import QwenVLTeacher
from tandem.train.types import Signals

HEAD_FILE = "head.safetensors"


class AdaptedQwenVL(QwenVLTeacher):
    """Its language model, its tower or both carry adapters: the tower is taken from the whole."""

    def __init__(
        self,
        checkpoint: PretrainedCheckpoint,
        spec: TeacherSpec,
        device: torch.device,
        folder: Path,
    ) -> None:
        self.folder = folder
        super().__init__(checkpoint, spec, device)

    def load(self) -> None:
        self.load_language()

    def load_language(self) -> nn.Module:
        if self.language is None:
            adapters.load_adapter(super().load_language(), self.folder)
        assert self.language is not None
        return self.language

    def settings(self) -> Mapping[str, object]:
        return {**super().settings(), "adapter": adapters.digest(self.folder)}


class _WithHead(FrozenModel):
    """Adapters in an encoder, and a linear head on its pooled tokens: put before the encoder's own
    class among a class's bases."""

    model: nn.Module | None

    def __init__(
        self,
        checkpoint: PretrainedCheckpoint,
        spec: TeacherSpec,
        device: torch.device,
        folder: Path,
        temperature: float = 1.0,
    ) -> None:
        """`temperature`: what the head's class scores are divided by."""
        self.folder, self.temperature = folder, temperature
        self.head: nn.Linear | None = None
        super().__init__(checkpoint, spec, device)
        self.gives = self.gives | {"logits"}

    @property
    def logits_key(self) -> str:
        """The logits change with the adapter, its head and the temperature."""
        return f"{adapters.digest(self.folder, HEAD_FILE)}/{self.temperature!r}"

    def load(self) -> None:
        if self.model is None:
            super().load()
            assert self.model is not None
            adapters.load_adapter(self.model, self.folder)
            self.head = load_head(self.folder).to(self.device)

    def forget(self) -> None:
        super().forget()
        self.head = None

    def answer(self, pixels_BCHW: Tensor) -> Signals:
        signals = super().answer(pixels_BCHW)
        assert self.head is not None
        assert signals.pooled_BD is not None
        return replace(signals, logits_BK=self.head(signals.pooled_BD) / self.temperature)

    def settings(self) -> Mapping[str, object]:
        return {**super().settings(), "adapter": adapters.digest(self.folder, HEAD_FILE)}


class AdaptedHfVision(_WithHead, HfVisionTeacher):
    """An image encoder with adapters and a linear head on its pooled tokens."""


class AdaptedHfText(_WithHead, HfTextTeacher):
    """A text encoder with adapters and a linear head on its pooled words."""


def save_head(head: nn.Linear, folder: Path) -> None:
    """Write it beside the adapter's files."""
    state = {name: value.detach().cpu().contiguous() for name, value in head.state_dict().items()}
    save_file(state, folder / HEAD_FILE)


def load_head(folder: Path) -> nn.Linear:
    """What `save_head` wrote, frozen."""
    state = load_file(folder / HEAD_FILE)
    classes, width = state["weight"].shape
    head = nn.Linear(width, classes)
    head.load_state_dict(state)
    return head.requires_grad_(False)
