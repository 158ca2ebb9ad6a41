"""Dense features compared by their correlation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tandem.train.grids import matched
from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


@register.loss(
    "feature_pkd",
    title=("Pearson correlation", "皮尔逊相关"),
    role="feature",
    needs={"tokens"},
    projects={"tokens"},
    zero_at_teacher=True,
    pairwise=True,
    zh="每个通道在整批所有格上的 1 减皮尔逊相关系数，取平均（Cao 等，2022，PKD）。",
)
def feature_pkd(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,  # noqa: ARG001
    options: Options,  # noqa: ARG001
) -> Tensor:
    """1 - Pearson's r of each channel over all cells of the batch, mean (Cao et al. 2022, PKD).

    How large a channel is does not count, only where it is high and where low: half the squared
    difference of the standardised maps, eq. 4.
    """
    assert student.tokens_BHWD is not None
    assert teacher.tokens_BHWD is not None
    student_BHWD, teacher_BHWD = matched(student.tokens_BHWD, teacher.tokens_BHWD)
    return F.mse_loss(_standardised(student_BHWD), _standardised(teacher_BHWD)) / 2


def _standardised(tokens_BHWD: Tensor) -> Tensor:
    """Mean 0 and deviation 1 of each channel; a channel that is constant becomes 0."""
    centred_BHWD = tokens_BHWD - tokens_BHWD.mean((0, 1, 2))
    variance_D = centred_BHWD.square().mean((0, 1, 2)).clamp_min(1e-12)
    return centred_BHWD * variance_D.rsqrt()
