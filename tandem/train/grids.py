"""Bringing two dense grids to one size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pool_to(tokens_BHWD: Tensor, rows: int, columns: int) -> Tensor:
    """The mean of each cell of a coarser grid; untouched where it is that grid already."""
    if tokens_BHWD.shape[1:3] == (rows, columns):
        return tokens_BHWD
    pooled_BDHW = F.adaptive_avg_pool2d(tokens_BHWD.permute(0, 3, 1, 2), (rows, columns))
    return pooled_BDHW.permute(0, 2, 3, 1)


def matched(one_BHWD: Tensor, other_BHWD: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float32 on the coarser of their grids."""
    rows, columns = (min(one_BHWD.shape[i], other_BHWD.shape[i]) for i in (1, 2))
    return pool_to(one_BHWD.float(), rows, columns), pool_to(other_BHWD.float(), rows, columns)
