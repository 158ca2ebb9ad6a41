"""Which rows, in which views, make up each batch of an epoch: a pure function of seed and epoch.

A resumed run draws the same plan and starts in the middle of it; every process draws the whole
plan and takes its share, so that all know the global batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.train.types import UNLABELLED, RowIndices

_ORDER, _VIEWS = 1, 2  # which random stream, so that one never repeats the other


@dataclass(frozen=True)
class EpochPlan:
    """The global batches of one epoch: row and view of every sample."""

    rows: list[RowIndices]
    views: list[RowIndices]

    def __len__(self) -> int:
        return len(self.rows)

    def share(
        self, rank: int, processes: int, start: int = 0
    ) -> list[tuple[RowIndices, RowIndices]]:
        """Every `processes`-th sample of each batch from `start` on."""
        pairs = zip(self.rows[start:], self.views[start:], strict=True)
        return [(rows[rank::processes], views[rank::processes]) for rows, views in pairs]


def batches_an_epoch(samples: int, batch_size: int) -> int:
    """ceil(samples / batch_size): every sample once, no batch larger than asked."""
    return -(-samples // batch_size)


def draw(labels_N: RowIndices, *, batch_size: int, views: int, seed: int, epoch: int) -> EpochPlan:
    """The plan of one epoch. Batches differ by at most one sample in size.

    Labelled and unlabelled rows are spread evenly over the batches: with 100 labels among 1,300
    images a random draw would leave some batches without any, and others with twice their share.
    """
    random = np.random.default_rng([seed, _ORDER, epoch])
    order = _spread(labels_N != UNLABELLED, random)
    rows = np.array_split(order, batches_an_epoch(len(order), batch_size))
    # Spread evenly, labelled rows lie at regular places: a process's share, every n-th row of a
    # batch, could be of them alone.
    rows = [random.permutation(batch) for batch in rows]
    # Without the epoch in the seed: each row starts at a view of its own and takes them in turn.
    offsets_N = np.random.default_rng([seed, _VIEWS]).integers(0, views, len(labels_N))
    return EpochPlan(rows, [(offsets_N[batch] + epoch) % views for batch in rows])


def _spread(labelled_N: NDArray[np.bool_], random: np.random.Generator) -> RowIndices:
    positions_N = np.empty(len(labelled_N))
    for group in (labelled_N, ~labelled_N):
        members = random.permutation(np.flatnonzero(group))
        positions_N[members] = (np.arange(len(members)) + random.random()) / max(len(members), 1)
    return np.argsort(positions_N, kind="stable").astype(np.int64)
