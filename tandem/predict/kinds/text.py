"""Texts to classes, by the tokenizer that lies beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tandem.predict.answers import Answer
from tandem.predict.kinds.base import ModelInput, ModelOutput
from tandem.predict.kinds.classification import ClassificationProcessor
from tandem.spec.errors import DataError, StudentError
from tandem.spec.model import ModelConfig


class TextProcessor:
    """A text, or a pair of them; cut at as many tokens as in training."""

    def __init__(self, config: ModelConfig, folder: Path | None) -> None:
        if folder is None:
            raise StudentError(
                "A text model needs the folder with its tokenizer.",
                fix="Name its final_model folder, or put tokenizer.json beside the ONNX file.",
            )
        from tandem.train.data.tokens import from_folder

        self.config = config
        self.tokens = from_folder(folder)
        self._classes = ClassificationProcessor(config)

    def read(self, source: object) -> ModelInput:
        """A text, two of them, or a file (Path) that holds one."""
        first, second = source if isinstance(source, tuple) else (source, None)
        if isinstance(first, Path):
            first = _read_file(first)
        if not isinstance(first, str) or not first.strip():
            raise DataError("A text is empty.", fix="Take it away.")
        tokens_13L = self.tokens.encode([first], [second], self.config.student.max_tokens)
        return ModelInput(tokens_13L[0].astype(np.int64), 0, 0)

    def postprocess(self, output: ModelOutput, inputs: Sequence[ModelInput]) -> list[Answer]:
        return self._classes.postprocess(output, inputs)


def _read_file(path: Path) -> str:
    from tandem.data.reading.files import read_text

    return read_text(path)
