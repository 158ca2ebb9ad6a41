"""Hidden layers taught by hidden layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tandem.train.grids import cell_mean, matched
from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


class IntermediateOptions(Options):
    mse_weight: float = Field(1.0, ge=0, description="The weight of the squared difference.")
    cosine_weight: float = Field(0.0, ge=0, description="The weight of one minus the cosine.")


@register.loss(
    "intermediate",
    role="intermediate",
    needs={"layers"},
    projects={"layers"},
    options=IntermediateOptions,
    zero_at_teacher=True,
    zh="各对中间层的平均，依次配对（Romero et al. 2015；Ji et al. 2021）。",
)
def intermediate(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,
    options: IntermediateOptions,
) -> Tensor:
    """Mean over the pairs of layers, first with first (Romero et al. 2015; Ji et al. 2021).

    On grids that differ the finer is pooled to the coarser. Raises ValueError where the two sides
    have different numbers of layers.
    """
    pairs = zip(student.layers_BHWD, teacher.layers_BHWD, strict=True)
    distances = [_distance_BHW(one, other, options) for one, other in pairs]
    return torch.stack([cell_mean(one, batch.cell_weight_BHW) for one in distances]).mean()


def _distance_BHW(
    student_BHWD: Tensor, teacher_BHWD: Tensor, options: IntermediateOptions
) -> Tensor:
    one, other = matched(student_BHWD, teacher_BHWD)
    squared_BHW = F.mse_loss(one, other, reduction="none").mean(-1)
    angle_BHW = 1 - F.cosine_similarity(one, other, dim=-1)
    return options.mse_weight * squared_BHW + options.cosine_weight * angle_BHW
