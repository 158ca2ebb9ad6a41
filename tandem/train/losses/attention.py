"""Where the two look, whatever they call what they see."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tandem.spec.errors import SpecError
from tandem.train.grids import matched, weight_on
from tandem.train.registry import register
from tandem.train.types import Batch, Options, Signals, StepOutput


@register.loss(
    "attention",
    role="attention",
    needs={"tokens"},
    zero_at_teacher=True,
    zh="注意力图之间的平方距离（Zagoruyko and Komodakis 2017，式 2，p = 2）。",
)
def attention(
    student: StepOutput,
    teacher: Signals,
    batch: Batch,
    options: Options,  # noqa: ARG001
) -> Tensor:
    """Squared distance of the attention maps (Zagoruyko and Komodakis 2017, eq. 2, p = 2).

    A cell's attention is the sum of its squared channels, each map of length one. Widths need not
    agree, so nothing is projected. Teacher tokens reduced by PCA are centred: their map says how
    far a cell lies from the mean cell. A grid of one cell always agrees: SpecError.
    """
    assert student.tokens_BHWD is not None
    assert teacher.tokens_BHWD is not None
    student_BHWD, teacher_BHWD = matched(student.tokens_BHWD, teacher.tokens_BHWD)
    if student_BHWD.shape[1:3].numel() == 1:
        raise SpecError(
            "Attention transfer needs a grid of features of 2 x 2 or more; here it is 1 x 1.",
            fix="Set data.image_size to 64 or more, or loss.attention_weight to 0.",
        )
    weight_BHW = weight_on(batch.cell_weight_BHW, *student_BHWD.shape[1:3])
    maps = (_map(student_BHWD, weight_BHW), _map(teacher_BHWD, weight_BHW))
    return (maps[0] - maps[1]).square().sum(dim=-1).mean()


def _map(tokens_BHWD: Tensor, weight_BHW: Tensor | None) -> Tensor:
    """(B, H·W), each row of length one."""
    map_BHW = tokens_BHWD.square().mean(dim=-1)
    if weight_BHW is not None:
        map_BHW = map_BHW * weight_BHW
    return F.normalize(map_BHW.flatten(1), dim=-1)
