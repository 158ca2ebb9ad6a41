"""An Ultralytics .pt as a model of ours."""

from __future__ import annotations

from pathlib import Path

from tandem.predict.importing.imported_model import ImportedModel
from tandem.spec.run import StudentSpec
from tandem.train.detection.boxes import STRIDE
from tandem.train.yolo.network_file import DetectionModel, read_network, refused, weights_of
from tandem.train.yolo.student import YoloStudent, make_net

USUAL_PIXELS = 640
"""What Ultralytics trains with where nobody says another size."""


def read(path: Path, image_size: int | None = None) -> ImportedModel:
    """The detector in it. StudentError for what is not safe to open, or no YOLOv8 detector.

    It is shown pictures of `image_size` pixels a side; None: those that it was trained with.
    """
    return _made(path, *read_network(path), image_size)


def _made(
    path: Path, net: DetectionModel, arguments: object, image_size: int | None
) -> ImportedModel:
    weights = weights_of(net, path)
    pixels = image_size or _pixels(path, arguments)
    if pixels % STRIDE:
        raise refused(path, f"{pixels} pixels a side are no multiple of {STRIDE}")
    try:
        names = net.names
        ordered = [names[key] for key in sorted(names)] if isinstance(names, dict) else list(names)
        size = f"yolov8{(net.yaml or {}).get('scale') or 'n'}"
        student = YoloStudent(
            make_net(size, len(ordered)), num_classes=len(ordered), image_size=pixels
        )
        student.load_net(weights)
    except (AttributeError, RuntimeError, AssertionError, TypeError, ValueError, OSError) as error:
        reason = (str(error).splitlines() or ["-"])[0][:80]
        raise refused(path, f"it is no YOLOv8 ({reason})") from error
    spec = StudentSpec(type="yolov8", size=size)
    return ImportedModel("detection", [str(one) for one in ordered], spec, student.eval())


def _pixels(path: Path, arguments: object) -> int:
    """What it was trained with: one number, or two that are the same."""
    said = arguments.get("imgsz", USUAL_PIXELS) if isinstance(arguments, dict) else USUAL_PIXELS
    sides = list(said) if isinstance(said, list | tuple) else [said]
    side = sides[0] if sides and all(one == sides[0] for one in sides) else 0
    if not isinstance(side, int) or side < STRIDE:
        raise refused(path, f"its pictures are {said} pixels, not square")
    return side
