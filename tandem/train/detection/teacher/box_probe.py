"""What lies under each of the teacher's tokens: a linear probe on tokens in boxes and outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.data.boxes import DetectionTable
from tandem.train.knowledge.probe import Probe
from tandem.train.types import RowIndices, SignalSource

MOST_TOKENS = 20_000
"""More make the fit slower and no better: neighbouring tokens say the same."""
CHUNK = 64


@dataclass(frozen=True)
class BoxProbe:
    """`Probe` with tokens for samples and one class more, the background, which comes last."""

    probe: Probe
    fold_N: RowIndices
    """The fold that left a picture out; the last head's number where nobody looked."""

    def shares(self, tokens_BHWD: Tensor, rows_B: RowIndices | None) -> Tensor:
        """(B, H, W, K): how likely each class is; what lacks to 1 is background.

        `rows_B` None: what is shown is no picture of the split, the head fitted on all answers.
        """
        weight_FKD = self.probe.weight_FKD.to(tokens_BHWD.device)
        bias_FK = self.probe.bias_FK.to(tokens_BHWD.device)
        last = np.full(len(tokens_BHWD), len(weight_FKD) - 1)
        # Each image by the head that was not fitted on it: what a head says of what it has learnt
        # is its labels again, from which a student learns no more than from the labels.
        fold_B = torch.from_numpy(last if rows_B is None else self.fold_N[rows_B])
        fold_B = fold_B.to(tokens_BHWD.device)
        scores_BHWK = torch.einsum("bhwd,bkd->bhwk", tokens_BHWD.float(), weight_FKD[fold_B])
        scores_BHWK = (scores_BHWK + bias_FK[fold_B][:, None, None]) / self.probe.temperature
        # The background, the last class, is left out: what lacks to 1 says it.
        return scores_BHWK.softmax(-1)[..., :-1]


def fit(
    source: SignalSource, split: DetectionTable, *, folds: int, seed: int, calibrate: bool
) -> BoxProbe:
    """On the whole pictures that somebody looked at; a picture's tokens are all in one fold."""
    rows = np.array([row for row in range(len(split)) if split.labelled(row)], np.int64)
    folds = max(min(folds, len(rows)), 2)  # a fold needs an image, and a fit another one
    tokens, labels, images = _samples(source, split, rows, seed)
    # Folds of whole images: neighbouring tokens say nearly the same, so a held-out token would
    # still have been seen next door and the probe be sure of itself for nothing.
    order = np.random.default_rng([seed, 11]).permutation(len(rows))
    fold_n = np.empty(len(rows), np.int64)
    fold_n[order] = np.arange(len(rows)) % folds
    probe = Probe.fit(
        tokens,
        labels,
        num_classes=len(split.classes) + 1,
        folds=folds,
        seed=seed,
        calibrate=calibrate,
        fold_n=fold_n[images],
    )
    fold_N = np.full(len(split), folds, np.int64)
    fold_N[rows] = fold_n
    return BoxProbe(probe, fold_N)


def _samples(
    source: SignalSource, split: DetectionTable, rows: RowIndices, seed: int
) -> tuple[NDArray[np.float32], RowIndices, RowIndices]:
    """Tokens, the class of each, and the place among `rows` of the picture it is from."""
    random = np.random.default_rng([seed, 12])
    # As many of each image, so that one with few boxes is not lost among large ones.
    each = max(1, MOST_TOKENS // len(rows))
    tokens, labels, images = [], [], []
    for at in range(0, len(rows), CHUNK):
        some = rows[at : at + CHUNK]
        tokens_BHWD = source.signals(some, np.zeros_like(some)).tokens_BHWD
        assert tokens_BHWD is not None, "tokens are among what the run wants"
        tokens_BHWD = tokens_BHWD.float().cpu()
        for place, row in enumerate(some.tolist()):
            cells = cell_labels(split, row, tokens_BHWD.shape[1], tokens_BHWD.shape[2]).flatten()
            picked = random.permutation(len(cells))[:each]
            tokens.append(tokens_BHWD[place].flatten(0, 1)[picked].numpy())
            labels.append(cells[picked])
            images.append(np.full(len(picked), at + place, np.int64))
    return np.concatenate(tokens), np.concatenate(labels), np.concatenate(images)


def cell_labels(split: DetectionTable, row: int, rows: int, columns: int) -> RowIndices:
    """(rows, columns): the class of the smallest box over each cell's centre, K where none is."""
    height, width = split.size(row)
    cells = np.full((rows, columns), len(split.classes), np.int64)
    y_H1 = ((np.arange(rows) + 0.5) * height / rows)[:, None]
    x_1W = ((np.arange(columns) + 0.5) * width / columns)[None]
    boxes, labels = split.boxes_N4(row), split.labels_N(row)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    # The largest first, so that smaller ones are drawn over it.
    for number in np.argsort(-areas, kind="stable"):
        left, top, right, bottom = boxes[number]
        inside = (x_1W >= left) & (x_1W < right) & (y_H1 >= top) & (y_H1 < bottom)
        cells[inside] = int(labels[number])
    return cells
