"""Distances between the student's and the teacher's softened probabilities."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class SoftLabelOptions(Options):
    temperature: float = Field(4.0, gt=0, description="Softens both distributions.")


def _probabilities(
    student: StepOutput, teacher: Signals, options: SoftLabelOptions
) -> tuple[Tensor, Tensor]:
    assert teacher.logits_BK is not None
    t = options.temperature
    student_BK = F.softmax(student.logits_BK.float() / t, dim=-1)
    return student_BK, F.softmax(teacher.logits_BK.float() / t, dim=-1)


@register.loss(
    "mse",
    title=("Mean squared error", "均方误差"),
    role="soft",
    needs={"logits"},
    options=SoftLabelOptions,
    zero_at_teacher=True,
    zh="概率之间的平方距离，对类别求和，乘以 T²。",
)
def mse(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: SoftLabelOptions,
) -> Tensor:
    """Squared distance of the probabilities, summed over classes, times T².

    The Brier score (1950) with the teacher's word for the truth. T² keeps the gradient's size as it
    does for KL: both factors of it, the difference and the softmax's slope, shrink as 1/T.
    """
    student_BK, teacher_BK = _probabilities(student, teacher, options)
    return (student_BK - teacher_BK).square().sum(dim=-1).mean() * options.temperature**2


@register.loss(
    "cosine",
    title=("Cosine distance", "余弦距离"),
    role="soft",
    needs={"logits"},
    options=SoftLabelOptions,
    zero_at_teacher=True,
    zh="1 减去概率之间的余弦，按行平均，乘以 T²（同 `mse`）。",
)
def cosine(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: SoftLabelOptions,
) -> Tensor:
    """One minus the cosine between the probabilities, mean over rows, times T² (as for `mse`)."""
    student_BK, teacher_BK = _probabilities(student, teacher, options)
    distance_B = 1 - F.cosine_similarity(student_BK, teacher_BK, dim=-1)
    return distance_B.mean() * options.temperature**2
