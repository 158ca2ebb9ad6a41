"""Where a run or a trained model is, from what a person calls it."""

from __future__ import annotations

from pathlib import Path

from tandem.config.settings import load
from tandem.spec.errors import UserInputError


def find(name: str) -> Path:
    """A run's folder, a model's, or an .onnx file: the path, or `<output root>/<name>`."""
    written = Path(name).expanduser()
    under_root = load().path("output_root") / name
    for path in (written, under_root):
        if path.exists():
            return path.absolute()
    raise UserInputError(
        "There is no run or model {name}: neither {written} nor {under_root} is there.",
        name=name,
        written=written.absolute(),
        under_root=under_root,
        fix="Name a run, its folder, or its final_model folder.",
    )


def find_run(name: str) -> Path:
    """The folder of a run, also from the final_model folder in it."""
    folder = find(name)
    return folder.parent if folder.name == "final_model" else folder


def find_model(name: str) -> Path:
    """A final_model folder or an .onnx file, also from the run's folder."""
    path = find(name)
    inside = path / "final_model"
    return inside if inside.is_dir() else path
