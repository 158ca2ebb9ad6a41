"""From a teacher, a table and its views to a source of signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from tandem.spec.errors import CacheError
from tandem.spec.i18n import t
from tandem.spec.run import CacheSpec
from tandem.train.cache.asking import Asker
from tandem.train.cache.components import REDUCTION, fitted, found
from tandem.train.cache.disk import room
from tandem.train.cache.fill import Fill, Memo
from tandem.train.cache.folder import LOCK, claim, holds_others
from tandem.train.cache.parts import Part, Wants, wanted_parts
from tandem.train.cache.shards import keys_of
from tandem.train.cache.sources import CachedSource, OnlineSource, Shelf
from tandem.train.cache.verify import verify
from tandem.train.data.augment import Views
from tandem.train.types import ImageTable, ProgressReporter, Teacher

_LOCK_SECONDS = 5.0


def _no_barrier() -> None:
    """Of a run in one process."""


@dataclass(frozen=True)
class Opening:
    """One call of `open_source`."""

    asker: Asker
    spec: CacheSpec
    views_wanted: int
    progress: ProgressReporter
    rank: int
    processes: int
    barrier: Callable[[], None]
    folder: Path
    memo: Memo

    @property
    def table(self) -> ImageTable:
        return self.asker.table

    @property
    def parts(self) -> list[Part]:
        return wanted_parts(self.asker.wants, self.spec, self.asker.grid)


def open_source(
    teacher: Teacher,
    table: ImageTable,
    views: Views,
    spec: CacheSpec,
    wants: Wants,
    *,
    views_wanted: int,
    device: torch.device,
    batch_size: int,
    max_pixels: int,
    progress: ProgressReporter,
    rank: int = 0,
    processes: int = 1,
    barrier: Callable[[], None] = _no_barrier,
) -> CachedSource | OnlineSource:
    """The teacher's signals of every row in its first `views_wanted` views.

    With `spec.mode` on, what is missing on disk is asked for first; several processes share that.
    Raises DiskFullError, CacheError when what is kept contradicts the teacher, and what the
    teacher raises.
    """
    grid = min(wants.grid or teacher.grid, teacher.grid)
    asker = Asker(teacher, table, views, wants, grid, device, batch_size, max_pixels)
    if spec.mode == "off":
        parts = fitted(asker, wanted_parts(wants, spec, grid), {}, progress)
        return OnlineSource(asker, parts)
    assert spec.root is not None, "completed() gives the cache a root"
    folder = spec.root / f"{teacher.fingerprint[:16]}-{views.fingerprint[:8]}"
    opening = Opening(
        asker, spec, views_wanted, progress, rank, processes, barrier, folder, memo={}
    )
    return _cached(opening)


def _cached(opening: Opening) -> CachedSource:
    with _locked(opening):
        verified = 0
        if opening.rank == 0:
            claim(opening.folder, opening.asker.teacher, opening.asker.views)
            verified = _prepare(opening)
        opening.barrier()
        parts = [_reduced(opening, part) for part in opening.parts]
        shelves = _shelves(opening, parts)
        # All must see the same shards missing before the first new one is written.
        opening.barrier()
        filled = _fill(opening, shelves)
        opening.barrier()
        if filled:
            shelves = _shelves(opening, parts)
        # Nobody deletes or fills before every process has opened what it reads.
        opening.barrier()
    _check_whole(opening, shelves)
    asker = opening.asker
    return CachedSource(shelves, asker.grid, asker.device, asker.forwards, verified)


@contextmanager
def _locked(opening: Opening) -> Iterator[None]:
    """The first process holds the folder's lock for all of its run; another run waits."""
    if opening.rank != 0:
        opening.barrier()
        yield
        return
    with room(opening.folder):
        opening.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(opening.folder / LOCK)
    said = False
    while not lock.is_locked:
        try:
            lock.acquire(timeout=_LOCK_SECONDS if said else 0)
        except Timeout:
            if not said:
                opening.progress.notice(
                    t("Another run is filling the cache {folder}; waiting.", folder=opening.folder)
                )
            said = True
            opening.progress.progress(t("waiting for the cache"), 0, 1)
    try:
        opening.barrier()
        yield
    finally:
        lock.release()


def _prepare(opening: Opening) -> int:
    """What the first process does alone: checks and components. How many samples were checked."""
    asker, folder = opening.asker, opening.folder
    known = [found(part, folder, opening.table) for part in opening.parts]
    shelves = _shelves(opening, [part for part in known if part is not None])
    _say_faults(opening, shelves)
    shelves = [shelf for shelf in shelves if not shelf.places.missing_NV.all()]
    verified = verify(asker, shelves, opening.spec.verify_samples, folder)
    if not shelves and holds_others(folder, opening.table):
        opening.progress.notice(
            t(
                "{root} keeps signals of these pictures from another teacher or in other views; "
                "they are not used.",
                root=folder.parent,
            )
        )
    fresh = [part for part, old in zip(opening.parts, known, strict=True) if old is None]
    for part in fitted(asker, fresh, opening.memo, opening.progress):
        assert part.reduction is not None
        part.reduction.save(folder / part.name / REDUCTION)
    return verified


def _reduced(opening: Opening, part: Part) -> Part:
    whole = found(part, opening.folder, opening.table)
    assert whole is not None, "the first process has fitted it"
    return whole.to(opening.asker.device)


def _shelves(opening: Opening, parts: list[Part]) -> list[Shelf]:
    return [
        Shelf(opening.folder / part.name, part, opening.table, opening.views_wanted)
        for part in parts
    ]


def _fill(opening: Opening, shelves: list[Shelf]) -> bool:
    """Whether anything was missing. Pictures that are there twice are asked for once."""
    first_N = np.zeros(len(opening.table), np.bool_)
    first_N[np.unique(keys_of(opening.table.hashes_N, 0), return_index=True)[1]] = True
    missing = {shelf.part: shelf.places.missing_NV & first_N[:, None] for shelf in shelves}
    lacking = int(np.any(list(missing.values()), axis=0).sum())
    if not lacking:
        return False
    opening.progress.notice(
        t(
            "The cache lacks {count} of {total} views of pictures: the teacher is asked for them.",
            count=lacking,
            total=int(first_N.sum()) * opening.views_wanted,
        )
    )
    fill = Fill(opening.folder, opening.asker, missing, opening.progress, opening.memo)
    fill.run(opening.rank, opening.processes)
    return True


def _say_faults(opening: Opening, shelves: list[Shelf]) -> None:
    for shelf in shelves:
        for file, why in shelf.faults:
            opening.progress.notice(
                t(
                    "{file} of the cache is not whole ({why}); it is made again.",
                    file=file.name,
                    why=why,
                ),
                warning=True,
            )


def _check_whole(opening: Opening, shelves: list[Shelf]) -> None:
    for shelf in shelves:
        if shelf.places.missing_NV.any():
            raise CacheError(
                "The cache {folder} still lacks signals after it was filled.",
                folder=opening.folder,
                fix="See whether something else deletes files there, and start again.",
            )
