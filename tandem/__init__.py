"""Tandem: distil a large vision-language model into small students, and put them to work.

    model = tandem.load("runs/digits/final_model")
    [first, second] = model.predict(["a.png", "b.png"])
    first.label, first.confidence, first.probabilities

Importing this loads nothing heavy; `load` brings torch in.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tandem._version import __version__

if TYPE_CHECKING:
    from tandem.predict.predictor import Predictor

__all__ = ["__version__", "load"]


def load(path: str | Path, device: str = "auto") -> Predictor:
    """A trained model, ready to predict: a `final_model/`, its run's folder, or an .onnx file.

    `device`: "cpu", "cuda", "cuda:1", or "auto" for a GPU where there is one. Raises StudentError
    (no model, broken weights) or DeviceError.
    """
    from tandem.predict.predictor import load as load_predictor

    return load_predictor(path, device)
