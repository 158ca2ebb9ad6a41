"""The order in which pictures are learnt from, the same however often a run is stopped.

Ultralytics draws from whatever its random state has come to. Here the order of an epoch follows
from the seed and its number, and what is done to a picture from its place in that order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler


class SampleRef(int):
    """A row that knows its place: which epoch's which one it is.

    An int, since samplers give indices and Ultralytics' dataset uses them as such: the place rides
    along through PyTorch's loader and its queues without either knowing.
    """

    epoch: int
    place: int

    @classmethod
    def of(cls, row: int, epoch: int, place: int) -> SampleRef:
        ref = cls(row)
        ref.epoch, ref.place = epoch, place
        return ref

    def __reduce__(self) -> tuple[object, ...]:
        # pickle would give a worker the bare int.
        return SampleRef.of, (int(self), self.epoch, self.place)


def order(rows: int, seed: int, epoch: int, samples: int | None = None) -> NDArray[np.int64]:
    """The rows of an epoch: every one once, or the next `samples` of pass after pass.

    Epochs before the first are there too: they fill the first mosaics.
    """
    count = rows if samples is None else samples
    start = epoch * count
    first, last = start // rows, (start + count - 1) // rows
    passes = [_pass(rows, seed, number) for number in range(first, last + 1)]
    begin = start - first * rows
    return np.concatenate(passes)[begin : begin + count]


def _pass(rows: int, seed: int, number: int) -> NDArray[np.int64]:
    # Seeds are unsigned: pass -1 becomes a number that no real one reaches.
    generator = np.random.default_rng([seed, number % 2**32])
    return generator.permutation(rows).astype(np.int64)


class ShuffledSampler(Sampler[int]):
    """Whole epochs of turns, from any place in one on; `samples` as in `order`."""

    def __init__(self, rows: int, batch_size: int, seed: int, samples: int | None = None) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.samples = rows if samples is None else samples
        self.epoch, self.step = 0, 0

    def __len__(self) -> int:
        return self.samples

    def begin(self, epoch: int, step: int = 0) -> None:
        """The next epoch asked for is this one, from that batch on."""
        self.epoch, self.step = epoch, step

    def __iter__(self) -> Iterator[SampleRef]:
        epoch, first = self.epoch, self.step * self.batch_size
        # Set before the first yield: the loader asks for the next epoch while this one is read.
        self.epoch, self.step = epoch + 1, 0
        rows = order(self.rows, self.seed, epoch, self.samples).tolist()
        for place in range(first, self.samples):
            yield SampleRef.of(rows[place], epoch, place)


class MosaicBuffer:
    """The rows that this loader has shown lately: mosaics are made of them, for they are decoded.

    As in Ultralytics' buffer, but a function of the place alone. `lanes` is how many loader
    processes share the batches: each remembers its own. `samples` as in `order`.
    """

    def __init__(
        self,
        rows: int,
        batch_size: int,
        seed: int,
        lanes: int,
        most: int,
        samples: int | None = None,
    ) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.lanes, self.most = max(lanes, 1), most
        self.samples = rows if samples is None else samples
        self.batches = -(-self.samples // batch_size)
        self._orders: dict[int, NDArray[np.int64]] = {}
        self._batch, self._before = -1, np.zeros(0, np.int64)

    def at(self, ref: SampleRef) -> NDArray[np.int64]:
        """At most `most`, the latest first; the picture itself among them."""
        # All of a batch's images share what came before the batch: worked out once for it.
        batch = ref.epoch * self.batches + ref.place // self.batch_size
        if batch != self._batch:
            self._batch, self._before = batch, self._shown_before(batch)
        start = ref.place // self.batch_size * self.batch_size
        now_N = self._order(ref.epoch)[start : ref.place + 1][::-1]
        return np.concatenate((now_N, self._before))[: max(self.most, 1)]

    def _shown_before(self, batch: int) -> NDArray[np.int64]:
        parts, count = [], 0
        while count < self.most:
            # Loaders deal batches out in turn: this process had every `lanes`-th.
            batch -= self.lanes
            epoch, number = divmod(batch, self.batches)
            start = number * self.batch_size
            part = self._order(epoch)[start : start + self.batch_size][::-1]
            parts.append(part)
            count += len(part)
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            # A buffer reaches few epochs back; orders of long ago would only fill the memory.
            kept = {key: one for key, one in self._orders.items() if abs(key - epoch) < 4}
            self._orders = kept | {epoch: order(self.rows, self.seed, epoch, self.samples)}
        return self._orders[epoch]
