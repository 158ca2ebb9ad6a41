"""What the plainest classifier makes of the same labels: a linear probe on pixels or words.

A teacher that knows no more of the classes than this has nothing to teach about them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tandem.train.types import RowIndices

SIDE = 16
"""Pixels a side that a picture is looked at with."""
BUCKETS = 512
"""What a text's tokens are counted in, by their number."""
PENALTIES = (0.01, 0.1, 1.0, 10.0)
"""Ridge regression's, over the mean variance of the features."""


def raw_features(inputs: NDArray[np.generic]) -> NDArray[np.float64]:
    """(B, D) of what a student is called with: pixels (B, ..., 3, S, S) as they are, of a clip's
    frames one after the other; of texts (B, 3, L) how often each bucket's tokens are in them."""
    if inputs.dtype == np.uint8:
        return inputs.reshape(len(inputs), -1).astype(np.float64) / 255
    ids_BL, mask_BL = inputs[:, 0].astype(np.int64), inputs[:, 1].astype(np.bool_)
    counts = np.zeros((len(inputs), BUCKETS))
    rows = np.broadcast_to(np.arange(len(inputs))[:, None], ids_BL.shape)
    np.add.at(counts, (rows[mask_BL], ids_BL[mask_BL] % BUCKETS), 1.0)
    return np.log1p(counts)


def held_out_right(
    x_nD: NDArray[np.float64], labels_n: NDArray[np.int64], fold_n: RowIndices, classes: int
) -> NDArray[np.bool_]:
    """(n,) whether each row is classified rightly by a ridge classifier that its fold was left out
    of; the penalty is the one that is right most often."""
    spread_D = x_nD.std(0)
    x_nD = (x_nD - x_nD.mean(0)) / np.where(spread_D > 1e-9, spread_D, 1.0)
    target_nK = np.eye(classes)[labels_n]
    right_Pn = np.zeros((len(PENALTIES), len(labels_n)), np.bool_)
    for fold in np.unique(fold_n):
        out_n = fold_n == fold
        seen_nD, seen_nK = x_nD[~out_n], target_nK[~out_n]
        mean_D, mean_K = seen_nD.mean(0), seen_nK.mean(0)
        # Decomposed once: every penalty then costs a product.
        values_D, vectors_DD = np.linalg.eigh((seen_nD - mean_D).T @ (seen_nD - mean_D))
        told_DK = vectors_DD.T @ ((seen_nD - mean_D).T @ (seen_nK - mean_K))
        shown_nD = (x_nD[out_n] - mean_D) @ vectors_DD
        for place, penalty in enumerate(PENALTIES):
            shrunk_D = 1 / (values_D.clip(min=0) + penalty * len(seen_nD))
            scores_nK = shown_nD @ (shrunk_D[:, None] * told_DK) + mean_K
            right_Pn[place, out_n] = scores_nK.argmax(1) == labels_n[out_n]
    best: NDArray[np.bool_] = right_Pn[right_Pn.sum(1).argmax()]
    return best
