"""Distances between the student's and the teacher's class scores."""

from __future__ import annotations

import math

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
    title=("Mean squared error of the logits", "logits 的均方误差"),
    role="soft",
    needs={"logits"},
    zero_at_teacher=True,
    zh="中心化 logits 之间平方距离的一半，除以类别数的平方根（Kim et al. 2021）。",
)
def mse(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: Options,  # noqa: ARG001
) -> Tensor:
    """Half the squared distance of centred logits over the root of K (Kim et al. 2021).

    Centred: each row's logits less their mean, as what is the same for all classes falls out of the
    softmax, and a teacher's log-probabilities would otherwise be compared by little else. There is
    no softmax in it whose slope would vanish with many classes, and no temperature: KL times T²
    comes to half the squared distance over K as T grows. The root of
    K in place of K keeps the gradient of a row as large as the cross-entropy's at any number of
    classes; the plain mean over classes has a twentieth of it at 1,000.
    """
    assert teacher.logits_BK is not None
    difference_BK = _centred(student.logits_BK) - _centred(teacher.logits_BK)
    half_B = difference_BK.square().sum(dim=-1) / 2
    return half_B.mean() / math.sqrt(difference_BK.shape[1])


def _centred(logits_BK: Tensor) -> Tensor:
    logits_BK = logits_BK.float()
    return logits_BK - logits_BK.mean(dim=-1, keepdim=True)


@register.loss(
    "cosine",
    title=("Cosine distance", "余弦距离"),
    role="soft",
    needs={"logits"},
    options=SoftLabelOptions,
    zero_at_teacher=True,
    zh="1 减去概率之间的余弦，按行平均，乘以 T²。",
)
def cosine(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: SoftLabelOptions,
) -> Tensor:
    """One minus the cosine between the probabilities, mean over rows, times T².

    T² keeps the gradient's size as it does for KL: both factors of it, the difference and the
    softmax's slope, shrink as 1/T.
    """
    student_BK, teacher_BK = _probabilities(student, teacher, options)
    distance_B = 1 - F.cosine_similarity(student_BK, teacher_BK, dim=-1)
    return distance_B.mean() * options.temperature**2
