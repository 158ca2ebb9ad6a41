"""Where a teacher's class scores come from."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.types import Signals


class Reduction(Protocol):
    """How the cache shrank the dense tokens."""

    def reproject(self, weight_KD: Tensor) -> tuple[Tensor, Tensor]:
        """A linear head on the full tokens as one on the reduced: its weight, and what to add."""
        ...


class Knowledge(Protocol):
    """Turns a teacher's signals into calibrated class logits."""

    name: str

    @property
    def temperature(self) -> float:
        """What the logits are divided by."""
        ...

    def logits(self, signals: Signals, fold_B: NDArray[np.int64] | None) -> Tensor:
        """(B, K). `fold_B` names, per sample, the fold that left it out; None: the whole fit."""
        ...

    def class_map(self, signals: Signals, reduction: Reduction | None) -> Tensor | None:
        """(B, H, W, K) class logits of each dense token, or None where there are none."""
        ...
