"""Mixup and cutmix of a batch and of the teacher's signals on it, alike.

One draw a batch, a pure function of (seed, epoch, step). Each row's partner is a row of the same
batch as it lies on this device, so that processes need not talk. A batch is mixed after the cache
was read: the teacher's word for the mixed picture is the mixture of its words for the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tandem.spec.run import ViewSpec
from tandem.train.types import UNLABELLED, Batch, Signals


@dataclass(frozen=True)
class Mix:
    """How one batch is mixed."""

    keep: float
    """The share of each picture that is its own; the rest is its partner's."""
    partner_B: Tensor
    """int64 rows of the same batch."""
    box: tuple[float, float, float, float] | None
    """Cutmix: top, left, bottom, right of what the partner gives, 0 to 1. None: mixup."""


def draw(
    views: ViewSpec, rows: int, image_size: int, *, seed: int, epoch: int, step: int
) -> Mix | None:
    """The mix of one batch; None where neither is on, or there is no second row.

    Mixup: Zhang et al. 2018. Cutmix: Yun et al. 2019. With both on, a coin decides for the batch.
    """
    if rows < 2 or (views.mixup == 0 and views.cutmix == 0):
        return None
    # A stream of its own: mixing on or off changes nothing else that is drawn.
    chance = np.random.default_rng([seed, epoch, step])
    heads = bool(chance.random() < 0.5)
    cut = views.cutmix > 0 and (views.mixup == 0 or heads)
    alpha = views.cutmix if cut else views.mixup
    keep = float(chance.beta(alpha, alpha))
    partner_B = torch.from_numpy(chance.permutation(rows))
    if not cut:
        return Mix(keep, partner_B, None)
    top, left, bottom, right = _box(chance, keep, image_size)
    # The border may have cut the box, so the share is what it covers, not what was drawn.
    return Mix(1 - (bottom - top) * (right - left), partner_B, (top, left, bottom, right))


def mix_batch(batch: Batch, mix: Mix, num_classes: int) -> Batch:
    """The mixed pictures and `label_BK`, each row's labels by the shares of its two pictures.

    An unlabelled picture gives no label: a row sums to the labelled share that it holds, and to 0
    where neither has a label. `labels_B`, `index_B` and `view_B` stay those of the row's own.
    """
    labels_BK = batch.label_BK
    if labels_BK is None:
        labels_BK = F.one_hot(batch.labels_B.clamp_min(0), num_classes).float()
        labels_BK = labels_BK * (batch.labels_B != UNLABELLED)[:, None]
    images_BHWC = _dense(batch.inputs.permute(0, 2, 3, 1), mix)
    return replace(
        batch,
        inputs=images_BHWC.permute(0, 3, 1, 2).contiguous(),
        label_BK=_linear(labels_BK, mix),
        labelled_B=None if batch.labelled_B is None else _either(batch.labelled_B, mix),
    )


def mix_signals(signals: Signals, mix: Mix) -> Signals:
    """What the teacher says of the mixed pictures, as far as two answers tell.

    Class scores: the log of the mixed probabilities. Pooled: linear. Dense parts: linear for
    mixup; for cutmix each cell by the share of it that the box covers.
    """
    return Signals(
        pooled_BD=None if signals.pooled_BD is None else _linear(signals.pooled_BD, mix),
        tokens_BHWD=None if signals.tokens_BHWD is None else _dense(signals.tokens_BHWD, mix),
        logits_BK=None if signals.logits_BK is None else _log_mean(signals.logits_BK, mix),
        class_map_BHWK=(
            None if signals.class_map_BHWK is None else _dense(signals.class_map_BHWK, mix)
        ),
        layers_BHWD=tuple(_dense(layer, mix) for layer in signals.layers_BHWD),
    )


def labelled_rows(batch: Batch) -> Tensor:
    """(B,) bool, on the CPU: the rows with any label, after mixing too."""
    if batch.labelled_B is not None:
        return batch.labelled_B
    if batch.label_BK is not None:
        return (batch.label_BK.sum(dim=1) > 0).cpu()
    return (batch.labels_B != UNLABELLED).cpu()


def _box(chance: np.random.Generator, keep: float, size: int) -> tuple[float, float, float, float]:
    """On whole pixels, its area about 1 - keep where the border does not cut it."""
    half = np.sqrt(1 - keep) * size / 2
    row, column = chance.random(2) * size
    edges = np.array([row - half, column - half, row + half, column + half])
    top, left, bottom, right = (np.clip(edges.round(), 0, size) / size).tolist()
    return top, left, bottom, right


def _either(labelled_B: Tensor, mix: Mix) -> Tensor:
    """The rows where a picture that is mixed in has a label."""
    return (labelled_B & (mix.keep > 0)) | (labelled_B[mix.partner_B] & (mix.keep < 1))


def _linear(x: Tensor, mix: Mix) -> Tensor:
    return torch.lerp(x[mix.partner_B.to(x.device, non_blocking=True)], x, mix.keep)


def _log_mean(logits_BK: Tensor, mix: Mix) -> Tensor:
    # In logarithms: what a sure teacher leaves for the other classes underflows as a probability.
    own_BK = F.log_softmax(logits_BK, dim=-1)
    other_BK = own_BK[mix.partner_B.to(logits_BK.device, non_blocking=True)]
    keep = own_BK.new_full((), mix.keep)
    return torch.logaddexp(own_BK + keep.log(), other_BK + (1 - keep).log())


def _dense(x_BHWD: Tensor, mix: Mix) -> Tensor:
    if mix.box is None:
        return _linear(x_BHWD, mix)
    top, left, bottom, right = mix.box
    rows_H = _covered(x_BHWD.shape[1], top, bottom)
    columns_W = _covered(x_BHWD.shape[2], left, right)
    share_HW1 = torch.outer(rows_H, columns_W)[..., None].to(x_BHWD)
    return torch.lerp(x_BHWD, x_BHWD[mix.partner_B.to(x_BHWD.device, non_blocking=True)], share_HW1)


def _covered(cells: int, start: float, end: float) -> Tensor:
    """The share of each cell of a line of 0 to 1 that lies between start and end."""
    edges = torch.arange(cells + 1, dtype=torch.float64) / cells
    inside = edges.clamp(start, end)
    return (inside[1:] - inside[:-1]) * cells
