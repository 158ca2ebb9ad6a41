"""Teachers with a trained adapter in them, read from the folder that `lora.adapt` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tandem.spec.run import TeacherSpec
from tandem.train.pretrained import adapters
from tandem.train.pretrained.folder import PretrainedCheckpoint
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

    def load_language(self) -> Any:
        if self.language is None:
            adapters.load_adapter(super().load_language(), self.folder)
        return self.language

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "adapter": adapters.digest(self.folder)}


class _WithHead:
    """Adapters in an encoder, and a linear head on its pooled tokens."""

    folder: Path
    temperature: float
    head: nn.Linear | None
    model: Any
    device: torch.device

    @property
    def logits_key(self) -> str:
        """The logits change with the adapter, its head and the temperature."""
        return f"{adapters.digest(self.folder, HEAD_FILE)}/{self.temperature!r}"

    def take_adapter(self) -> None:
        """Put the adapters into the loaded model, and load the head."""
        adapters.load_adapter(self.model, self.folder)
        self.head = load_head(self.folder).to(self.device)

    def with_logits(self, signals: Signals) -> Signals:
        """The same with the head's class scores."""
        assert self.head is not None
        assert signals.pooled_BD is not None
        return replace(signals, logits_BK=self.head(signals.pooled_BD) / self.temperature)


class AdaptedHfVision(_WithHead, HfVisionTeacher):
    """An image encoder with adapters and a linear head on its pooled tokens."""

    def __init__(
        self,
        checkpoint: PretrainedCheckpoint,
        spec: TeacherSpec,
        device: torch.device,
        folder: Path,
        temperature: float = 1.0,
    ) -> None:
        self.folder, self.temperature, self.head = folder, temperature, None
        super().__init__(checkpoint, spec, device)
        self.gives = self.gives | {"logits"}

    def load(self) -> None:
        if self.model is None:
            super().load()
            self.take_adapter()

    def forget(self) -> None:
        super().forget()
        self.head = None

    def answer(self, pixels_BCHW: Tensor) -> Signals:
        return self.with_logits(super().answer(pixels_BCHW))

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "adapter": adapters.digest(self.folder, HEAD_FILE)}


class AdaptedHfText(_WithHead, HfTextTeacher):
    """A text encoder with adapters and a linear head on its pooled words."""

    def __init__(
        self,
        checkpoint: PretrainedCheckpoint,
        spec: TeacherSpec,
        device: torch.device,
        folder: Path,
        temperature: float = 1.0,
    ) -> None:
        self.folder, self.temperature, self.head = folder, temperature, None
        super().__init__(checkpoint, spec, device)
        self.gives = self.gives | {"logits"}

    def load(self) -> None:
        if self.model is None:
            super().load()
            self.take_adapter()

    def forget(self) -> None:
        super().forget()
        self.head = None

    def answer(self, pixels_BCHW: Tensor) -> Signals:
        return self.with_logits(super().answer(pixels_BCHW))

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "adapter": adapters.digest(self.folder, HEAD_FILE)}


def save_head(head: nn.Linear, folder: Path) -> None:
    """Beside the adapter's files."""
    state = {name: value.detach().cpu().contiguous() for name, value in head.state_dict().items()}
    save_file(state, folder / HEAD_FILE)


def load_head(folder: Path) -> nn.Linear:
    """What `save_head` wrote, frozen."""
    state = load_file(folder / HEAD_FILE)
    classes, width = state["weight"].shape
    head = nn.Linear(width, classes)
    head.load_state_dict(state)
    return head.requires_grad_(False)
