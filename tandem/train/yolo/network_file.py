"""An Ultralytics .pt: a pickle, of which only the parts a YOLOv8 is made of are let in."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from tandem.data.zip_file import ZipArchive
from tandem.spec.errors import StudentError
from tandem.train.yolo.offline import prepare

MOST_TENSORS = 100_000
"""A file of PyTorch's is a ZIP with a member for each tensor."""
PARTS = {
    "ultralytics.nn.tasks": ("DetectionModel",),
    "ultralytics.nn.modules.conv": ("Conv", "Concat"),
    "ultralytics.nn.modules.block": ("C2f", "Bottleneck", "SPPF", "DFL"),
    "ultralytics.nn.modules.head": ("Detect",),
    "torch.nn.modules.container": ("Sequential", "ModuleList"),
    "torch.nn.modules.conv": ("Conv2d",),
    "torch.nn.modules.batchnorm": ("BatchNorm2d",),
    "torch.nn.modules.activation": ("SiLU",),
    "torch.nn.modules.pooling": ("MaxPool2d",),
    "torch.nn.modules.upsampling": ("Upsample",),
    "torch.nn.modules.linear": ("Identity",),
}
"""Classes alone; none of them does anything as it is unpickled but take its attributes."""


class DetectionModel(Protocol):
    """What is read of Ultralytics' network of that name."""

    names: dict[int, str] | list[str]
    yaml: dict[str, object] | None

    def float(self) -> torch.nn.Module: ...


def read_network(path: Path) -> tuple[DetectionModel, object]:
    """The network in it, the averaged one where that is kept, and its `train_args`.

    StudentError for what is not safe to open, or no YOLOv8 detector.
    """
    prepare()
    allowed = list(_parts())
    try:
        _check_count(path)
        foreign = set(get_unsafe_globals_in_checkpoint(path))
        names = {f"{one.__module__}.{one.__qualname__}" for one in allowed}
        if foreign - names:
            raise refused(path, ", ".join(sorted(foreign - names)[:3]))
        with safe_globals([*allowed]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, KeyError, EOFError, OSError) as error:
        raise refused(path, (str(error).splitlines() or ["-"])[0][:120]) from error
    net = None
    if isinstance(checkpoint, dict):
        net = checkpoint.get("ema") or checkpoint.get("model")
    if net is None or type(net).__name__ != "DetectionModel":
        raise refused(path, "there is no DetectionModel in it")
    return net, checkpoint.get("train_args")


def weights_of(net: DetectionModel, path: Path) -> dict[str, torch.Tensor]:
    """Its weights by name, float32; StudentError where the pickle left it half made."""
    try:
        return dict(net.float().state_dict())
    except (AttributeError, TypeError, KeyError, RuntimeError) as error:
        raise refused(path, f"its network is not whole ({type(error).__name__})") from error


def _check_count(path: Path) -> None:
    """DataError for one that lists so much that looking at it would take all memory."""
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip:
        ZipArchive(path, MOST_TENSORS).close()


def _parts() -> Iterator[Callable[..., object]]:
    for module, names in PARTS.items():
        found = importlib.import_module(module)
        for name in names:
            yield getattr(found, name)


def refused(path: Path, reason: str) -> StudentError:
    """What is said of a file that is not opened."""
    return StudentError(
        "{path} cannot be loaded safely as a YOLOv8 detector: {reason}.",
        path=path,
        reason=reason,
        fix="Export it to ONNX where it was trained (yolo export format=onnx), and import that.",
    )
