"""Dense features compared by their correlation."""

from __future__ import annotations

from torch import Tensor

from tandem.train.grids import LEAST_WEIGHT, matched, weight_on
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
    batch: Batch,
    options: Options,  # noqa: ARG001
) -> Tensor:
    """1 - Pearson's r of each channel over all cells of the batch, mean (Cao et al. 2022, PKD).

    How large a channel is does not count, only where it is high and where low: half the squared
    difference of the standardised maps, eq. 4.
    """
    assert student.tokens_BHWD is not None
    assert teacher.tokens_BHWD is not None
    student_BHWD, teacher_BHWD = matched(student.tokens_BHWD, teacher.tokens_BHWD)
    weight_BHW = weight_on(batch.cell_weight_BHW, *student_BHWD.shape[1:3])
    one = _standardised(student_BHWD, weight_BHW)
    other = _standardised(teacher_BHWD, weight_BHW)
    return _mean((one - other).square(), weight_BHW).mean() / 2


def _standardised(tokens_BHWD: Tensor, weight_BHW: Tensor | None) -> Tensor:
    """Mean 0 and deviation 1 of each channel; a channel that is constant becomes 0."""
    centred_BHWD = tokens_BHWD - _mean(tokens_BHWD, weight_BHW)
    variance_D = _mean(centred_BHWD.square(), weight_BHW).clamp_min(1e-12)
    return centred_BHWD * variance_D.rsqrt()


def _mean(value_BHWD: Tensor, weight_BHW: Tensor | None) -> Tensor:
    """(D,) over all cells of the batch, by what each of them counts."""
    if weight_BHW is None:
        return value_BHWD.mean((0, 1, 2))
    total = weight_BHW.sum().clamp_min(LEAST_WEIGHT)
    return (value_BHWD * weight_BHW[..., None]).sum((0, 1, 2)) / total
