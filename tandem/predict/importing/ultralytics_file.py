"""An Ultralytics .pt as a model of ours."""

from __future__ import annotations

from pathlib import Path

from tandem.predict.importing.imported_model import ImportedModel
from tandem.spec.run import StudentSpec
from tandem.train.yolo.network_file import DetectionModel, read_network, refused, weights_of
from tandem.train.yolo.student import YoloStudent, make_net


def read(path: Path) -> ImportedModel:
    """The detector in it. StudentError for what is not safe to open, or no YOLOv8 detector."""
    return _made(path, *read_network(path))


def _made(path: Path, net: DetectionModel, arguments: object) -> ImportedModel:
    weights = weights_of(net, path)
    try:
        names = net.names
        ordered = [names[key] for key in sorted(names)] if isinstance(names, dict) else list(names)
        size = f"yolov8{(net.yaml or {}).get('scale') or 'n'}"
        pixels = arguments.get("imgsz", 640) if isinstance(arguments, dict) else 640
        student = YoloStudent(
            make_net(size, len(ordered)), num_classes=len(ordered), image_size=int(pixels)
        )
        student.load_net(weights)
    except (AttributeError, RuntimeError, AssertionError, TypeError, ValueError, OSError) as error:
        reason = (str(error).splitlines() or ["-"])[0][:80]
        raise refused(path, f"it is no YOLOv8 ({reason})") from error
    spec = StudentSpec(type="yolov8", size=size)
    return ImportedModel("detection", [str(one) for one in ordered], spec, student.eval())
