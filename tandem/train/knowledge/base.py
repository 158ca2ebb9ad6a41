"""Where a teacher's class scores come from."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from tandem.train.types import Reprojection, RowIndices, Signals


class Knowledge(Protocol):
    """Turns a teacher's signals into calibrated class logits."""

    name: str

    @property
    def temperature(self) -> float:
        """What the logits are divided by."""
        ...

    def logits(self, signals: Signals, fold_B: RowIndices | None) -> Tensor:
        """(B, K). `fold_B` names, per sample, the fold that left it out; None: the whole fit."""
        ...

    def class_map(self, signals: Signals, reduction: Reprojection | None) -> Tensor | None:
        """(B, H, W, K) class logits of each dense token, or None where there are none.

        `reduction` is how the tokens were made smaller after the knowledge was fitted.
        """
        ...
