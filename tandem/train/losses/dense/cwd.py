"""Where each channel is high, as a distribution over the places of an image."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.grids import matched
from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class CWDOptions(Options):
    softness: float = Field(
        4.0, gt=0, description="The temperature of the softmax over places; the paper has 4."
    )


@register.loss(
    "feature_cwd",
    title=("Channel-wise distribution (CWD)", "逐通道分布（CWD）"),
    role="feature",
    needs={"tokens"},
    projects={"tokens"},
    options=CWDOptions,
    kinds={"classification", "segmentation"},
    zero_at_teacher=True,
    spatial=True,
    zh="每个通道在各位置上分布的 KL，乘以 T²，对通道取平均（Shu 等，2021，式 3 与 4）。",
)
def feature_cwd(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: CWDOptions,
) -> Tensor:
    """KL of each channel's distribution over places, times T², mean (Shu et al. 2021, eq. 3, 4).

    arXiv 2011.13256: T = 4, and a weight of 50 on a layer's features beside a cross-entropy of
    weight 1. How large a channel is does not count beyond its contrast, so what is bright in the
    teacher's map is what is learnt. On grids that differ the finer is pooled to the coarser.
    """
    assert student.tokens_BHWD is not None
    assert teacher.tokens_BHWD is not None
    return _divergence(student.tokens_BHWD, teacher.tokens_BHWD, options.softness)


@register.loss(
    "cwd",
    title=("Channel-wise distribution of class maps (CWD)", "类别图的逐通道分布（CWD）"),
    role="soft",
    needs={"logits"},
    options=CWDOptions,
    kinds={"segmentation"},
    zero_at_teacher=True,
    dense=True,
    zh="每个类别在各位置上分布的 KL，乘以 T²，对类别取平均（Shu 等，2021，式 3 与 4）。",
)
def cwd(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: CWDOptions,
) -> Tensor:
    """KL of each class's distribution over places, times T², mean (Shu et al. 2021, eq. 3 and 4).

    arXiv 2011.13256: T = 4 and a weight of 3 on the class map. It asks where a class is likeliest,
    not which class is likeliest at a place, as KL over the classes does.
    """
    assert student.class_map_BHWK is not None
    assert teacher.class_map_BHWK is not None
    return _divergence(student.class_map_BHWK, teacher.class_map_BHWK, options.softness)


def _divergence(student_BHWD: Tensor, teacher_BHWD: Tensor, temperature: float) -> Tensor:
    student_BHWD, teacher_BHWD = matched(student_BHWD, teacher_BHWD)
    student_BND, teacher_BND = student_BHWD.flatten(1, 2), teacher_BHWD.flatten(1, 2)
    own_BND = F.log_softmax(student_BND / temperature, dim=1)
    target_BND = F.log_softmax(teacher_BND / temperature, dim=1)
    nats_BD = F.kl_div(own_BND, target_BND, log_target=True, reduction="none").sum(1)
    return nats_BD.mean() * temperature**2
