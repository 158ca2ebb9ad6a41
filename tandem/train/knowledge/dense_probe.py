"""A linear probe on single tokens: what class each part of a picture is, from some masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tandem.data.content import IGNORED
from tandem.train.data.masks import MaskTable
from tandem.train.knowledge.probe import Probe
from tandem.train.types import UNLABELLED, Reprojection, RowIndices, Signals, TeacherSource

MOST_TOKENS = 20_000
"""More make the fit slower and no better: neighbouring tokens say the same."""
CHUNK = 64
LEAST_CHANCE = 0.01
"""Between two cells logarithms are interpolated: one far below would eat into its neighbour."""
FINER = 8
"""A mask is looked at so many times finer than the tokens."""


class DenseKnowledge(Protocol):
    """What gives class scores of each token."""

    def dense(self, signals: Signals, fold_B: RowIndices | None) -> Tensor:
        """(B, H, W, K)."""
        ...


class OwnMasks:
    """Knowledge of a teacher whose tokens are its own classes' chances, as a mask model's are."""

    name, temperature = "own", 1.0

    def __init__(self, class_order: tuple[int, ...], reduction: Reprojection | None) -> None:
        """`class_order`: the teacher's number of each class of the run."""
        weight_KK = torch.eye(len(class_order))[list(class_order)]
        self.weight_KD, self.offset_K = weight_KK, torch.zeros(len(class_order))
        if reduction is not None:
            self.weight_KD, self.offset_K = reduction.reproject(weight_KK)

    def dense(self, signals: Signals, fold_B: RowIndices | None) -> Tensor:  # noqa: ARG002
        """The logarithms of the chances; nothing was fitted on these pictures here."""
        tokens_BHWD = signals.tokens_BHWD
        assert tokens_BHWD is not None
        weight_KD = self.weight_KD.to(tokens_BHWD.device)
        chances = tokens_BHWD.float() @ weight_KD.T + self.offset_K.to(tokens_BHWD.device)
        return chances.clamp_min(LEAST_CHANCE).log()

    def logits(self, signals: Signals, fold_B: RowIndices | None) -> Tensor:
        """(B, K): the mean over the picture."""
        return self.dense(signals, fold_B).mean((1, 2))

    def class_map(self, signals: Signals, reduction: Reprojection | None) -> Tensor:  # noqa: ARG002
        """(B, H, W, K)."""
        return self.dense(signals, None)


@dataclass
class DenseProbe:
    """`Probe` with tokens for samples; a picture's tokens are all in one fold."""

    probe: Probe
    fold_N: RowIndices
    """The fold that left a picture out; the last head's number where it has no mask."""
    name: str = "probe"

    @property
    def temperature(self) -> float:
        return self.probe.temperature

    @staticmethod
    def fit(
        source: TeacherSource, table: MaskTable, *, folds: int, seed: int, calibrate: bool
    ) -> DenseProbe:
        """On view 0 of the pictures with a mask. DataError with fewer than two classes in them."""
        rows = np.flatnonzero(table.labels_N != UNLABELLED)
        folds = min(folds, len(rows))
        tokens, labels, image_n = _samples(source, table, rows, seed)
        order = np.random.default_rng([seed, 7]).permutation(len(rows))
        fold_n = np.empty(len(rows), np.int64)
        fold_n[order] = np.arange(len(rows)) % max(folds, 2)
        probe = Probe.fit(
            tokens,
            labels,
            num_classes=len(table.classes),
            folds=max(folds, 2),
            seed=seed,
            calibrate=calibrate,
            fold_n=fold_n[image_n],
        )
        fold_N = np.full(len(table), max(folds, 2), np.int64)
        fold_N[rows] = fold_n
        return DenseProbe(probe, fold_N)

    def dense(self, signals: Signals, fold_B: RowIndices | None) -> Tensor:
        """(B, H, W, K), calibrated; each picture by the head of its fold."""
        tokens_BHWD = signals.tokens_BHWD
        assert tokens_BHWD is not None
        weight_FKD = self.probe.weight_FKD.to(tokens_BHWD.device)
        bias_FK = self.probe.bias_FK.to(tokens_BHWD.device)
        if fold_B is None:
            fold_B = np.full(len(tokens_BHWD), len(weight_FKD) - 1)
        fold = torch.from_numpy(fold_B).to(tokens_BHWD.device)
        scores_BHWK = torch.einsum("bhwd,bkd->bhwk", tokens_BHWD.float(), weight_FKD[fold])
        return (scores_BHWK + bias_FK[fold][:, None, None]) / self.temperature

    def logits(self, signals: Signals, fold_B: RowIndices | None) -> Tensor:
        """(B, K): the mean over the picture."""
        return self.dense(signals, fold_B).mean((1, 2))

    def class_map(self, signals: Signals, reduction: Reprojection | None) -> Tensor:  # noqa: ARG002
        """(B, H, W, K) by the head fitted on all; it was fitted on reduced tokens."""
        return self.dense(signals, None)


def _samples(
    source: TeacherSource, table: MaskTable, rows: RowIndices, seed: int
) -> tuple[NDArray[np.float32], RowIndices, RowIndices]:
    """Tokens, the class of each, and the place among `rows` of the picture it is from."""
    random = np.random.default_rng([seed, 8])
    each = max(1, MOST_TOKENS // max(len(rows), 1))
    tokens, labels, images = [], [], []
    for at in range(0, len(rows), CHUNK):
        some = rows[at : at + CHUNK]
        tokens_BHWD = source.signals(some, np.zeros_like(some)).tokens_BHWD
        assert tokens_BHWD is not None
        tokens_BHWD = tokens_BHWD.float().cpu()
        grid = (tokens_BHWD.shape[1], tokens_BHWD.shape[2])
        for place, row in enumerate(some.tolist()):
            cells = cell_labels(table.mask(row), grid, len(table.classes)).flatten()
            known = np.flatnonzero(cells != UNLABELLED)
            picked = random.permutation(known)[:each]
            tokens.append(tokens_BHWD[place].flatten(0, 1)[picked].numpy())
            labels.append(cells[picked])
            images.append(np.full(len(picked), at + place, np.int64))
    return np.concatenate(tokens), np.concatenate(labels), np.concatenate(images)


def cell_labels(mask_HW: NDArray[np.uint8], grid: tuple[int, int], classes: int) -> RowIndices:
    """(rows, columns) the commonest class of each cell; UNLABELLED where most is ignored."""
    finer = (grid[0] * FINER, grid[1] * FINER)
    mask_11HW = torch.from_numpy(mask_HW)[None, None]
    near_HW = F.interpolate(mask_11HW, finer, mode="nearest")[0, 0].long()
    ignored = classes  # a class of its own
    near_HW = torch.where(near_HW == IGNORED, ignored, near_HW)
    shares_KHW = F.one_hot(near_HW, classes + 1).permute(2, 0, 1).float()
    best_HW = F.avg_pool2d(shares_KHW[None], FINER)[0].argmax(0)
    found: RowIndices = torch.where(best_HW == ignored, UNLABELLED, best_HW).numpy()
    return found
