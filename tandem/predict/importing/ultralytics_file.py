"""An Ultralytics .pt as a model of ours."""

from __future__ import annotations

from pathlib import Path

from tandem.predict.importing.imported_model import ImportedModel
from tandem.spec.run import StudentSpec
from tandem.train.yolo.network_file import DetectionModel, read_network, refused
from tandem.train.yolo.student import YoloStudent, make_net


def read(path: Path) -> ImportedModel:
    """The detector in it. StudentError for what is not safe to open, or no YOLOv8 detector."""
    return _made(path, *read_network(path))


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
        raise refused(path, f"it is no {size} ({str(error).splitlines()[0][:80]})") from error
    spec = StudentSpec(type="yolov8", size=size)
    return ImportedModel("detection", [str(one) for one in ordered], spec, student.eval())
