"""Which rows, in which views, make up each batch of an epoch: a pure function of seed and epoch.

A resumed run draws the same plan and starts in the middle of it; every process draws the whole
plan and takes its share, so that all know the global batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.train.data.augment import fresh_view
from tandem.train.types import UNLABELLED, RowIndices

# Which random stream, so that one never repeats the other.
_ORDER, _VIEWS, _PASSES = 1, 2, 3
_BLOCK_ROWS = 4096
"""Passes over few rows are drawn several at a time, about so many rows."""


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


@dataclass(frozen=True)
class _Drawn:
    """The samples of an epoch in their order: the row of each, and how often it was drawn before.

    `pass_S` counts a row's whole passes, whichever epochs they lie in.
    """

    rows_S: RowIndices
    pass_S: RowIndices


def batches_an_epoch(samples: int, batch_size: int) -> int:
    """ceil(samples / batch_size): every sample once, no batch larger than asked."""
    return -(-samples // batch_size)


def draw(
    labels_N: RowIndices,
    *,
    batch_size: int,
    views: int,
    seed: int,
    epoch: int,
    samples: int | None = None,
    fresh: bool = False,
    balanced: bool = False,
) -> EpochPlan:
    """The plan of one epoch. Batches differ by at most one sample in size.

    Labelled and unlabelled rows are spread evenly over the batches: with 100 labels among 1,300
    images a random draw would leave some batches without any, and others with twice their share.

    `samples` of an epoch, where it is not one pass over the rows: the passes then follow each other
    across epochs. `balanced`: each class has the same number of them, by passes over its own rows.
    `fresh`: a row has another view in each pass, and one in `views` is the whole image, as among
    those that a cache keeps; else it takes the first `views` in turn.
    """
    random = np.random.default_rng([seed, _ORDER, epoch])
    count = len(labels_N) if samples is None else samples
    if balanced or count != len(labels_N):
        drawn = _passes(_groups(labels_N, balanced), count, len(labels_N), seed, epoch, random)
    else:
        order = _spread(labels_N != UNLABELLED, random)
        drawn = _Drawn(order, np.full(count, epoch, np.int64))
    parts = np.array_split(np.arange(count), batches_an_epoch(count, batch_size))
    # Spread evenly, labelled rows lie at regular places: a process's share, every n-th row of a
    # batch, could be of them alone.
    batches = [random.permutation(part) for part in parts]
    view_S = _views(drawn, len(labels_N), views, seed, fresh)
    return EpochPlan([drawn.rows_S[one] for one in batches], [view_S[one] for one in batches])


def _spread(labelled_N: NDArray[np.bool_], random: np.random.Generator) -> RowIndices:
    positions_N = np.empty(len(labelled_N))
    for group in (labelled_N, ~labelled_N):
        members = random.permutation(np.flatnonzero(group))
        positions_N[members] = (np.arange(len(members)) + random.random()) / max(len(members), 1)
    return np.argsort(positions_N, kind="stable").astype(np.int64)


def _views(drawn: _Drawn, rows: int, views: int, seed: int, fresh: bool) -> RowIndices:
    # Without the epoch in the seed: each row starts at a view of its own and takes them in turn.
    offsets_N = np.random.default_rng([seed, _VIEWS]).integers(0, views, rows)
    view_S = (offsets_N[drawn.rows_S] + drawn.pass_S) % views
    if not fresh:
        return view_S
    return np.where(view_S == 0, 0, fresh_view(seed, 0) + drawn.pass_S)


def _groups(labels_N: RowIndices, balanced: bool) -> tuple[list[RowIndices], RowIndices]:
    """(the labelled rows, by class where they are balanced; the unlabelled ones)."""
    labelled = labels_N != UNLABELLED
    if balanced:
        groups = [np.flatnonzero(labels_N == one) for one in np.unique(labels_N[labelled])]
    else:
        groups = [np.flatnonzero(labelled)] if labelled.any() else []
    return groups, np.flatnonzero(~labelled)


def _passes(
    groups: tuple[list[RowIndices], RowIndices],
    samples: int,
    rows: int,
    seed: int,
    epoch: int,
    random: np.random.Generator,
) -> _Drawn:
    """Each group's next samples, where the epoch before left it, spread evenly over the epoch."""
    labelled, unlabelled = groups
    share = sum(map(len, labelled))
    spans: list[tuple[RowIndices, int, int]] = []
    # Of all samples before an epoch, by whole numbers: nothing is lost or twice between epochs.
    ends = [when * samples for when in (epoch, epoch + 1)]
    known = [end * share // rows for end in ends]
    for number, group in enumerate(labelled):
        # Hermite's identity: the sum over all groups is `known`, and none has more than one more.
        start, stop = ((end + number) // len(labelled) for end in known)
        spans.append((group, start, stop))
    spans.append((unlabelled, ends[0] - known[0], ends[1] - known[1]))
    found = [_stream(*span, (seed, _PASSES, number)) for number, span in enumerate(spans)]
    position_S = np.concatenate(
        [(np.arange(len(one.rows_S)) + random.random()) / max(len(one.rows_S), 1) for one in found]
    )
    order_S = np.argsort(position_S, kind="stable")
    return _Drawn(
        np.concatenate([one.rows_S for one in found])[order_S],
        np.concatenate([one.pass_S for one in found])[order_S],
    )


def _stream(members: RowIndices, start: int, stop: int, seed: tuple[int, ...]) -> _Drawn:
    """Samples `start` to `stop` of endless passes over `members`, each in an order of its own."""
    if start == stop:
        return _Drawn(np.zeros(0, np.int64), np.zeros(0, np.int64))
    size = len(members)
    block = max(1, _BLOCK_ROWS // size)
    first, last = start // (size * block), (stop - 1) // (size * block)
    drawn = [_block(members, block, [*seed, number]) for number in range(first, last + 1)]
    begin = first * size * block
    rows_S = np.concatenate(drawn)[start - begin : stop - begin]
    return _Drawn(rows_S.astype(np.int64), np.arange(start, stop) // size)


def _block(members: RowIndices, passes: int, seed: list[int]) -> RowIndices:
    generator = np.random.default_rng(seed)
    return generator.permuted(np.tile(members, (passes, 1)), axis=1).reshape(-1)
