"""From a teacher and a request to a source of signals: from the cache, or the teacher itself.

Several processes of one run fill one folder together. They meet at barriers: what one of them
decides by looking at the folder (what is missing, which components there are), all must decide
before any of them changes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from tandem.spec.errors import CacheError
from tandem.spec.i18n import t
from tandem.train.cache.components import REDUCTION, find_components, fit_components
from tandem.train.cache.disk import room
from tandem.train.cache.fill import Fill, Memo
from tandem.train.cache.folder import LOCK, claim, holds_others
from tandem.train.cache.parts import SignalPart, row_bytes, wanted_parts
from tandem.train.cache.request import SourceRequest, SourceSetup
from tandem.train.cache.shards import KEY, damage, keys_of
from tandem.train.cache.sources import CachedSource, OnlineSource, Shelf
from tandem.train.cache.teacher_calls import TeacherCalls
from tandem.train.cache.verify import verify
from tandem.train.types import ImageTable, Teacher

_LOCK_SECONDS = 5.0


@dataclass(frozen=True)
class CacheSession:
    """One call of `open_source` on the folder of a cache."""

    calls: TeacherCalls
    folder: Path
    memo: Memo = field(default_factory=dict)

    @property
    def request(self) -> SourceRequest:
        return self.calls.request

    @property
    def setup(self) -> SourceSetup:
        return self.calls.setup

    @property
    def table(self) -> ImageTable:
        return self.calls.table

    @property
    def parts(self) -> list[SignalPart]:
        """What is wanted, without the components, which are found or fitted."""
        return wanted_parts(self.request.wanted, self.setup.cache, self.calls.grid)


def open_source(
    teacher: Teacher, request: SourceRequest, setup: SourceSetup
) -> CachedSource | OnlineSource:
    """The teacher's signals of every row in its first `view_count` views.

    With `setup.cache.mode` on, what is missing on disk is asked for first; several processes share
    that. Raises DiskFullError, CacheError when what is kept contradicts the teacher, and what the
    teacher raises.
    """
    calls = TeacherCalls(teacher, request, setup)
    cache = setup.cache
    if cache.mode == "off":
        wanted = wanted_parts(request.wanted, cache, calls.grid)
        return OnlineSource(calls, fit_components(calls, wanted, {}, setup.progress))
    assert cache.root is not None, "completed() gives the cache a root"
    return _cached(CacheSession(calls, _folder(teacher, request, cache.root)))


def _folder(teacher: Teacher, request: SourceRequest, root: Path) -> Path:
    # Short, as a path may be long already; the whole fingerprints are in the folder's manifest.
    return root / f"{teacher.fingerprint[:16]}-{request.views.fingerprint[:8]}"


def kept_bytes(calls: TeacherCalls) -> int:
    """What the cache of a request takes on disk, but for its files' heads; by figures alone.

    A copy of an image in the table is kept once. 0 without a cache.
    """
    request, cache = calls.request, calls.setup.cache
    if cache.mode == "off":
        return 0
    width, classes = calls.teacher.width, len(request.table.classes)
    parts = wanted_parts(request.wanted, cache, calls.grid)
    row = sum(KEY.itemsize + row_bytes(part, width, calls.cells, classes) for part in parts)
    return int(_first_of_each(request.table).sum()) * request.view_count * row


def lacking(calls: TeacherCalls) -> int:
    """How many inputs the teacher would be asked about before a request is answered.

    Looks at the cache's folder, and asks and changes nothing. 0 without a cache: each step asks.
    """
    request, cache = calls.request, calls.setup.cache
    if cache.mode == "off" or cache.root is None:
        return 0
    session = CacheSession(calls, _folder(calls.teacher, request, cache.root))
    first_N = _first_of_each(session.table)
    known = [find_components(part, session.folder, session.table) for part in session.parts]
    found = [part for part in known if part is not None]
    if len(found) < len(known):
        return int(first_N.sum()) * request.view_count
    missing = [shelf.places.missing_NV for shelf in _shelves(session, found)]
    return int((np.any(missing, axis=0) & first_N[:, None]).sum())


def _cached(session: CacheSession) -> CachedSource:
    barrier = session.setup.barrier
    with _locked(session):
        verified = 0
        if session.setup.rank == 0:
            claim(session.folder, session.calls.teacher, session.request.views)
            verified = _prepare(session)
        # The first process has written the components that the others now read.
        barrier()
        parts = [_reduced(session, part) for part in session.parts]
        shelves = _shelves(session, parts)
        # All must see the same shards missing before the first new one is written: who makes which
        # follows from that.
        barrier()
        filled = _fill(session, shelves)
        # Every process's new shards are there.
        barrier()
        if filled:
            shelves = _shelves(session, parts)
        # Nobody deletes or fills before every process has opened what it reads.
        barrier()
    _check_whole(session, shelves)
    calls = session.calls
    return CachedSource(shelves, calls.grid, session.setup.device, calls.forwards, verified)


@contextmanager
def _locked(session: CacheSession) -> Iterator[None]:
    """The first process holds the folder's lock for all of its run; another run waits."""
    setup = session.setup
    if setup.rank != 0:
        setup.barrier()
        yield
        return
    with room(session.folder):
        session.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(session.folder / LOCK)
    said = False
    while not lock.is_locked:
        try:
            # Not waited for in one go: each progress proves that this run is alive, and is where
            # a stop is noticed.
            lock.acquire(timeout=_LOCK_SECONDS if said else 0)
        except Timeout:
            if not said:
                setup.progress.notice(
                    t("Another run is filling the cache {folder}; waiting.", folder=session.folder)
                )
            said = True
            setup.progress.progress(t("waiting for the cache"), 0, 1)
    try:
        # The others start only now: they must not look before the lock is held.
        setup.barrier()
        yield
    finally:
        lock.release()


