"""Knowledge distillation as it was first proposed."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class KLOptions(Options):
    temperature: float = Field(4.0, gt=0, description="Softens both distributions.")


@register.loss(
    "kl_div",
    title=("Kullback-Leibler divergence", "KL 散度"),
    role="soft",
    needs={"logits"},
    options=KLOptions,
    zero_at_teacher=True,
    zh="各类别上的 KL(教师 || 学生)，单位为每行 nat，乘以 T²（Hinton et al. 2015，式 4）。",
)
def kl_div(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: KLOptions,
) -> Tensor:
    """KL(teacher || student) over classes, nats per row, times T² (Hinton et al. 2015, eq. 4)."""
    assert teacher.logits_BK is not None
    t = options.temperature
    student_BK = F.log_softmax(student.logits_BK.float() / t, dim=-1)
    teacher_BK = F.log_softmax(teacher.logits_BK.float() / t, dim=-1)
    return F.kl_div(student_BK, teacher_BK, log_target=True, reduction="batchmean") * t**2
