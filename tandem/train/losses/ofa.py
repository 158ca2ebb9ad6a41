"""Stages of the student asked for the classes, so that its build need not be the teacher's."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from tandem.train.losses._targets import target_classes
from tandem.train.registry import register
from tandem.train.types import Batch, HeadShape, Options, Signals, StepOutput


class OFAOptions(Options):
    temperature: float = Field(4.0, gt=0, description="Softens both distributions.")
    emphasis: float = Field(
        1.0,
        ge=1,
        le=4,
        description="The power that raises the target class: gamma; the paper's runs have 1 to "
        "1.5. 1: KL at each exit.",
    )
    exit_weight: float = Field(
        1.0, ge=0, description="The weight of the exits' sum beside the student's own answer."
    )


class Exits(nn.Module):
    """A way from each stage to the classes: a depthwise separable convolution, mean, linear.

    Hao et al. 2023, figure 3. Trained with the student and left behind at export.
    """

    def __init__(self, shape: HeadShape, options: OFAOptions) -> None:  # noqa: ARG002
        super().__init__()
        self.exits = nn.ModuleList(_exit(width, shape.num_classes) for width in shape.layer_widths)

    def forward(self, output: StepOutput) -> StepOutput:
        """The output with each stage's class scores, (B, 1, 1, K), in its layers' place."""
        scores = tuple(
            one(layer.permute(0, 3, 1, 2))[:, None, None]
            for one, layer in zip(self.exits, output.layers_BHWD, strict=True)
        )
        return replace(output, layers_BHWD=scores)


def _exit(width: int, num_classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width),
        nn.Conv2d(width, width, 1),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LayerNorm(width),
        nn.Linear(width, num_classes),
    )


@register.loss(
    "ofa",
    title=("Exits for unlike architectures (OFA)", "不同架构间的中间出口（OFA）"),
    role="soft",
    needs={"logits"},
    reads={"logits", "layers"},
    options=OFAOptions,
    kinds={"classification", "sequence"},
    head=Exits,
    zh="学生各阶段出口与答案的增强目标类 KL，单位为每行 nat，乘以 T²（Hao 等，2023，式 6）。",
)
def ofa(student: StepOutput, teacher: Signals, batch: Batch, options: OFAOptions) -> Tensor:
    """Target-enhanced KL of each stage's exit and of the answer, nats times T² (Hao et al. 2023).

    arXiv 2310.19444, "One-for-All": (p + one-hot(target))^gamma - one-hot(target) is what the log-
    probabilities are weighed by, which for gamma 1 is the teacher's distribution p; gamma 1.5 on
    ImageNet and 1 on CIFAR-100, T = 1, exits at four stages, all weights 1. The least value of that
    sum is taken off: the gradient is the same, and a perfect student says 0. The target is the
    label, or the teacher's best class. The stages arrive through `Exits`.
    """
    assert teacher.logits_BK is not None
    target_B = target_classes(teacher.logits_BK, batch)
    loss = _enhanced(student.logits_BK, teacher.logits_BK, target_B, options)
    for scores_B11K in student.layers_BHWD:
        scores_BK = scores_B11K.mean((1, 2))
        exit_loss = _enhanced(scores_BK, teacher.logits_BK, target_B, options)
        loss = loss + options.exit_weight * exit_loss
    return loss


def _enhanced(
    student_BK: Tensor, teacher_BK: Tensor, target_B: Tensor, options: OFAOptions
) -> Tensor:
    t = options.temperature
    own_BK = F.log_softmax(student_BK.float() / t, dim=-1)
    chance_BK = F.softmax(teacher_BK.float() / t, dim=-1)
    target_BK = F.one_hot(target_B, own_BK.shape[1]).to(chance_BK.dtype)
    weight_BK = ((chance_BK + target_BK).pow(options.emphasis) - target_BK).clamp_min(1e-12)
    best_BK = (weight_BK / weight_BK.sum(-1, keepdim=True)).log()
    return (weight_BK * (best_BK - own_BK)).sum(-1).mean() * t**2
