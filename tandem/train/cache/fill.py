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
from tandem.train.cache.disk import check_room
from tandem.train.cache.parts import SignalPart, row_bytes
from tandem.train.cache.reduce import fit_rows
from tandem.train.cache.shards import Arrays, keys_of, write_shard
from tandem.train.cache.teacher_calls import RowViews, TeacherCalls
from tandem.train.types import Signals

SHARD_BYTES = 64 * 2**20
SHARD_ROWS = 2048
"""At most: what a kill can lose is the shard being made."""

Memo = dict[bytes, Signals]
"""The fit's signals, by their rows and views, so that the teacher is not asked twice."""


@dataclass(frozen=True)
class Fill:
    """What is to be made, and where."""

    folder: Path
    calls: TeacherCalls
    missing: dict[SignalPart, NDArray[np.bool_]]
    """(N, V) of each part: signals that are not there."""
    memo: Memo

    def run(self) -> None:
        """Make this process's share of the missing shards."""
        setup = self.calls.setup
        rows, views = self._ordered()
        sizes = self._row_bytes()
        # One process speaks for all: together they fill one disk.
        if setup.rank == 0 and len(rows):
            counts = [int(gone.sum()) for gone in self.missing.values()]
            check_room(self.folder, sum(map(int.__mul__, counts, sizes)))
        step = _shard_rows(sizes, setup.batch_size)
        shards = [(rows[at : at + step], views[at : at + step]) for at in range(0, len(rows), step)]
        mine = shards[setup.rank :: setup.processes]
        total = sum(len(shard[0]) for shard in mine)
        done = 0
        # One stream over all shards: the next shard's pictures are decoded while this one's are
        # still with the teacher.
        answers = self._answers([batch for shard in mine for batch in self.calls.cut(*shard)])
        for shard in mine:
            gathered: dict[SignalPart, list[Arrays]] = {part: [] for part in self.missing}
            for _ in self.calls.cut(*shard):
                batch, signals = next(answers)
                self._gather(gathered, batch, signals)
                done += len(batch[0])
                setup.progress.progress(t("asking the teacher"), done, total)
            self._write(shard, gathered)

    def _ordered(self) -> RowViews:
        """Every row and view that some part lacks: those that components are fitted on first."""
        # A row that one part lacks goes through the teacher whole; the other parts drop what they
        # have. It is seldom: parts are mostly filled together.
        lacking_NV = np.any(list(self.missing.values()), axis=0)
        first = np.zeros_like(lacking_NV)
        if any(part.dense for part in self.missing):
            # Their signals are in the memo, in just these batches: asked in this order, none of
            # them is asked for again.
            first[fit_rows(len(lacking_NV)), 0] = True
        parts = [np.nonzero(lacking_NV & first), np.nonzero(lacking_NV & ~first)]
        rows, views = (np.concatenate([one[axis] for one in parts]) for axis in (0, 1))
        return rows.astype(np.int64), views.astype(np.int64)

    def _row_bytes(self) -> list[int]:
        """The bytes of one row of each part, by the teacher's own figures."""
        width, classes = self.calls.teacher.width, len(self.calls.table.classes)
        return [row_bytes(part, width, self.calls.cells, classes) for part in self.missing]

    def _answers(self, batches: list[RowViews]) -> Iterator[tuple[RowViews, Signals]]:
        """The signals of each, in order; from the memo where the fit has asked already."""
        stream = self.calls.stream([one for one in batches if memo_key(one) not in self.memo])
        for batch in batches:
            known = self.memo.pop(memo_key(batch), None)
            yield next(stream) if known is None else (batch, known)

    def _gather(
        self, gathered: dict[SignalPart, list[Arrays]], batch: RowViews, signals: Signals
    ) -> None:
        for part, gone in self.missing.items():
            # A batch is what some part lacks: another part may have some of its rows already.
            keep = np.flatnonzero(gone[batch])
            if len(keep):
                arrays = part.encoded(signals)
                gathered[part].append({name: one[keep] for name, one in arrays.items()})

    def _write(self, shard: RowViews, gathered: dict[SignalPart, list[Arrays]]) -> None:
        rows, views = shard
        for part, batches in gathered.items():
            if batches:
                mine = self.missing[part][shard]
                keys = keys_of(self.calls.table.hashes_N[rows[mine]], views[mine])
                arrays = {
                    name: np.concatenate([one[name] for one in batches]) for name in batches[0]
                }
                write_shard(self.folder / part.name, keys, arrays)


def memo_key(batch: RowViews) -> bytes:
    """One for each batch that there can be."""
    return batch[0].tobytes() + b"/" + batch[1].tobytes()


def _shard_rows(row_bytes: list[int], batch_size: int) -> int:
    """A whole number of batches, so that a shard's first row starts a batch."""
    rows = min(SHARD_BYTES // max(row_bytes), SHARD_ROWS)
    return max(rows // batch_size, 1) * batch_size
