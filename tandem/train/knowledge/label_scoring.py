"""Class logits from a vision-language model's own words, without a label and without generating.

One forward pass a question: the logits of the next token over the codes of the classes, averaged
over orders of the list (models prefer places), less what is said of an empty grey picture
(contextual calibration, Zhao et al. 2021).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Protocol, TypeGuard

import torch
from torch import Tensor, nn

from tandem.spec.errors import TeacherError
from tandem.spec.run import TeacherSpec
from tandem.train.knowledge.question import Wording, single_token_codes
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.fingerprint import fingerprint
from tandem.train.pretrained.qwen_language import (
    ChatProcessor,
    Question,
    ask,
    load_processor,
    next_token_logits,
)
from tandem.train.pretrained.qwen_tower import TowerOutput, vision_name
from tandem.train.pretrained.weights import count_parameters
from tandem.train.types import Signals, Teacher

VERSION = 1
GREY = 128 / 255
TEXT_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
)


class LanguageTeacher(Teacher, Protocol):
    """A teacher whose tower is a part of a language model."""

    checkpoint: PretrainedCheckpoint

    def load_language(self) -> nn.Module:
        """The whole model; its tower takes the lone one's place."""
        ...

    def prepare(self, images_BCHW: Tensor) -> Tensor:
        """A batch as the tower wants it, on its device."""
        ...

    def look(self, pixels_BCHW: Tensor) -> TowerOutput:
        """The tower's own answer to prepared pictures."""
        ...

    def signals_of(self, seen: TowerOutput) -> Signals:
        """The signals that this answer comes to."""
        ...


def has_language(teacher: Teacher) -> TypeGuard[LanguageTeacher]:
    """Whether a language model can be asked about what the teacher sees."""
    return hasattr(teacher, "load_language")


class LabelScoring:
    """A teacher whose signals also carry `logits_BK`; everything else is the wrapped teacher's.

    The vision tower runs once a picture, whatever the number of orders.
    """

    def __init__(
        self,
        teacher: Teacher,
        spec: TeacherSpec,
        classes: tuple[str, ...],
        *,
        content_free: bool = True,
        temperature: float = 1.0,
    ) -> None:
        """`content_free`: take off what is said of a grey picture; not for an adapted teacher."""
        if not has_language(teacher):
            raise TeacherError(
                "Label scoring asks a language model, and the teacher {name} has none.",
                name=spec.name or spec.path,
                allowed=["Qwen2.5-VL", "Qwen3-VL"],
                fix="Label some pictures and use teacher.knowledge probe, or choose one of these.",
            )
        self.teacher: LanguageTeacher = teacher
        self.content_free, self.temperature = content_free, temperature
        self.wording = Wording(spec.prompt, classes, spec.label_orders)
        self.gives = teacher.gives | {"logits"}
        self.image_size, self.grid, self.width = teacher.image_size, teacher.grid, teacher.width
        self.layer_count = teacher.layer_count
        self.parameters = count_parameters(teacher.checkpoint, lambda name: name)
        self._questions: list[CodeQuestion] | None = None
        self._prior_OK: Tensor | None = None
        self._language_fingerprint: str | None = None

    @property
    def layers(self) -> tuple[int, ...]:
        """Which hidden layers `layers_BHWD` gives."""
        return self.teacher.layers

    @layers.setter
    def layers(self, layers: tuple[int, ...]) -> None:
        self.teacher.layers = layers

    @property
    def logits_key(self) -> str:
        """Changes with the language model, the question's words, the classes and their orders."""
        if self._language_fingerprint is None:
            self._language_fingerprint = fingerprint(
                self.teacher.checkpoint, _language_name, {"text": self._text_files()}
            )
        asked = [self.wording.prompt, self.wording.classes, self.wording.orders]
        read = [self.content_free, self.temperature, self.teacher.fingerprint]
        whole = json.dumps([VERSION, self._language_fingerprint, asked, read])
        return blake2b(whole.encode(), digest_size=32).hexdigest()

    def know(self, classes: Sequence[str]) -> bool:  # noqa: ARG002
        """False: it was trained on no classes, it is asked about them."""
        return False

    @property
    def fingerprint(self) -> str:
        """The wrapped teacher's, and the question's."""
        whole = self.teacher.fingerprint + self.logits_key
        return blake2b(whole.encode(), digest_size=32).hexdigest()

    def signals(self, images_BCHW: Tensor) -> Signals:
        """The wrapped teacher's signals of these pictures, and `logits_BK`."""
        self.load()
        with torch.no_grad():
            seen = self.teacher.look(self.teacher.prepare(images_BCHW))
            scores_OBK = self._scores(seen)
            if self.content_free:
                scores_OBK = scores_OBK - self._prior()[:, None]
            logits_BK = scores_OBK.mean(0) / self.temperature
        return replace(self.teacher.signals_of(seen), logits_BK=logits_BK)

    def load(self) -> None:
        """Bring the whole model and its tokenizer into memory, unless they are there."""
        self.teacher.load_language()
        if self._questions is None:
            self._questions = write_questions(
                load_processor(self.teacher.checkpoint), self.wording, self.image_size
            )

    def unload(self) -> None:
        """Free the weights; the next `signals` loads them again."""
        self.teacher.unload()
        self._prior_OK = None

    def _scores(self, seen: TowerOutput) -> Tensor:
        """(orders, B, K) log-probabilities."""
        assert self._questions is not None
        model = self.teacher.load_language()
        return torch.stack([question.scores(model, seen) for question in self._questions])

    def _prior(self) -> Tensor:
        """(orders, K): what is said of the grey picture, asked once."""
        if self._prior_OK is None:
            grey = torch.full((1, 3, self.image_size, self.image_size), GREY)
            self._prior_OK = self._scores(self.teacher.look(self.teacher.prepare(grey)))[:, 0]
        return self._prior_OK

    def _text_files(self) -> list[str]:
        """The files that decide how the question is written in tokens."""
        found = [self.teacher.checkpoint.file(name) for name in TEXT_FILES]
        return [blake2b(path.read_bytes()).hexdigest() for path in found if path is not None]


