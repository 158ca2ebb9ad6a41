"""What prepares a model's inputs and decodes its outputs: one processor for each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from tandem.predict.answers import Answer

if TYPE_CHECKING:
    from torch import Tensor

    from tandem.train.detection.boxes import Letterbox

ModelOutput = Mapping[str, "Tensor"]
"""What a model gives for a batch, on the device it ran on, by the names of `StepOutput`'s parts:
`logits_BK`, `class_map_BHWK`, `boxes_BCA`; `probabilities_BK` of a foreign classifier.
Only what its kind gives is there."""


@dataclass(frozen=True)
class ModelInput:
    """One input of a model, and where it came from."""

    inputs: NDArray[np.generic]
    """uint8 pixels of 0 to 255 (3, H, W) or (T, 3, H, W), or int64 tokens (3, L)."""
    height: int
    """The image's own height as it is shown; 0 of a text."""
    width: int
    letterbox: Letterbox | None = None
    """Where the image lies on a detector's canvas."""


class Processor(Protocol):
    """Prepares the inputs of one kind of model and decodes its outputs."""

    def read(self, source: object) -> ModelInput:
        """One input from a file, an array or a text. Runs in threads. DataError naming it."""
        ...

    def postprocess(self, output: ModelOutput, inputs: Sequence[ModelInput]) -> list[Answer]:
        """One answer for each input of the batch."""
        ...
