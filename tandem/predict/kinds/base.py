"""How a model is shown things and what its numbers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tandem.predict.answers import Answer

Picture = str | Path | NDArray[np.uint8] | Image.Image


@dataclass(frozen=True)
class ModelInput:
    """One input of a model, and where it came from."""

    inputs: NDArray[Any]
    """uint8 pixels of 0 to 255, or int64 tokens."""
    height: int
    """Of the picture as it is shown; 0 of a text."""
    width: int
    placed: Any = None


@dataclass(frozen=True)
class Output:
    """What a model gives for a batch, on the device it ran on; only its kind's part is there."""

    logits_BK: Any = None
    class_map_BHWK: Any = None
    boxes_BCA: Any = None


class Processor(Protocol):
    """Of one kind."""

    output: str
    """Which part of `Output` it needs."""

    def read(self, source: Any) -> ModelInput:
        """One input from a file, an array or a text. Runs in threads. DataError naming it."""
        ...

    def postprocess(self, output: Output, shown: Sequence[ModelInput]) -> list[Answer]:
        """One answer for each input of the batch."""
        ...
