"""Bringing two dense grids to one size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

LEAST_WEIGHT = 1e-6
"""Where nothing counts, what is divided by."""


def pool_to(tokens_BHWD: Tensor, rows: int, columns: int) -> Tensor:
    """The mean of each cell of a coarser grid; untouched where it is that grid already."""
    if tokens_BHWD.shape[1:3] == (rows, columns):
        return tokens_BHWD
    pooled_BDHW = F.adaptive_avg_pool2d(tokens_BHWD.permute(0, 3, 1, 2), (rows, columns))
    return pooled_BDHW.permute(0, 2, 3, 1)


def cell_mean(value_BHW: Tensor, weight_BHW: Tensor | None) -> Tensor:
    """The mean over the images of each one's mean over its cells, by `Batch.cell_weight_BHW`.

    Image by image, so that it does not depend on how a batch is cut.
    """
    weight_BHW = weight_on(weight_BHW, value_BHW.shape[1], value_BHW.shape[2])
    if weight_BHW is None:
        return value_BHW.mean()
    total_B = weight_BHW.sum((1, 2)).clamp_min(LEAST_WEIGHT)
    return ((value_BHW * weight_BHW).sum((1, 2)) / total_B).mean()


def weight_on(weight_BHW: Tensor | None, rows: int, columns: int) -> Tensor | None:
    """The weights of cells on a coarser grid, float32; None where all count alike."""
    if weight_BHW is None:
        return None
    return pool_to(weight_BHW.float().unsqueeze(-1), rows, columns).squeeze(-1)


def matched(one_BHWD: Tensor, other_BHWD: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float32 on the coarser of their grids."""
    rows, columns = (min(one_BHWD.shape[i], other_BHWD.shape[i]) for i in (1, 2))
    return pool_to(one_BHWD.float(), rows, columns), pool_to(other_BHWD.float(), rows, columns)
