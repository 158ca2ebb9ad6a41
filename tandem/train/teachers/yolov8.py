"""A trained YOLOv8 as a teacher: of a smaller detector, or by its features alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tandem.spec.run import TeacherSpec
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.registry import register
from tandem.train.teachers.family import is_detector

if TYPE_CHECKING:
    from tandem.train.detection.teacher.features import DetectorFeatures


def recognises(checkpoint: PretrainedCheckpoint) -> bool:
    """A final_model folder of a YOLOv8."""
    return is_detector(checkpoint, "yolov8")


@register.teacher(
    "yolov8",
    gives={"pooled", "tokens"},
    recognises=recognises,
    licence="AGPL-3.0",
    needs_extra="yolo",
    source="https://github.com/ultralytics/ultralytics",
    zh="YOLOv8：用较大模型的 final_model 文件夹教较小的模型。AGPL-3.0。",
)
def load(spec: TeacherSpec, device: torch.device) -> DetectorFeatures:
    """YOLOv8: a final_model folder of a larger one teaches a smaller. AGPL-3.0."""
    # Not before it is asked for: its parts stand above the teachers.
    from tandem.train.detection.teacher.features import DetectorFeatures

    return DetectorFeatures(spec, device)
