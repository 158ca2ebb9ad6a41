"""What a teacher that sees says of each batch: its tokens and class shares, cell by cell.

Two ways to the same `TeacherTargets`: read from the cache and warped (`CachedTargets`), or asked
anew about each augmented canvas (`OnlineTargets`).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.cache import OnlineSource
from tandem.train.detection.data.geometry import whole_canvas
from tandem.train.detection.student import STRIDES
from tandem.train.detection.teacher.box_probe import BoxProbe
from tandem.train.detection.teacher.warp import Canvases, cell_samples
from tandem.train.detection.types import DetectionBatch, DetectionLossWeights, TeacherTargets
from tandem.train.types import SignalSource

FINEST = 16
"""Pixels of a cell in which features are compared. A teacher's tokens are seldom finer, and the
student's P3, pooled to it, costs a quarter."""


class CachedTargets:
    """Tokens of whole pictures, warped as the batch's pictures were."""

    def __init__(
        self,
        source: SignalSource,
        probe: BoxProbe | None,
        weights: DetectionLossWeights,
        strides: tuple[int, ...] = STRIDES,
    ) -> None:
        self.source, self.probe, self.weights = source, probe, weights
        self.strides = strides

    def __call__(self, batch: DetectionBatch) -> TeacherTargets:
        # Ultralytics asks within its autocast. bf16 keeps 8 bits: places of up to 640 pixels would
        # be rounded to 4 of them, and the tokens read a cell off.
        with torch.autocast(batch["img"].device.type, enabled=False):
            return self._warped(batch)

    def _warped(self, batch: DetectionBatch) -> TeacherTargets:
        images_BCHW = batch["img"]
        canvases = Canvases.of(batch["sources"], images_BCHW.device)
        # Mosaics show the same images again and again: each is read from the cache once a batch.
        rows_U, slots = np.unique(canvases.rows_BS, return_inverse=True)
        slots_BS = slots.reshape(canvases.rows_BS.shape)
        if rows_U[0] < 0:
            # -1 pads canvases of fewer sources, and sorts first. No cell ever lies in one, so that
            # any slot will do for them.
            rows_U, slots_BS = rows_U[1:], np.maximum(slots_BS - 1, 0)
        tokens_UHWD = self.source.signals(rows_U, np.zeros_like(rows_U)).tokens_BHWD
        assert tokens_UHWD is not None, "tokens are among what the run wants"
        shares_UHWK = self.probe.shares(tokens_UHWD, rows_U) if self.probe else None
        return place_targets(
            canvases,
            slots_BS,
            tokens_UHWD,
            shares_UHWK,
            tuple(images_BCHW.shape[-2:]),
            self.weights,
            self.strides,
        )


class OnlineTargets:
    """The teacher looks at the augmented canvases themselves: colours and all, at its full cost."""

    def __init__(
        self,
        source: OnlineSource,
        probe: BoxProbe | None,
        weights: DetectionLossWeights,
        strides: tuple[int, ...] = STRIDES,
    ) -> None:
        self.source, self.probe, self.weights = source, probe, weights
        self.strides = strides

    def __call__(self, batch: DetectionBatch) -> TeacherTargets:
        with torch.autocast(batch["img"].device.type, enabled=False):  # as in CachedTargets
            return self._asked(batch)

    def _asked(self, batch: DetectionBatch) -> TeacherTargets:
        images_BCHW = batch["img"]
        side = self.source.calls.teacher.image_size
        with torch.no_grad():
            resized_BCHW = F.interpolate(images_BCHW, (side, side), mode="bilinear", antialias=True)
            # Antialiasing's negative lobes leave 0 to 1 at hard edges, such as a mosaic's seams.
            tokens_BHWD = self.source.tokens_of(resized_BCHW.clamp(0, 1))
        # A mosaic is no image of the split, so no fold has left it out: the probe's last head.
        shares_BHWK = self.probe.shares(tokens_BHWD, None) if self.probe else None
        rows, columns = images_BCHW.shape[-2:]
        alone = [[whole_canvas(number, rows, columns)] for number in range(len(images_BCHW))]
        canvases = Canvases.of(alone, images_BCHW.device)
        return place_targets(
            canvases,
            canvases.rows_BS,
            tokens_BHWD,
            shares_BHWK,
            (rows, columns),
            self.weights,
            self.strides,
        )


def place_targets(
    canvases: Canvases,
    slots_BS: NDArray[np.int64],
    tokens_UHWD: Tensor,
    shares_UHWK: Tensor | None,
    size: tuple[int, ...],
    weights: DetectionLossWeights,
    strides: tuple[int, ...] = STRIDES,
) -> TeacherTargets:
    """Tokens and class shares of whole pictures at the cells of the neck's maps.

    `slots_BS` says which of `tokens_UHWD` each source of a canvas is; `size` is the canvas's
    (rows, columns) in pixels.
    """
    slots = torch.from_numpy(slots_BS).to(tokens_UHWD.device)
    tokens, covered, classes = [], [], []
    for stride in strides:
        cells = cell_samples(canvases, size[0] // stride, size[1] // stride, stride)
        if shares_UHWK is not None:
            shares_MK = cells.read(shares_UHWK, slots)
            # Margins and cells between sources stay 0: background, in which no class is taught.
            map_BHWK = shares_MK.new_zeros(*cells.covered_BHW.shape, shares_MK.shape[1])
            map_BHWK[cells.covered_BHW] = shares_MK
            classes.append(map_BHWK.flatten(1, 2))
        if weights.feature:
            if stride < FINEST:
                cells = cell_samples(canvases, size[0] // FINEST, size[1] // FINEST, FINEST)
            covered.append(cells.covered_BHW)
            tokens.append(cells.read(tokens_UHWD, slots))
    # The head lists its anchors P3, P4, P5, each in raster order: so do these.
    classes_BAK = torch.cat(classes, 1) if classes else None
    return TeacherTargets(tuple(tokens), tuple(covered), classes_BAK, "class")
