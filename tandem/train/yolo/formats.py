"""A detector in the formats that Ultralytics writes, by Ultralytics."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

import torch

from tandem.spec.errors import MissingExtraError, SpecError
from tandem.train.export import final_model
from tandem.train.yolo.offline import prepare
from tandem.train.yolo.student import YoloStudent


class UltralyticsNet(Protocol):
    """What Ultralytics hangs on a network that it keeps."""

    names: dict[int, str]
    args: dict[str, object]
    task: str
    pt_path: str

    def half(self) -> object: ...


NATIVE = "ultralytics"
"""Its own .pt: what `YOLO("model.pt")` opens."""


def names() -> list[str]:
    """What it can write: its own arguments, such as torchscript or openvino."""
    prepare()
    from ultralytics.engine.exporter import export_formats

    return [NATIVE, *[one for one in export_formats()["Argument"] if one not in ("-", "onnx")]]


def write(model_folder: Path, format: str, target: Path) -> None:
    """Write the file or folder `target`.

    SpecError for a format it does not know; MissingExtraError where one needs a package that is
    not here (nothing is ever installed or fetched).
    """
    known = names()
    if format not in known:
        raise SpecError("A model cannot be written as {format}.", format=format, allowed=known)
    # Its exporters write beside the weights they are given: in a folder that goes away.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
        weights = Path(folder) / f"{target.stem or 'model'}.pt"
        _save(model_folder, weights)
        made = weights if format == NATIVE else _exported(weights, format)
        if target.is_dir():
            shutil.rmtree(target)
        made.replace(target)


def _save(model_folder: Path, file: Path) -> None:
    """As Ultralytics keeps a trained network; the names of the classes are in it."""
    student, config = final_model.load(model_folder)
    assert isinstance(student, YoloStudent)
    net: UltralyticsNet = student.net  # type: ignore[assignment]
    # What Ultralytics reads of a checkpoint beside its weights: names, size, task.
    net.names = dict(enumerate(config.classes))
    net.args = {"imgsz": config.image_size, "task": "detect", "model": file.name}
    net.task, net.pt_path = "detect", str(file)
    # Half precision, as Ultralytics saves: it makes floats of it when it loads.
    torch.save({"model": net.half(), "ema": None, "train_args": net.args, "epoch": -1}, file)


def _exported(weights: Path, format: str) -> Path:
    from ultralytics import YOLO

    printed = io.StringIO()
    try:
        # Each backend prints in its own way; what matters comes as an exception.
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            made = YOLO(str(weights)).export(format=format, device="cpu", verbose=False)
    except (ImportError, ModuleNotFoundError, AssertionError, OSError, RuntimeError) as error:
        raise MissingExtraError(
            "Ultralytics cannot write {format} here: {reason}.",
            format=format,
            reason=" ".join(str(error).split())[:200] or type(error).__name__,
            fix="Install what this format needs, and try again.",
        ) from error
    return Path(str(made))
