"""A trained YOLOX as a teacher: of a smaller detector, or by its features alone."""

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
    """A final_model folder of a YOLOX."""
    return is_detector(checkpoint, "yolox")


@register.teacher(
    "yolox",
    gives={"pooled", "tokens"},
    recognises=recognises,
    licence="Apache-2.0",
    source="https://arxiv.org/abs/2107.08430",
    zh="YOLOX：用较大模型的 final_model 文件夹教较小的模型。",
)
def load(spec: TeacherSpec, device: torch.device) -> DetectorFeatures:
    """YOLOX: a final_model folder of a larger one teaches a smaller."""
    # Not before it is asked for: its parts stand above the teachers.
    from tandem.train.detection.teacher.features import DetectorFeatures

    return DetectorFeatures(spec, device)
