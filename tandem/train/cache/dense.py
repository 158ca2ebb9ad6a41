"""Any view of a picture from one look of the teacher at the whole of it.

A crop's tokens are read between those of the whole picture, where its cells lie. A linear probe's
scores of the crop are then the mean of the class map under it, as the probe is linear in the mean
of the tokens (FKD, Shen & Xing 2022, keeps soft labels of crops that were asked for one by one;
here none is asked for). Colours are not followed: the teacher's word is about the true ones.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.spec.run import ViewSpec
from tandem.train.cache.sources import CachedSource
from tandem.train.data.augment import Views
from tandem.train.grids import read_between
from tandem.train.types import ImageTable, RowIndices, Signals

FEWEST_CELLS = 7
"""A side: with fewer, cells are larger than what crops differ in."""
WHOLE = ViewSpec(count=1, crop_scale_min=1, flip="off", colour=0)


def whole_views(table: ImageTable) -> Views:
    """Each picture whole and untouched; equal for all settings of views, as is their cache."""
    return Views.draw(table, WHOLE)


class DenseSource:
    """Answers any view number from the cached signals of whole pictures."""

    def __init__(self, whole: CachedSource, views: Views) -> None:
        """`whole` keeps view 0 with its tokens; `views` says what part of it each view shows."""
        self.whole, self.views = whole, views
        self.tokens_width, self.layer_widths = whole.tokens_width, whole.layer_widths
        self.reduction = whole.reduction
        self.teacher_forwards = whole.teacher_forwards

    def pooled_ND(self, view: int = 0) -> NDArray[np.float32]:
        """(N, D): pooled features of every whole picture; `view` is 0."""
        return self.whole.pooled_ND(view)

    def signals(self, index_B: RowIndices, view_B: RowIndices) -> Signals:
        """The signals of these rows in these views, float32 on the source's device.

        Class scores that the teacher gave by itself stay those of the whole picture.
        """
        # Several crops of one picture stand in a batch: it is read once.
        rows_U, slot_B = np.unique(index_B, return_inverse=True)
        seen = self.whole.signals(rows_U, np.zeros_like(rows_U))
        slots_B = torch.from_numpy(slot_B).to(self.whole.device)
        if not view_B.any():
            return picked(seen, slots_B)
        return self._cropped(seen, slots_B, self.views.params(index_B, view_B))

    def _cropped(self, seen: Signals, slots_B: Tensor, params_B: NDArray[np.void]) -> Signals:
        assert seen.tokens_BHWD is not None, "a dense pass keeps tokens"
        assert seen.pooled_BD is not None
        assert self.reduction is not None
        tokens_BHWD = crop(seen.tokens_BHWD, slots_B, params_B)
        # The mean moves by as much as the tokens' does: exact where all components are kept, and a
        # probe's head of the fold that left the picture out can be put on it as on any other.
        moved_BR = tokens_BHWD.mean((1, 2)) - seen.tokens_BHWD.mean((1, 2))[slots_B]
        return replace(
            picked(seen, slots_B),
            pooled_BD=seen.pooled_BD[slots_B] + self.reduction.lift(moved_BR),
            tokens_BHWD=tokens_BHWD,
            layers_BHWD=tuple(crop(one, slots_B, params_B) for one in seen.layers_BHWD),
        )


def picked(signals: Signals, rows_B: Tensor) -> Signals:
    """The signals of some rows of a batch, in this order; rows may repeat."""

    def some(x: Tensor | None) -> Tensor | None:
        return None if x is None else x[rows_B]

    return replace(
        signals,
        pooled_BD=some(signals.pooled_BD),
        tokens_BHWD=some(signals.tokens_BHWD),
        logits_BK=some(signals.logits_BK),
        layers_BHWD=tuple(one[rows_B] for one in signals.layers_BHWD),
    )


def crop(grids_UHWD: Tensor, slots_B: Tensor, params_B: NDArray[np.void]) -> Tensor:
    """(B, H, W, D): the grids of views, each read from its picture's grid of the same size.

    `slots_B` says which of the grids is a view's; `params_B` are `augment.PARAMS`.
    """
    rows, columns = grids_UHWD.shape[1:3]
    uv_BHW2 = view_places(params_B, rows, columns).to(grids_UHWD.device)
    slot_M = slots_B.repeat_interleave(rows * columns)
    read_MD = read_between(grids_UHWD, slot_M, uv_BHW2.reshape(-1, 2))
    return read_MD.reshape(len(slots_B), rows, columns, -1)


def view_places(params_B: NDArray[np.void], rows: int, columns: int) -> Tensor:
    """(B, rows, columns, 2): where the centres of a view's cells lie in its picture, 0 to 1."""
    u_W = (np.arange(columns) + 0.5) / columns
    v_H = (np.arange(rows) + 0.5) / rows
    mirrored_BW = np.where(params_B["flip"][:, None], 1 - u_W, u_W)
    u_BW = params_B["left"][:, None] + params_B["width"][:, None] * mirrored_BW
    v_BH = params_B["top"][:, None] + params_B["height"][:, None] * v_H
    shape = (len(params_B), rows, columns)
    places = np.stack(
        (np.broadcast_to(u_BW[:, None], shape), np.broadcast_to(v_BH[..., None], shape)), -1
    )
    return torch.from_numpy(places.astype(np.float32))
