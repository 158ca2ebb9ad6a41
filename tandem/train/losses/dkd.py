"""Decoupled knowledge distillation: the target class and the others weighed apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.losses._targets import target_classes
from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class DKDOptions(Options):
    temperature: float = Field(4.0, gt=0, description="Softens both distributions.")
    alpha: float = Field(1.0, ge=0, description="The weight of the target class.")
    beta: float = Field(2.0, ge=0, description="The weight of the others; the paper has 0.5 to 10.")


@register.loss(
    "dkd",
    title=("Decoupled distillation", "解耦蒸馏（DKD）"),
    role="soft",
    needs={"logits"},
    options=DKDOptions,
    zero_at_teacher=True,
    zh="解耦的 KL，单位为每行 nat，乘以 T²（Zhao et al. 2022，式 7）。",
)
def dkd(student: StepOutput, teacher: Signals, batch: Batch, options: DKDOptions) -> Tensor:
    """Decoupled KL, nats per row, times T² (Zhao et al. 2022, eq. 7).

    The target is the label; where there is none, the teacher's best class, so that unlabelled
    images take part. Under mixup and cutmix it is the class with the largest share.
    """
    assert teacher.logits_BK is not None
    t = options.temperature
    student_BK = F.log_softmax(student.logits_BK.float() / t, dim=-1)
    teacher_BK = F.log_softmax(teacher.logits_BK.float() / t, dim=-1)
    target_BK = F.one_hot(target_classes(teacher.logits_BK, batch), student_BK.shape[1]).bool()
    student_other, teacher_other = _others(student_BK, target_BK), _others(teacher_BK, target_BK)
    target = _kl(
        torch.stack([student_BK[target_BK], student_other.logsumexp(dim=-1)], dim=-1),
        torch.stack([teacher_BK[target_BK], teacher_other.logsumexp(dim=-1)], dim=-1),
    )
    others = _kl(student_other.log_softmax(dim=-1), teacher_other.log_softmax(dim=-1))
    return (options.alpha * target + options.beta * others) * t**2


def _others(log_BK: Tensor, target_BK: Tensor) -> Tensor:
    """(B, K - 1): every class but the target."""
    return log_BK[~target_BK].view(len(log_BK), -1)


def _kl(student: Tensor, teacher: Tensor) -> Tensor:
    return F.kl_div(student, teacher, log_target=True, reduction="batchmean")
