"""Distillation of the logits' shape, free of their scale."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class StandardisedOptions(Options):
    temperature: float = Field(4.0, gt=0, description="Softens both, after standardisation.")


@register.loss(
    "standardised",
    title=("Divergence of standardised logits", "标准化后的 logits"),
    role="soft",
    needs={"logits"},
    options=StandardisedOptions,
    zero_at_teacher=True,
    least_classes=3,
    zh="标准化 logits 的 KL，单位为每行 nat，乘以 T²（Sun et al. 2024，算法 1）。",
)
def standardised(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: StandardisedOptions,
) -> Tensor:
    """KL of z-scored logits, nats per row, times T² (Sun et al. 2024, algorithm 1).

    A small student need not reach the teacher's logit range, only the relations within it. The
    value does not change when either side's logits are shifted or scaled. Two logits are always
    one deviation to both sides of their mean, so that nothing is left to learn: a run of two
    classes is refused (`least_classes`).
    """
    assert teacher.logits_BK is not None
    t = options.temperature
    student_BK = F.log_softmax(_z_score(student.logits_BK.float()) / t, dim=-1)
    teacher_BK = F.log_softmax(_z_score(teacher.logits_BK.float()) / t, dim=-1)
    return F.kl_div(student_BK, teacher_BK, log_target=True, reduction="batchmean") * t**2


def _z_score(logits_BK: Tensor) -> Tensor:
    centred_BK = logits_BK - logits_BK.mean(dim=-1, keepdim=True)
    # The floor, far below any real logits' variance, keeps equal logits from dividing by zero.
    variance_B1 = centred_BK.square().mean(dim=-1, keepdim=True).clamp_min(1e-12)
    return centred_BK * variance_B1.rsqrt()
