"""Every picture is opened once: is it one, is it whole, what is its hash?

What was found is kept in an index by name, size and time of change.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.data.images import decode
from tandem.spec.errors import DataError
from tandem.spec.i18n import joined, t
from tandem.train.types import ProgressReporter

NAMED = 3
"""Bad files told in one sentence; the rest are counted."""
_CHUNK = 256
_INDEX_VERSION = 1
_NOT_AN_INDEX = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)

Columns = dict[str, NDArray[Any]]


def inspect(
    root: Path,
    paths: list[bytes],
    max_pixels: int,
    index_root: Path | None,
    progress: ProgressReporter,
) -> NDArray[np.uint8]:
    """(N, 16): blake2b of each file. DataError that names the first few bad files."""
    stats = [(root / os.fsdecode(path)).stat() for path in paths]
    now: Columns = {
        "paths": np.array(paths, dtype=np.bytes_),
        "sizes": np.array([one.st_size for one in stats], dtype=np.int64),
        "times": np.array([one.st_mtime_ns for one in stats], dtype=np.int64),
        "hashes": np.zeros((len(paths), 16), np.uint8),
        "pixels": np.zeros(len(paths), np.int64),
    }
    file = index_file(root, index_root) if index_root is not None and paths else None
    known = _load(file) if file is not None else None
    fresh = _recall(now, known, max_pixels)
    if len(fresh):
        _open_all(root, now, fresh, max_pixels, progress)
        if file is not None:
            _save(file, _merged(now, known))
    return now["hashes"]


def index_file(root: Path, index_root: Path) -> Path:
    """Where what is known of this folder's files is kept."""
    name = hashlib.blake2b(os.fsencode(root), digest_size=12).hexdigest()
    return index_root / f"{name}.npz"


def _recall(now: Columns, known: Columns | None, max_pixels: int) -> NDArray[np.int64]:
    """Fills in the files that are known; the rows of the others."""
    count = len(now["paths"])
    if known is None or not len(known["paths"]) or not count:
        return np.arange(count)
    order = np.argsort(known["paths"])
    places = np.searchsorted(known["paths"], now["paths"], sorter=order)
    at = order[np.minimum(places, len(order) - 1)]
    same = known["paths"][at] == now["paths"]
    for column in ("sizes", "times"):
        same &= known[column][at] == now[column]
    same &= known["pixels"][at] <= max_pixels
    now["hashes"][same] = known["hashes"][at[same]]
    now["pixels"][same] = known["pixels"][at[same]]
    return np.flatnonzero(~same)


def _open_all(
    root: Path, now: Columns, rows: NDArray[np.int64], max_pixels: int, progress: ProgressReporter
) -> None:
    """Hashes and sizes of these rows, by a thread for each core: decoding frees the lock."""
    faults: list[DataError] = []

    def open_one(row: int) -> None:
        path = root / os.fsdecode(bytes(now["paths"][row]))
        try:
            digest, now["pixels"][row] = opened(path, max_pixels)
            now["hashes"][row] = np.frombuffer(digest, np.uint8)
        except DataError as error:
            faults.append(error)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done, some in _chunks(rows):
            list(pool.map(open_one, some))
            progress.progress(t("checking pictures"), done, len(rows))
    if faults:
        raise all_faults(sorted(faults, key=str))


def opened(path: Path, max_pixels: int) -> tuple[bytes, int]:
    """Hash and number of pixels of one file; DataError when it is no whole picture."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            "The file {path} cannot be read: {reason}.",
            path=path,
            reason=error.strerror,
            fix="Check that it is there and that you may read it.",
        ) from error
    image = decode(BytesIO(content), str(path), max_pixels)
    return hashlib.blake2b(content, digest_size=16).digest(), image.width * image.height


def _chunks(rows: NDArray[np.int64]) -> Iterator[tuple[int, list[int]]]:
    for start in range(0, len(rows), _CHUNK):
        some = rows[start : start + _CHUNK].tolist()
        yield start + len(some), some


def all_faults(faults: list[DataError]) -> DataError:
    """One for all: the first few are named, the rest are counted."""
    if len(faults) == 1:
        return faults[0]
    sentences = joined(t(one.what, **one.fields) for one in faults[:NAMED])
    if len(faults) <= NAMED:
        return DataError("{faults}", faults=sentences, fix="Replace these files or take them away.")
    return DataError(
        "{count} pictures cannot be used. {faults} And {more} more.",
        count=len(faults),
        faults=sentences,
        more=len(faults) - NAMED,
        fix="Replace these files or take them away.",
    )


def _load(file: Path) -> Columns | None:
    """None where there is no index, or one that is torn: then every file is opened again."""
    try:
        with file.open("rb") as source, np.load(source, allow_pickle=False) as stored:
            if int(stored["version"]) != _INDEX_VERSION:
                return None
            columns = {
                name: stored[name] for name in ("paths", "sizes", "times", "hashes", "pixels")
            }
    except _NOT_AN_INDEX:
        return None
    count = len(columns["paths"])
    shapes = [columns[name].shape for name in ("sizes", "times", "pixels")]
    if shapes != [(count,)] * 3 or columns["hashes"].shape != (count, 16):
        return None
    return columns


def _merged(now: Columns, known: Columns | None) -> Columns:
    """Both, the newer where they speak of the same file: train and val share an index."""
    if known is None:
        return now
    old = ~np.isin(known["paths"], now["paths"])
    return {name: np.concatenate([known[name][old], now[name]]) for name in now}


def _save(file: Path, columns: Columns) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with part.open("wb") as out:
            np.savez(out, allow_pickle=False, version=np.array(_INDEX_VERSION), **columns)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