def _prepare(session: CacheSession) -> int:
    """What the first process does alone: checks and components. How many rows were verified."""
    calls, folder, progress = session.calls, session.folder, session.setup.progress
    known = [find_components(part, folder, session.table) for part in session.parts]
    shelves = _shelves(session, [part for part in known if part is not None])
    _say_faults(session, shelves)
    if _drop_damaged(session, shelves):
        shelves = _shelves(session, [part for part in known if part is not None])
    # A part that has nothing of this table cannot contradict the teacher about it.
    shelves = [shelf for shelf in shelves if not shelf.places.missing_NV.all()]
    verified = verify(calls, shelves, session.setup.cache.verify_samples, folder)
    if not shelves and holds_others(folder, session.table):
        progress.notice(
            t(
                "{root} keeps signals of these samples from another teacher or in other views; "
                "they are not used.",
                root=folder.parent,
            )
        )
    fresh = [part for part, old in zip(session.parts, known, strict=True) if old is None]
    for part in fit_components(calls, fresh, session.memo, progress):
        assert part.reduction is not None
        part.reduction.save(folder / part.name / REDUCTION)
    return verified


def _reduced(session: CacheSession, part: SignalPart) -> SignalPart:
    whole = find_components(part, session.folder, session.table)
    assert whole is not None, "the first process has fitted it"
    return whole.to(session.setup.device)


def _shelves(session: CacheSession, parts: list[SignalPart]) -> list[Shelf]:
    return [
        Shelf(session.folder / part.name, part, session.table, session.request.view_count)
        for part in parts
    ]


def _fill(session: CacheSession, shelves: list[Shelf]) -> bool:
    """Ask for what is missing; whether anything was."""
    first_N = _first_of_each(session.table)
    missing = {shelf.part: shelf.places.missing_NV & first_N[:, None] for shelf in shelves}
    lacking = int(np.any(list(missing.values()), axis=0).sum())
    if not lacking:
        return False
    session.setup.progress.notice(
        t(
            "The cache lacks {count} of {total} views of samples: the teacher is asked for them.",
            count=lacking,
            total=int(first_N.sum()) * session.request.view_count,
        )
    )
    Fill(session.folder, session.calls, missing, session.memo).run()
    return True


def _first_of_each(table: ImageTable) -> NDArray[np.bool_]:
    """(N,) A picture that is in the table twice has one key: it is asked for once, and the second
    row finds the first one's signals."""
    first_N = np.zeros(len(table), np.bool_)
    first_N[np.unique(keys_of(table.hashes_N, 0), return_index=True)[1]] = True
    return first_N


def _say_faults(session: CacheSession, shelves: list[Shelf]) -> None:
    for shelf in shelves:
        for file, why in shelf.faults:
            _say_fault(session, file.name, why)


def _say_fault(session: CacheSession, name: str, why: str) -> None:
    session.setup.progress.notice(
        t("{file} of the cache is not whole ({why}); it is made again.", file=name, why=why),
        warning=True,
    )


def _drop_damaged(session: CacheSession, shelves: list[Shelf]) -> bool:
    """Read what this run is about to use by its check sums; whether a shard was taken away.

    A byte that has turned would else be learnt from: its length tells nothing. The pages that are
    read here are those that the first epoch asks for.
    """
    used = [
        shelf.shards[number]
        for shelf in shelves
        for number in np.unique(shelf.places.shard_NV[shelf.places.shard_NV >= 0]).tolist()
    ]
    dropped = False
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for done, (shard, why) in enumerate(zip(used, pool.map(damage, used), strict=True), 1):
            session.setup.progress.progress(t("checking the cache"), done, len(used))
            if why is None:
                continue
            _say_fault(session, shard.name, why)
            # Without its note there is no shard: what it held is missing, and is asked for.
            (shard.folder / f"{shard.name}.json").unlink(missing_ok=True)
            dropped = True
    return dropped


def _check_whole(session: CacheSession, shelves: list[Shelf]) -> None:
    for shelf in shelves:
        if shelf.places.missing_NV.any():
            raise CacheError(
                "The cache {folder} still lacks signals after it was filled.",
                folder=session.folder,
                fix="See whether something else deletes files there, and start again.",
            )
