"""A teacher with two adapters, each fitted on half of the labels: one model, two answers.

The soft label of a row that an adapter has learnt from comes from the other one, as a probe's comes
from the fold that left it out (cross-fitting, Chernozhukov et al. 2018); of other rows it is the
mean of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tandem.train.knowledge.label_scoring import LabelScoring
from tandem.train.lora.adapted_teachers import (
    HEAD_FILE,
    AdaptedHfText,
    AdaptedHfVision,
    AdaptedQwenVL,
)
from tandem.train.pretrained.adapters import FILES
from tandem.train.types import Reprojection, RowIndices, Signals

BOTH = 2
"""The fold of a row that neither adapter has learnt from."""


class TwoAdapters:
    """Its `logits_BK` are (B, 2K): what the first adapter says, then the second.

    Everything else is the mean of both.
    """

    def __init__(
        self,
        inner: LabelScoring | AdaptedHfVision | AdaptedHfText,
        folders: tuple[Path, Path],
    ) -> None:
        """`inner` was opened on the first folder."""
        self.inner, self.folders = inner, folders
        self.gives, self.image_size, self.grid = inner.gives, inner.image_size, inner.grid
        self.width, self.layer_count = inner.width, inner.layer_count
        self.parameters = inner.parameters
        self._states: list[dict[str, Tensor]] = []

    @property
    def layers(self) -> tuple[int, ...]:
        """Which hidden layers `layers_BHWD` gives."""
        return self.inner.layers

    @layers.setter
    def layers(self, layers: tuple[int, ...]) -> None:
        self.inner.layers = layers

    @property
    def fingerprint(self) -> str:
        """The first one's, and the second adapter's files."""
        return self._with_second(self.inner.fingerprint)

    @property
    def logits_key(self) -> str:
        """Changes with either adapter."""
        return self._with_second(str(self.inner.logits_key))

    def know(self, classes: Sequence[str]) -> bool:  # noqa: ARG002
        """False: its classes are the run's anyway."""
        return False

    def signals(self, images_BCHW: Tensor) -> Signals:
        """Both answers, one after the other."""
        self.inner.load()
        first, second = (self._answer(place, images_BCHW) for place in (0, 1))
        assert first.logits_BK is not None and second.logits_BK is not None  # noqa: PT018
        return replace(
            _mean(first, second), logits_BK=torch.cat([first.logits_BK, second.logits_BK], 1)
        )

    def unload(self) -> None:
        """Free the weights; the next `signals` loads them again."""
        self._states = []
        self.inner.unload()

    def __getattr__(self, name: str) -> object:
        """What a text's table asks of its teacher: the tokenizer, how many tokens it takes."""
        if name not in ("tokens", "longest"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def _answer(self, place: int, images_BCHW: Tensor) -> Signals:
        if not self._states:
            self._states = [_state(folder) for folder in self.folders]
        _put(self._adapted(), self._states[place])
        head = getattr(self.inner, "head", None)
        if isinstance(head, nn.Linear):
            with torch.no_grad():
                head.weight.copy_(self._states[place]["head.weight"])
                head.bias.copy_(self._states[place]["head.bias"])
        return self.inner.signals(images_BCHW)

    def _adapted(self) -> nn.Module:
        model: object
        if isinstance(self.inner, LabelScoring):
            assert isinstance(self.inner.teacher, AdaptedQwenVL)
            model = self.inner.teacher.language
        else:
            model = self.inner.model
        assert isinstance(model, nn.Module), "load has put it there"
        return model

    def _with_second(self, first: str) -> str:
        found = blake2b(first.encode(), digest_size=32)
        for name in (*FILES, HEAD_FILE):
            file = self.folders[1] / name
            found.update(file.read_bytes() if file.is_file() else b"")
        return found.hexdigest()


class CrossFitLogits:
    """Class logits of `TwoAdapters`: each row's by the adapter that has not learnt from it."""

    name = "lora"

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def logits(self, signals: Signals, fold_B: RowIndices | None) -> Tensor:
        """(B, K), calibrated. `fold_B`: 0 or 1, the adapter that is asked; `BOTH`: their mean."""
        assert signals.logits_BK is not None
        said_B2K = signals.logits_BK.unflatten(1, (2, -1)) / self.temperature
        # Of chances, not of scores: the two need not be equally sure.
        mean_BK: Tensor = said_B2K.log_softmax(-1).logsumexp(1)
        if fold_B is None:
            return mean_BK
        fold = torch.from_numpy(fold_B).to(said_B2K.device)
        rows = torch.arange(len(fold), device=fold.device)
        one_BK = said_B2K[rows, fold.clamp(max=1)]
        return torch.where((fold == BOTH)[:, None], mean_BK, one_BK)

    def class_map(self, signals: Signals, reduction: Reprojection | None) -> Tensor | None:  # noqa: ARG002
        """None: the two are of whole pictures."""
        return None


def _state(folder: Path) -> dict[str, Tensor]:
    """The adapter's tensors by their names in the model, and its head's."""
    prefix = "base_model.model."
    state = {key.removeprefix(prefix): one for key, one in load_file(folder / FILES[1]).items()}
    if (folder / HEAD_FILE).is_file():
        state |= {f"head.{key}": one for key, one in load_file(folder / HEAD_FILE).items()}
    return state


def _put(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy an adapter into the place of the one that the model has."""
    left = {key for key in state if not key.startswith("head.")}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            plain = name.replace(".default", "")
            key = plain if plain in state else plain.replace(".base_layer", "")
            if key in left:
                weight.copy_(state[key])
                left.discard(key)
    assert not left, f"of another model: {sorted(left)[:3]}"


def _mean(first: Signals, second: Signals) -> Signals:
    def mean(one: Tensor | None, other: Tensor | None) -> Tensor | None:
        return None if one is None or other is None else (one + other) / 2

    layers = zip(first.layers_BHWD, second.layers_BHWD, strict=True)
    return Signals(
        pooled_BD=mean(first.pooled_BD, second.pooled_BD),
        tokens_BHWD=mean(first.tokens_BHWD, second.tokens_BHWD),
        layers_BHWD=tuple((one + other) / 2 for one, other in layers),
    )
