"""Dense features: the student's, projected to the teacher's width, cell by cell."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tandem.train.grids import cell_mean, matched
from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


def _tokens(student: StepOutput, teacher: Signals) -> tuple[Tensor, Tensor]:
    assert student.tokens_BHWD is not None
    assert teacher.tokens_BHWD is not None
    return matched(student.tokens_BHWD, teacher.tokens_BHWD)


@register.loss(
    "feature_mse",
    title=("Mean squared error", "均方误差"),
    role="feature",
    needs={"tokens"},
    projects={"tokens"},
    zero_at_teacher=True,
    zh="各位置、各通道的均方差（Romero et al. 2015，FitNets，式 3）。",
)
def feature_mse(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,
    options: Options,  # noqa: ARG001
) -> Tensor:
    """Mean squared difference over cells and channels (Romero et al. 2015, FitNets, eq. 3).

    On grids that differ the finer is pooled to the coarser.
    """
    squared_BHWD = F.mse_loss(*_tokens(student, teacher), reduction="none")
    return cell_mean(squared_BHWD.mean(-1), batch.cell_weight_BHW)


@register.loss(
    "feature_cosine",
    title=("Cosine distance", "余弦距离"),
    role="feature",
    needs={"tokens"},
    projects={"tokens"},
    zero_at_teacher=True,
    zh="1 减去每个位置上两个向量的余弦，在整个特征图上平均。",
)
def feature_cosine(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,
    options: Options,  # noqa: ARG001
) -> Tensor:
    """One minus the cosine of each cell's two vectors, mean over the grid."""
    student_BHWD, teacher_BHWD = _tokens(student, teacher)
    distance_BHW = 1 - F.cosine_similarity(student_BHWD, teacher_BHWD, dim=-1)
    return cell_mean(distance_BHW, batch.cell_weight_BHW)
