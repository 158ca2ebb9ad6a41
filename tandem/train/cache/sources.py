"""Where a step gets the teacher's signals: from disk, or from the teacher itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.train.cache.parts import SignalPart, decode, encode
from tandem.train.cache.reduce import Reduction
from tandem.train.cache.shards import Arrays, Shard, keys_of, read_shards
from tandem.train.cache.teacher_calls import TeacherCalls
from tandem.train.types import ImageTable, RowIndices, Signals

IN_MEMORY_BYTES = 128 * 2**20
"""A part no larger than this is read once; a larger one stays on the disk, mapped."""


@dataclass(frozen=True)
class Places:
    """Where each picture's views are in a part: shard and row in it, -1 where they are not."""

    shard_NV: NDArray[np.int32]
    row_NV: NDArray[np.int32]

    @property
    def missing_NV(self) -> NDArray[np.bool_]:
        return self.shard_NV < 0


def places(shards: list[Shard], table: ImageTable, views: int) -> Places:
    """Where every row of the table is, in its first `views` views."""
    shape = (len(table), views)
    found = Places(np.full(shape, -1, np.int32), np.full(shape, -1, np.int32))
    if not shards:
        return found
    keys = [shard.keys() for shard in shards]
    lengths = [len(one) for one in keys]
    # One sort over all shards, then a binary search a view: a dictionary of a million keys would
    # cost a hundred bytes each and seconds to fill.
    all_keys = np.concatenate(keys)
    shard_of = np.repeat(np.arange(len(shards), dtype=np.int32), lengths)
    row_of = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])
    order = np.argsort(all_keys, kind="stable")
    ordered = all_keys[order]
    for view in range(views):
        wanted = keys_of(table.hashes_N, view)
        at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        there = ordered[at] == wanted
        found.shard_NV[there, view] = shard_of[order[at[there]]]
        found.row_NV[there, view] = row_of[order[at[there]]]
    return found


class Shelf:
    """One part, open for reading."""

    def __init__(self, folder: Path, part: SignalPart, table: ImageTable, views: int) -> None:
        self.part = part
        self.shards, self.faults = read_shards(folder)
        self.places = places(self.shards, table, views)
        self._arrays: list[Arrays] | None = None

    def read(self, index_B: RowIndices, view_B: RowIndices, device: torch.device) -> Tensor:
        """float32 on the device."""
        return decode(self.arrays(index_B, view_B), device)

    def arrays(self, index_B: RowIndices, view_B: RowIndices) -> Arrays:
        """The same as it is kept. Each shard is read in one go, in the order of its rows."""
        opened = self._open()
        shard_B = self.places.shard_NV[index_B, view_B]
        row_B = self.places.row_NV[index_B, view_B]
        if len(opened) == 1:
            return {name: array[row_B] for name, array in opened[0].items()}
        # A disk reads forwards best, and a mapped page that several rows share is read once.
        order = np.lexsort((row_B, shard_B))
        bounds = np.flatnonzero(np.diff(shard_B[order])) + 1
        out: Arrays = {
            name: np.empty((len(index_B), *array.shape[1:]), array.dtype)
            for name, array in opened[0].items()
        }
        for group in np.split(order, bounds):
            rows = row_B[group]
            for name, array in opened[shard_B[group[0]]].items():
                out[name][group] = array[rows]
        return out

    def _open(self) -> list[Arrays]:
        """Mapped files, or all in one piece in memory where it is small."""
        if self._arrays is None:
            small = sum(shard.bytes for shard in self.shards) <= IN_MEMORY_BYTES
            names = sorted(self.shards[0].note.files.keys() - {"keys"})
            arrays = [
                {name: shard.read(name, mapped=not small) for name in names}
                for shard in self.shards
            ]
            # In one piece a batch is one indexing, not one for each shard.
            if small and len(arrays) > 1:
                starts = np.cumsum([0, *(shard.note.rows for shard in self.shards[:-1])])
                there = self.places.shard_NV >= 0
                self.places.row_NV[there] += starts[self.places.shard_NV[there]].astype(np.int32)
                self.places.shard_NV[there] = 0
                arrays = [{n: np.concatenate([one[n] for one in arrays]) for n in names}]
            self._arrays = arrays
        return self._arrays


