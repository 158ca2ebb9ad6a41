"""An Ultralytics .pt: a pickle, of which only the parts a YOLOv8 is made of are let in."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from tandem.predict.importing.imported_model import ImportedModel
from tandem.spec.errors import StudentError
from tandem.spec.run import StudentSpec
from tandem.train.yolo.offline import prepare
from tandem.train.yolo.student import YoloStudent, make_net

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


def read(path: Path) -> ImportedModel:
    """The detector in it. StudentError for what is not safe to open, or no YOLOv8 detector."""
    prepare()
    allowed = list(_parts())
    try:
        foreign = set(get_unsafe_globals_in_checkpoint(path))
        names = {f"{one.__module__}.{one.__qualname__}" for one in allowed}
        if foreign - names:
            raise _refused(path, ", ".join(sorted(foreign - names)[:3]))
        with safe_globals([*allowed]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, KeyError, EOFError, OSError) as error:
        raise _refused(path, (str(error).splitlines() or ["-"])[0][:120]) from error
    net = None
    if isinstance(checkpoint, dict):
        net = checkpoint.get("ema") or checkpoint.get("model")  # the averaged weights where kept
    if net is None or type(net).__name__ != "DetectionModel":
        raise _refused(path, "there is no DetectionModel in it")
    return _made(path, net, checkpoint.get("train_args"))


def _made(path: Path, net: DetectionModel, arguments: object) -> ImportedModel:
    names = net.names
    ordered = [names[key] for key in sorted(names)] if isinstance(names, dict) else list(names)
    scale = str((net.yaml or {}).get("scale") or "n")
    size = f"yolov8{scale}"
    pixels = arguments.get("imgsz", 640) if isinstance(arguments, dict) else 640
    try:
        student = YoloStudent(
            make_net(size, len(ordered)), num_classes=len(ordered), image_size=int(pixels)
        )
        student.load_net(net.float().state_dict())
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        raise _refused(path, f"it is no {size} ({str(error).splitlines()[0][:80]})") from error
    spec = StudentSpec(type="yolov8", size=size)
    return ImportedModel("detection", [str(one) for one in ordered], spec, student.eval())


def _parts() -> Iterator[Callable[..., object]]:
    for module, names in PARTS.items():
        found = importlib.import_module(module)
        for name in names:
            yield getattr(found, name)


def _refused(path: Path, reason: str) -> StudentError:
    return StudentError(
        "{path} cannot be loaded safely as a YOLOv8 detector: {reason}.",
        path=path,
        reason=reason,
        fix="Export it to ONNX where it was trained (yolo export format=onnx), and import that.",
    )