class CodeQuestion:
    """The question in one order of the classes."""

    def __init__(self, question: Question, tokens_K: list[int]) -> None:
        self.question, self.tokens_K = question, tokens_K

    def scores(self, model: nn.Module, seen: TowerOutput) -> Tensor:
        """(B, K) log-probabilities of the codes, in the order of the classes."""
        logits_BV = next_token_logits(model, seen, self.question)[:, -1]
        tokens = torch.tensor(self.tokens_K, device=logits_BV.device)
        return logits_BV[:, tokens].log_softmax(-1)


class NameQuestion(CodeQuestion):
    """Where there are more classes than codes: the likelihood of each class's whole name."""

    def __init__(self, answers: list[tuple[Question, int]]) -> None:
        self.answers = answers

    def scores(self, model: nn.Module, seen: TowerOutput) -> Tensor:
        """(B, K) summed log-probabilities of the names' tokens and the end of the turn."""
        columns = []
        for question, length in self.answers:
            logits_BLV = next_token_logits(model, seen, question, keep=length + 1)[:, :-1]
            wanted_1L1 = question.input_ids[:, -length:, None].to(logits_BLV.device)
            wanted_BL1 = wanted_1L1.expand(len(logits_BLV), -1, -1)
            columns.append(logits_BLV.log_softmax(-1).gather(-1, wanted_BL1).sum((1, 2)))
        return torch.stack(columns, dim=1).log_softmax(-1)


def write_questions(
    processor: ChatProcessor, wording: Wording, image_size: int
) -> list[CodeQuestion]:
    """The question as tokens, once for each order of the classes."""
    codes = single_token_codes(processor.tokenizer, len(wording.classes))
    made: list[CodeQuestion] = []
    for order in wording.permutations():
        if codes is None:
            made.append(_by_name(processor, wording, wording.text(order, None), image_size))
            continue
        question = ask(processor, wording.text(order, list(codes)), image_size)
        place = {cls: place for place, cls in enumerate(order)}
        tokens = list(codes.values())
        made.append(CodeQuestion(question, [tokens[place[k]] for k in range(len(order))]))
    return made


def _by_name(
    processor: ChatProcessor, wording: Wording, text: str, image_size: int
) -> CodeQuestion:
    end = processor.tokenizer.eos_token
    open_ended = ask(processor, text, image_size).input_ids.shape[1]
    answers = [ask(processor, text, image_size, name + end) for name in wording.classes]
    return NameQuestion([(full, full.input_ids.shape[1] - open_ended) for full in answers])


def _language_name(name: str) -> str | None:
    return None if vision_name(name) is not None else name
