"""The teacher's tokens, carried to where augmentation has put their pictures.

The teacher has seen each picture once, whole. A cell of the student's neck lies somewhere in one
of the pictures on its canvas: there the tokens are read, between their four neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.detection.types import CanvasSource


@dataclass(frozen=True)
class Canvases:
    """A batch's sources, at most S on a canvas."""

    rows_BS: NDArray[np.int64]
    """Rows of the train split; -1 where there is no further source."""
    inverse_BS23: Tensor
    """From canvas pixels (x, y, 1) to (u, v) of the source."""
    seen_BS4: Tensor

    @classmethod
    def of(cls, sources: Sequence[Sequence[CanvasSource]], device: torch.device) -> Canvases:
        """One list for each canvas."""
        most = max(len(one) for one in sources)
        shape = (len(sources), most)
        rows_BS = np.full(shape, -1, np.int64)
        inverse = np.zeros((*shape, 2, 3), np.float32)
        seen = np.tile(np.array([2, 2, -1, -1], np.float32), (*shape, 1))  # nothing is inside
        for canvas, placed in enumerate(sources):
            for number, one in enumerate(placed):
                rows_BS[canvas, number] = one.row
                # Inverted here in float64, once for each source; only then float32.
                inverse[canvas, number] = np.linalg.inv(one.matrix)[:2]
                seen[canvas, number] = one.seen
        return cls(rows_BS, torch.from_numpy(inverse).to(device), torch.from_numpy(seen).to(device))


@dataclass(frozen=True)
class CellSamples:
    """Where the M covered cells of one scale lie in the sources."""

    covered_BHW: Tensor
    source_M: Tensor
    """canvas * S + number of the source."""
    uv_M2: Tensor

    def read(self, grids_BSHWD: Tensor, slots_BS: Tensor) -> Tensor:
        """(M, D) between the tokens of `grids` (U, H, W, D); `slots` (B, S) says whose is which."""
        count, rows, columns, width = grids_BSHWD.shape
        slot_M = slots_BS.flatten()[self.source_M]
        x0, x1, right = _neighbours(self.uv_M2[:, 0], columns)
        y0, y1, lower = _neighbours(self.uv_M2[:, 1], rows)
        corners = ((y0, x0), (y0, x1), (y1, x0), (y1, x1))
        # A bilinear read of M scattered places as one weighted sum of rows: `grid_sample` would
        # want a grid per source, and read all of it.
        index_M4 = torch.stack([(slot_M * rows + y) * columns + x for y, x in corners], 1)
        upper, left = 1 - lower, 1 - right
        weight_M4 = torch.stack((upper * left, upper * right, lower * left, lower * right), 1)
        flat_ND = grids_BSHWD.reshape(count * rows * columns, width).float()
        return F.embedding_bag(index_M4, flat_ND, per_sample_weights=weight_M4, mode="sum")


def cell_samples(canvases: Canvases, rows: int, columns: int, stride: int) -> CellSamples:
    """The cells of one of the neck's maps. A cell belongs to the image at its centre."""
    device = canvases.seen_BS4.device
    # The centre of a cell in OpenCV's pixels, whose own centres are whole numbers.
    y_H = (torch.arange(rows, device=device) + 0.5) * stride - 0.5
    x_W = (torch.arange(columns, device=device) + 0.5) * stride - 0.5
    y_HW, x_HW = torch.meshgrid(y_H, x_W, indexing="ij")
    points_P3 = torch.stack((x_HW, y_HW, torch.ones_like(x_HW)), -1).flatten(0, 1)
    uv_BSP2 = torch.einsum("bsij,pj->bspi", canvases.inverse_BS23, points_P3)
    least, most = canvases.seen_BS4[:, :, None, :2], canvases.seen_BS4[:, :, None, 2:]
    inside_BSP = ((uv_BSP2 >= least) & (uv_BSP2 < most)).all(-1)
    covered_BP = inside_BSP.any(1)
    # A mosaic's pieces do not overlap, so the first that holds a cell is the only one.
    owner_BP = inside_BSP.int().argmax(1)
    uv_BP2 = uv_BSP2.gather(1, owner_BP[:, None, :, None].expand(-1, 1, -1, 2))[:, 0]
    first_B = torch.arange(len(owner_BP), device=device) * inside_BSP.shape[1]
    return CellSamples(
        covered_BP.unflatten(1, (rows, columns)),
        (owner_BP + first_B[:, None])[covered_BP],
        uv_BP2[covered_BP],
    )


def _neighbours(place_M: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The tokens to both sides of a place of 0 to 1, and how near it is to the second."""
    at_M = (place_M * count - 0.5).clamp(0, count - 1)
    first_M = at_M.floor().long()
    return first_M, (first_M + 1).clamp_max(count - 1), at_M - first_M
