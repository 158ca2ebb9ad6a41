"""Soft labels for a head of their own."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from tandem.train.losses.kl_div import KLOptions, kl_div
from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class DHOOptions(Options):
    temperature: float = Field(4.0, gt=0, description="Softens both distributions.")


@register.loss(
    "dho",
    title=("Divergence on a second head (DHO)", "第二输出头上的 KL（DHO）"),
    role="soft",
    needs={"logits"},
    options=DHOOptions,
    kinds={"classification", "sequence", "text"},
    zero_at_teacher=True,
    dual_head=True,
    zh="教师与第二输出头之间的 KL，单位为每行 nat，乘以 T²（Kang 等，2025，DHO）。",
)
def dho(student: StepOutput, teacher: Signals, batch: Batch, options: DHOOptions) -> Tensor:
    """KL(teacher || second head), nats per row, times T² (Kang et al. 2025, DHO).

    arXiv 2505.07675, "Dual-Head Optimization", for few labels and a teacher that needs none: the
    student has two heads (`student.dual_head`, set by this choice), and labels and teacher meet in
    its features alone. lambda · CE + (1 - lambda) · KL with lambda 0.5, which are the default
    weights; how the heads are mixed is `student.label_head_share` (the paper's alpha) and
    `student.taught_head_temperature` (its beta).
    """
    return kl_div(student, teacher, batch, KLOptions(temperature=options.temperature))
