"""Dense grids: brought to one size, and read between their cells."""

from __future__ import annotations

import torch
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


def read_between(grids_UHWD: Tensor, slot_M: Tensor, uv_M2: Tensor) -> Tensor:
    """(M, D) float32: the values of grids at places (u, v), 0 to 1 from the left and the top.

    `slot_M` says whose grid each place lies in. A place is read between its four neighbours, and
    outside the outermost cells' centres at the nearest one.
    """
    count, rows, columns, width = grids_UHWD.shape
    x0, x1, right = _neighbours(uv_M2[:, 0], columns)
    y0, y1, lower = _neighbours(uv_M2[:, 1], rows)
    corners = ((y0, x0), (y0, x1), (y1, x0), (y1, x1))
    # A bilinear read of M scattered places as one weighted sum of rows: `grid_sample` would
    # want a grid per place's source, and read all of it.
    index_M4 = torch.stack([(slot_M * rows + y) * columns + x for y, x in corners], 1)
    upper, left = 1 - lower, 1 - right
    weight_M4 = torch.stack((upper * left, upper * right, lower * left, lower * right), 1)
    flat_ND = grids_UHWD.reshape(count * rows * columns, width).float()
    return F.embedding_bag(index_M4, flat_ND, per_sample_weights=weight_M4, mode="sum")


def _neighbours(place_M: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The cells to both sides of a place of 0 to 1, and how near it is to the second."""
    at_M = (place_M * count - 0.5).clamp(0, count - 1)
    first_M = at_M.floor().long()
    return first_M, (first_M + 1).clamp_max(count - 1), at_M - first_M
