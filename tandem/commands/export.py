"""`tandem export MODEL --format onnx -o FILE`."""

from __future__ import annotations

from pathlib import Path

from tandem.commands.places import find_model
from tandem.spec.errors import UserInputError
from tandem.spec.words import t

FORMATS = ("onnx",)


def export(model: str, format: str, target: Path) -> None:
    """Write it and say where and how large it is."""
    if format not in FORMATS:
        raise UserInputError(
            "A model cannot be written as {format}.", format=format, allowed=FORMATS
        )
    folder = find_model(model)
    from tandem.train.export import to_onnx

    file = to_onnx(folder, target.expanduser().absolute())
    size = f"{file.stat().st_size / 1e6:.1f}"
    print(t("{file} ({size} MB), checked in ONNX Runtime.", file=file, size=size))
