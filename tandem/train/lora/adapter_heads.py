"""The two ways a large model learns classes through adapters: by its words, or by a head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypedDict

import torch
from torch import Tensor, nn

from tandem.spec.errors import TeacherError
from tandem.spec.run import LoraSpec, TeacherSpec
from tandem.train.knowledge.label_scoring import CodeQuestion, write_questions
from tandem.train.knowledge.probe import Probe
from tandem.train.knowledge.question import Wording
from tandem.train.lora.adapted_teachers import save_head
from tandem.train.pretrained.adapters import attach, choose_targets
from tandem.train.pretrained.qwen_language import load_processor
from tandem.train.teachers.hf_text import HfTextTeacher
from tandem.train.teachers.hf_vision import HfVisionTeacher
from tandem.train.teachers.qwen_vl import QwenVLTeacher

QWEN_TARGETS = (("q_proj", "v_proj"),)  # the language model's; its tower's are `qkv` and `proj`
ENCODER_TARGETS = (("query", "value"), ("q_proj", "v_proj"), ("q_lin", "v_lin"), ("qkv",))
HEAD_TIMES = 10.0
"""A head's learning rate over the adapters', as it is one layer and not a low-rank product."""


class ParameterGroup(TypedDict):
    """What one multiple of the learning rate is for."""

    params: list[nn.Parameter]
    times: float


class AdapterTrainer(Protocol):
    """A teacher with fresh adapters in it."""

    dtype: torch.dtype
    """What the teacher computes in."""
    device: torch.device

    def parameters(self) -> list[ParameterGroup]:
        """Groups for the optimizer, each with a multiple of the learning rate."""
        ...

    def train(self, on: bool) -> None:
        """Dropout on or off."""
        ...

    def logits(self, images_BCHW: Tensor, step: int) -> Tensor:
        """(B, K) with gradient."""
        ...

    def save(self, folder: Path) -> None:
        """Write a PEFT folder, and what else the adapted teacher reads."""
        ...


class LanguageAdapterTrainer:
    """Learns the code of the right class as the next token, in one order of the list a step."""

    def __init__(
        self,
        teacher: QwenVLTeacher,
        lora: LoraSpec,
        spec: TeacherSpec,
        classes: tuple[str, ...],
        say: Callable[[str], None],
    ) -> None:
        """`say` tells the person who watches which layers are adapted."""
        self.teacher, self.dtype, self.device = teacher, teacher.dtype, teacher.device
        model = teacher.load_language()
        self.adapted = attach(model, lora, choose_targets(model, lora, QWEN_TARGETS, say))
        wording = Wording(spec.prompt, classes, spec.label_orders)
        self.questions: list[CodeQuestion] = write_questions(
            load_processor(teacher.checkpoint), wording, teacher.image_size
        )
        if type(self.questions[0]) is not CodeQuestion:
            raise TeacherError(
                "LoRA teaches a code of one token for each class; the tokenizer has too few for "
                "{count} classes.",
                count=len(classes),
                fix="Leave lora.rank at 0 and use teacher.knowledge probe.",
            )
        assert teacher.tower is not None
        self.tower_learns = any(p.requires_grad for p in teacher.tower.parameters())

    def parameters(self) -> list[ParameterGroup]:
        trained = [p for p in self.adapted.parameters() if p.requires_grad]
        return [{"params": trained, "times": 1.0}]

    def train(self, on: bool) -> None:
        self.adapted.train(on)

    def logits(self, images_BCHW: Tensor, step: int) -> Tensor:
        pixels = self.teacher.prepare(images_BCHW)
        with torch.set_grad_enabled(self.tower_learns):
            seen = self.teacher.look(pixels)
        question = self.questions[step % len(self.questions)]
        assert self.teacher.language is not None
        return question.scores(self.teacher.language, seen)

    def save(self, folder: Path) -> None:
        self.adapted.save_pretrained(str(folder))


class EncoderAdapterTrainer:
    """Adapters in the encoder's attention, and a linear head on its pooled tokens."""

    def __init__(
        self,
        teacher: HfVisionTeacher | HfTextTeacher,
        lora: LoraSpec,
        classes: int,
        say: Callable[[str], None],
        probe: Probe | None = None,
    ) -> None:
        """`say` tells the person who watches which layers are adapted; the head starts as
        `probe`."""
        self.teacher, self.dtype, self.device = teacher, teacher.dtype, teacher.device
        teacher.load()
        assert teacher.model is not None
        self.adapted = attach(
            teacher.model, lora, choose_targets(teacher.model, lora, ENCODER_TARGETS, say)
        )
        self.head = nn.Linear(teacher.width, classes).to(teacher.device)
        if probe is not None:
            with torch.no_grad():
                self.head.weight.copy_(probe.weight_FKD[-1])
                self.head.bias.copy_(probe.bias_FK[-1])

    def parameters(self) -> list[ParameterGroup]:
        trained = [p for p in self.adapted.parameters() if p.requires_grad]
        head = list(self.head.parameters())
        return [{"params": trained, "times": 1.0}, {"params": head, "times": HEAD_TIMES}]

    def train(self, on: bool) -> None:
        self.adapted.train(on)

    def logits(self, images_BCHW: Tensor, step: int) -> Tensor:  # noqa: ARG002
        pixels = self.teacher.prepare(images_BCHW)
        assert self.teacher.model is not None
        tokens_BHWD, _ = self.teacher.look(self.teacher.model, pixels)
        logits_BK: Tensor = self.head(self.teacher.pool(tokens_BHWD, pixels))
        return logits_BK

    def save(self, folder: Path) -> None:
        self.adapted.save_pretrained(str(folder))
        save_head(self.head, folder)
