"""Asking the teacher for what the cache lacks, shard by shard.

Which rows make a shard, and which of them go through the teacher together, follows from the
table alone: a fill that was killed goes on at its first missing shard and ends with the bytes
that it would have had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.spec.i18n import t
from tandem.train.cache.asking import Ask, Asker
from tandem.train.cache.disk import check_room
from tandem.train.cache.parts import Part
from tandem.train.cache.reduce import fit_rows
from tandem.train.cache.shards import Arrays, keys_of, write_shard
from tandem.train.types import ProgressReporter, Signals

SHARD_BYTES = 64 * 2**20
SHARD_ROWS = 2048
"""At most: what a kill can lose is the shard being made."""

Memo = dict[bytes, Signals]
"""Answers of the fit, by the rows and views asked for, so that they are not asked twice."""


@dataclass(frozen=True)
class Fill:
    """What is to be made, and where."""

    folder: Path
    asker: Asker
    missing: dict[Part, NDArray[np.bool_]]
    """(N, V) of each part: signals that are not there."""
    progress: ProgressReporter
    memo: Memo

    def run(self, rank: int, processes: int) -> None:
        """This process's share of the missing shards."""
        rows, views = self._ordered()
        sizes = self._row_bytes()
        if rank == 0 and len(rows):
            counts = [int(gone.sum()) for gone in self.missing.values()]
            check_room(self.folder, sum(map(int.__mul__, counts, sizes)))
        step = _shard_rows(sizes, self.asker.batch_size)
        shards = [(rows[at : at + step], views[at : at + step]) for at in range(0, len(rows), step)]
        mine = shards[rank::processes]
        total = sum(len(shard[0]) for shard in mine)
        done = 0
        answers = self._answers([batch for shard in mine for batch in self._batches(shard)])
        for shard in mine:
            gathered: dict[Part, list[Arrays]] = {part: [] for part in self.missing}
            for _ in self._batches(shard):
                asked, signals = next(answers)
                self._gather(gathered, asked, signals)
                done += len(asked[0])
                self.progress.progress(t("asking the teacher"), done, total)
            self._write(shard, gathered)

    def _ordered(self) -> Ask:
        """Every row and view that some part lacks: those that components are fitted on first."""
        lacking_NV = np.any(list(self.missing.values()), axis=0)
        first = np.zeros_like(lacking_NV)
        if any(part.dense for part in self.missing):
            first[fit_rows(len(lacking_NV)), 0] = True
        parts = [np.nonzero(lacking_NV & first), np.nonzero(lacking_NV & ~first)]
        rows, views = (np.concatenate([one[axis] for one in parts]) for axis in (0, 1))
        return rows.astype(np.int64), views.astype(np.int64)

    def _row_bytes(self) -> list[int]:
        """Of one row of each part, from one that is there or from the teacher's own figures."""
        width, grid = self.asker.teacher.width, self.asker.grid
        sizes = []
        for part in self.missing:
            values = width if part.kind == "pooled" else len(self.asker.table.classes)
            if part.dense:
                values = grid * grid * (part.reduction.width if part.reduction else width)
            sizes.append(values * np.dtype(part.dtype).itemsize)
        return sizes

    def _batches(self, shard: Ask) -> list[Ask]:
        rows, views = shard
        size = self.asker.batch_size
        return [(rows[at : at + size], views[at : at + size]) for at in range(0, len(rows), size)]

    def _answers(self, asks: list[Ask]) -> Iterator[tuple[Ask, Signals]]:
        """In order; from the memo where the fit has asked already."""
        stream = self.asker.stream([ask for ask in asks if memo_key(ask) not in self.memo])
        for ask in asks:
            known = self.memo.pop(memo_key(ask), None)
            yield next(stream) if known is None else (ask, known)

    def _gather(self, gathered: dict[Part, list[Arrays]], asked: Ask, signals: Signals) -> None:
        for part, gone in self.missing.items():
            keep = np.flatnonzero(gone[asked])
            if len(keep):
                arrays = part.encoded(signals)
                gathered[part].append({name: one[keep] for name, one in arrays.items()})

    def _write(self, shard: Ask, gathered: dict[Part, list[Arrays]]) -> None:
        rows, views = shard
        for part, batches in gathered.items():
            if batches:
                mine = self.missing[part][shard]
                keys = keys_of(self.asker.table.hashes_N[rows[mine]], views[mine])
                arrays = {
                    name: np.concatenate([one[name] for one in batches]) for name in batches[0]
                }
                write_shard(self.folder / part.name, keys, arrays)


def memo_key(ask: Ask) -> bytes:
    """One for each batch that can be asked."""
    return ask[0].tobytes() + b"/" + ask[1].tobytes()


def _shard_rows(row_bytes: list[int], batch_size: int) -> int:
    """A whole number of batches, so that a shard's first row starts a batch."""
    rows = min(SHARD_BYTES // max(row_bytes), SHARD_ROWS)
    return max(rows // batch_size, 1) * batch_size
