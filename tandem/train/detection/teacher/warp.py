"""The teacher's tokens, carried to where augmentation has put their pictures.

The teacher has seen each picture once, whole. A cell of the student's neck lies somewhere in one
of the pictures on its canvas: there the tokens are read, between their four neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.detection.types import CanvasSource
from tandem.train.grids import read_between


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
        return read_between(grids_BSHWD, slots_BS.flatten()[self.source_M], self.uv_M2)


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
