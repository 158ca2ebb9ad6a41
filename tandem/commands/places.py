"""Where a run or a trained model is, from what a person calls it."""

from __future__ import annotations

from pathlib import Path

from tandem.config.settings import load
from tandem.spec.errors import UserInputError


def find_run(name: str) -> Path:
    """A run's folder: the path itself, or `<output root>/<name>`."""
    written = Path(name).expanduser()
    under_root = load().path("output_root") / name
    for folder in (written, under_root):
        if folder.is_dir():
            return folder.absolute()
    raise UserInputError(
        "There is no run {name}: neither the folder {written} nor {under_root} is there.",
        name=name,
        written=written.absolute(),
        under_root=under_root,
        fix="Name a run's folder.",
    )


def find_model(name: str) -> Path:
    """A final_model folder: the path itself, or the one in a run's folder."""
    folder = find_run(name)
    inside = folder / "final_model"
    if (folder / "model.safetensors").is_file() or not inside.is_dir():
        return folder
    return inside