class CachedSource:
    """Reads what the teacher said from disk."""

    def __init__(
        self,
        shelves: list[Shelf],
        grid: int,
        device: torch.device,
        teacher_forwards: int,
        verified: int,
    ) -> None:
        self.shelves, self.device = shelves, device
        self.tokens_grid = grid
        self.teacher_forwards = teacher_forwards
        """Images that went through the teacher to open this, those verified among them."""
        self.verified = verified
        parts = [shelf.part for shelf in shelves]
        self.reduction, self.layer_reductions = reductions(parts)
        self.tokens_width = self.reduction.width if self.reduction else None
        self.layer_widths = tuple(one.width for one in self.layer_reductions)

    def signals(self, index_B: RowIndices, view_B: RowIndices) -> Signals:
        """The signals of these rows in these views, float32 on the device."""
        found = [(shelf.part, shelf.read(index_B, view_B, self.device)) for shelf in self.shelves]
        return as_signals(found)

    def pooled_ND(self, view: int = 0) -> NDArray[np.float32]:
        """(N, D): pooled features of every row in one view."""
        rows = self.shelves[0].places.shard_NV.shape[0]
        index_N = np.arange(rows)
        pooled = self.shelves[0].arrays(index_N, np.full(rows, view))["data"]
        return pooled.astype(np.float32, copy=False)


class OnlineSource:
    """Asks the teacher in every step, on the same views, and keeps nothing of what it gives."""

    def __init__(self, calls: TeacherCalls, parts: list[SignalPart]) -> None:
        self.calls, self.parts = calls, parts
        self.tokens_grid = calls.grid
        self.verified = 0
        self.reduction, self.layer_reductions = reductions(parts)
        self.tokens_width = self.reduction.width if self.reduction else None
        self.layer_widths = tuple(one.width for one in self.layer_reductions)

    @property
    def teacher_forwards(self) -> int:
        """Images that went through the teacher so far."""
        return self.calls.forwards

    def signals(self, index_B: RowIndices, view_B: RowIndices) -> Signals:
        """Rounded as the cache would round them, so that the two agree."""
        said = self.calls.signals(index_B, view_B)
        found = []
        for part in self.parts:
            x = part.reduced(said)
            if part.dtype != "float32":
                x = decode(encode(x, part.dtype), self.calls.setup.device)
            found.append((part, x))
        return as_signals(found)

    def tokens_of(self, images_BCHW: Tensor) -> Tensor:
        """(B, H, W, R): the reduced tokens of images that are no view of a row, not rounded."""
        tokens = next(part for part in self.parts if part.signal == "tokens")
        return tokens.reduced(self.calls.of_inputs(images_BCHW))

    def pooled_ND(self, view: int = 0) -> NDArray[np.float32]:
        """(N, D): pooled features of every row in one view; asks the teacher for all of them."""
        rows = np.arange(len(self.calls.table))
        parts = []
        for _, said in self.calls.stream(self.calls.cut(rows, np.full_like(rows, view))):
            assert said.pooled_BD is not None
            parts.append(said.pooled_BD.cpu().numpy())
        return np.concatenate(parts)


def reductions(parts: list[SignalPart]) -> tuple[Reduction | None, tuple[Reduction, ...]]:
    """How the tokens are made smaller, and how each layer."""
    tokens = [part.reduction for part in parts if part.signal == "tokens"]
    layers = [part.reduction for part in parts if part.signal == "layer"]
    return (tokens[0] if tokens else None), tuple(one for one in layers if one is not None)


def as_signals(found: list[tuple[SignalPart, Tensor]]) -> Signals:
    """The parts under the names that losses know."""
    by_signal = {part.signal: x for part, x in found if part.signal != "layer"}
    return Signals(
        pooled_BD=by_signal["pooled"],
        tokens_BHWD=by_signal.get("tokens"),
        logits_BK=by_signal.get("logits"),
        layers_BHWD=tuple(x for part, x in found if part.signal == "layer"),
    )
