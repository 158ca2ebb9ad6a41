"""Relations instead of values: a strong teacher's scores need only be followed in order."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput

FEWEST_CLASSES = 3
"""Two probabilities correlate by 1 or -1 alone: nothing between has a gradient."""


class DISTOptions(Options):
    temperature: float = Field(4.0, gt=0, description="Softens both distributions.")
    beta: float = Field(
        2.0, ge=0, description="The weight of the classes' order within a row; the paper has 2."
    )
    gamma: float = Field(
        2.0, ge=0, description="The weight of the rows' order within a class; the paper has 2."
    )


@register.loss(
    "dist",
    title=("Correlation within rows and classes (DIST)", "行与类别内的相关（DIST）"),
    role="soft",
    needs={"logits"},
    options=DISTOptions,
    zero_at_teacher=True,
    pairwise=True,
    zh="每行之内与每个类别之内的 1 减皮尔逊相关系数（Huang 等，2022，式 8 至 10）。",
)
def dist(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: DISTOptions,
) -> Tensor:
    """1 - Pearson's r within each row and within each class (Huang et al. 2022, eq. 8 to 10).

    arXiv 2205.10536, "Knowledge Distillation from A Stronger Teacher": beta and gamma 2 beside a
    cross-entropy of weight 1, T = 1 on ImageNet and 4 on CIFAR-100. There is no T²: r does not
    change with the size of the scores, so its gradient does not shrink as T grows. With two classes
    the rows' part has no gradient and is left out; in a batch of one row the classes' part is.
    """
    assert teacher.logits_BK is not None
    student_BK = F.softmax(student.logits_BK.float() / options.temperature, dim=-1)
    teacher_BK = F.softmax(teacher.logits_BK.float() / options.temperature, dim=-1)
    rows, classes = student_BK.shape
    loss = student_BK.sum() * 0.0
    if classes >= FEWEST_CLASSES:
        loss = loss + options.beta * (1 - _correlation(student_BK, teacher_BK, dim=1)).mean()
    if rows > 1:
        loss = loss + options.gamma * (1 - _correlation(student_BK, teacher_BK, dim=0)).mean()
    return loss


def _correlation(one_BK: Tensor, other_BK: Tensor, dim: int) -> Tensor:
    """Pearson's r along `dim`."""
    return (_z_score(one_BK, dim) * _z_score(other_BK, dim)).mean(dim)


def _z_score(x_BK: Tensor, dim: int) -> Tensor:
    centred_BK = x_BK - x_BK.mean(dim=dim, keepdim=True)
    # The floor keeps a class that is equally likely in all rows from dividing by zero.
    variance = centred_BK.square().mean(dim=dim, keepdim=True).clamp_min(1e-14)
    return centred_BK * variance.rsqrt()
