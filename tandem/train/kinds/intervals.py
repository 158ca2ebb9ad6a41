"""How sure a figure is: intervals that hold the true figure in 95 of 100 such data sets.

A share of independent samples has Wilson's interval (1927); what is no share of samples (macro-F1,
mean IoU, mean average precision) the percentile bootstrap over samples (Efron 1979), drawn from a
seed of its own so that a second look says the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Interval = tuple[float, float]
"""The lower and the upper end, in the figure's unit."""
Intervals = dict[str, Interval]
"""By the figure's name."""
Floats = NDArray[np.float64]

NORMAL_95 = 1.959963984540054
"""Standard deviations that hold 95 of 100 draws of a normal distribution."""
RESAMPLES, FEWEST = 1000, 100
_SEED = 20260101
_WORK = 40_000_000
"""Counts drawn for one interval: with more to draw at a time there are fewer resamples."""
_AT_ONCE = 4_000_000
"""Counts in memory at a time."""


def wilson(right: int, count: int) -> Interval:
    """The interval of `right` out of `count` samples; (0, 1) where there is no sample."""
    if not count:
        return 0.0, 1.0
    share, z2 = right / count, NORMAL_95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    spread = math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    half = NORMAL_95 * spread / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def resamples(size: int) -> int:
    """How often something of `size` counts is drawn again."""
    return int(np.clip(_WORK // max(size, 1), FEWEST, RESAMPLES))


def drawn(shares: Floats, count: int) -> Iterator[NDArray[np.int64]]:
    """(R, len(shares)) blocks: how often each is drawn among `count` draws with replacement."""
    generator = np.random.default_rng(_SEED)
    left, size = resamples(len(shares)), len(shares)
    block = max(1, _AT_ONCE // max(size, 1))
    while left > 0:
        yield generator.multinomial(count, shares, size=min(block, left))
        left -= block


def bootstrap(
    shares: Floats, count: int, measure: Callable[[NDArray[np.int64]], Floats]
) -> Interval:
    """The middle 95 % of `measure`, which makes (R,) values of (R, len(shares)) counts."""
    values = np.concatenate([measure(block) for block in drawn(shares, count)])
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def macro_f1(confusion_KK: NDArray[np.int64]) -> Interval:
    """The interval of the mean F1 of the classes that have an example.

    To draw samples again is to draw the cells of their confusion matrix: nothing else is needed.
    """
    true_C, said_C = np.nonzero(confusion_KK)
    cells_C = confusion_KK[true_C, said_C]
    total, classes = int(cells_C.sum()), len(confusion_KK)
    if not total:
        return 0.0, 1.0
    places = np.arange(len(cells_C))

    def summed(keys_C: NDArray[np.int64], kept_C: NDArray[np.bool_]) -> csr_array:
        shape = (len(cells_C), classes)
        entries = (kept_C.astype(np.float64), (places, keys_C))
        return csr_array(entries, shape=shape)  # type: ignore[no-untyped-call]

    everywhere = np.ones(len(cells_C), bool)
    true, said = summed(true_C, everywhere), summed(said_C, everywhere)
    right = summed(true_C, true_C == said_C)

    def measure(draws_RC: NDArray[np.int64]) -> Floats:
        support_RK = draws_RC @ true
        f1_RK = 2 * (draws_RC @ right) / np.maximum(support_RK + draws_RC @ said, 1)
        return _mean_where(f1_RK, support_RK > 0)

    return bootstrap(cells_C / total, total, measure)


def mean_iou(pixels_N3K: NDArray[np.int64]) -> Interval:
    """The interval of the mean IoU of the classes that have a pixel, by pictures drawn again.

    `pixels_N3K`: of each picture and class the pixels that are right, that are there, and that
    were answered.
    """
    count, _, classes = pixels_N3K.shape
    if not count:
        return 0.0, 1.0
    flat = pixels_N3K.reshape(count, 3 * classes).astype(np.float64)

    def measure(draws_RN: NDArray[np.int64]) -> Floats:
        right_RK, there_RK, said_RK = np.split(draws_RN @ flat, 3, axis=1)
        either_RK = np.maximum(there_RK + said_RK - right_RK, 1)
        return _mean_where(right_RK / either_RK, there_RK > 0)

    return bootstrap(np.full(count, 1 / count), count, measure)


def _mean_where(values_RK: Floats, known_RK: NDArray[np.bool_]) -> Floats:
    sums_R = np.where(known_RK, values_RK, 0.0).sum(1)
    return np.asarray(sums_R / np.maximum(known_RK.sum(1), 1))
