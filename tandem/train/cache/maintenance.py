"""What `tandem cache ls|verify|gc` shows and does."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tandem.train.cache.folder import LOCK, MANIFEST, Manifest, read_manifest
from tandem.train.cache.shards import damage, read_shards

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class CacheInfo:
    """One folder of a cache."""

    path: Path
    teacher: str
    """Fingerprint."""
    views: str
    """Fingerprint."""
    image_size: int
    parts: dict[str, int]
    """Rows (views of pictures) in each part."""
    bytes: int
    last_used: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class CacheFault:
    """A file that is not what it was when it was written."""

    path: Path
    reason: str


def list_caches(root: Path) -> list[CacheInfo]:
    """Every folder of the cache, the one used last first."""
    found = [_info(folder, manifest) for folder, manifest in _folders(root)]
    return sorted(found, key=lambda one: -one.last_used)


def verify_cache(root: Path, *, repair: bool = False) -> list[CacheFault]:
    """Read every byte. `repair` takes faulty shards away, so that the next run makes them again."""
    faults: list[CacheFault] = []
    for folder, _ in _folders(root):
        for part in _parts(folder):
            shards, bad = read_shards(part)
            faults += [CacheFault(file, why) for file, why in bad]
            for shard in shards:
                why = damage(shard)
                if why is not None:
                    faults.append(CacheFault(part / f"{shard.name}.json", why))
    if repair:
        for fault in faults:
            fault.path.unlink(missing_ok=True)
    return faults


def collect_garbage(
    root: Path,
    *,
    older_than_days: float | None = None,
    max_bytes: int | None = None,
    dry_run: bool = False,
) -> list[CacheInfo]:
    """Remove folders not used for so long, then the longest unused until the rest fits.

    Returns what is (or would be) removed. A folder that a run is filling stays.
    """
    caches = list_caches(root)
    oldest = time.time() - (older_than_days or 0) * _DAY_SECONDS
    gone = [one for one in caches if older_than_days is not None and one.last_used < oldest]
    kept = [one for one in caches if one not in gone]
    # `kept` is sorted by use, so the last is the longest unused.
    while max_bytes is not None and kept and sum(one.bytes for one in kept) > max_bytes:
        gone.append(kept.pop())
    if dry_run:
        return gone
    return [one for one in gone if _remove(one.path)]


def _remove(folder: Path) -> bool:
    lock = FileLock(folder / LOCK)
    try:
        with lock.acquire(timeout=0):
            # The manifest goes first: what is left of a removal that is cut short is no cache.
            (folder / MANIFEST).unlink()
            shutil.rmtree(folder)
    except Timeout:
        return False
    return True


def _folders(root: Path) -> Iterator[tuple[Path, Manifest]]:
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        manifest = read_manifest(folder) if folder.is_dir() else None
        if manifest is not None:
            yield folder, manifest


def _parts(folder: Path) -> list[Path]:
    return [one for one in sorted(folder.iterdir()) if one.is_dir()]


def _info(folder: Path, manifest: Manifest) -> CacheInfo:
    parts = {part.name: sum(s.note.rows for s in read_shards(part)[0]) for part in _parts(folder)}
    return CacheInfo(
        folder,
        manifest.teacher,
        manifest.views,
        manifest.image_size,
        parts,
        sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        (folder / MANIFEST).stat().st_mtime,
    )
