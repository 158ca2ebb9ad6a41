"""One part of the teacher's signals on disk: shards of rows, found by content hash and view."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from tandem.spec.i18n import t
from tandem.train.cache.disk import FileNote, crc32_of, room, write_array, write_bytes

KEY = np.dtype("S18")
"""16 bytes of content hash and 2 of the view's number. NumPy drops zero bytes at the end of an
S18 and adds them again, so equal keys stay equal and different ones different."""
FORMAT = 1
_NO_ARRAY = (OSError, ValueError, EOFError)

Keys = NDArray[np.bytes_]
Arrays = dict[str, NDArray[np.generic]]
"""`data`, and `scale` for int8: the rows of one shard."""


class ShardNote(BaseModel):
    """The `.json` beside a shard, written last: without it there is no shard."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    format: int
    rows: int
    files: dict[str, FileNote]


@dataclass(frozen=True)
class Shard:
    """One whole shard."""

    folder: Path
    name: str
    note: ShardNote

    def path(self, what: str) -> Path:
        """The file of `keys`, `data` or `scale`."""
        return self.folder / f"{self.name}.{what}.npy"

    def read(self, what: str, *, mapped: bool = False) -> NDArray[np.generic]:
        """One of its arrays; `mapped` leaves it on the disk."""
        array: NDArray[np.generic] = np.load(
            self.path(what), mmap_mode="r" if mapped else None, allow_pickle=False
        )
        return array

    def keys(self) -> Keys:
        return np.ascontiguousarray(self.read("keys")).view(KEY).reshape(-1)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.note.files.values())


def keys_of(hashes_N: NDArray[np.uint8], view_N: NDArray[np.int64] | int) -> Keys:
    """One key for each pair of picture and view."""
    # Little-endian on every machine: the bytes are what is compared, and a cache may be copied.
    raw = np.empty((len(hashes_N), KEY.itemsize), np.uint8)
    raw[:, :16] = hashes_N
    views_N = np.broadcast_to(np.asarray(view_N, "<u2"), len(raw))
    raw[:, 16:] = np.ascontiguousarray(views_N).view(np.uint8).reshape(-1, 2)
    return raw.view(KEY).reshape(-1)


def write_shard(folder: Path, keys: Keys, arrays: Arrays) -> None:
    """DiskFullError, and no shard, when there is no room."""
    raw = np.ascontiguousarray(keys).view(np.uint8).reshape(-1, KEY.itemsize)
    # Named by its rows: a fill that is repeated writes the same files again, under any process.
    name = f"shard-{hashlib.blake2b(raw.tobytes(), digest_size=8).hexdigest()}"
    with room(folder):
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            what: write_array(folder / f"{name}.{what}.npy", array)
            for what, array in {"keys": raw, **arrays}.items()
        }
        note = ShardNote(format=FORMAT, rows=len(raw), files=files)
        write_bytes(folder / f"{name}.json", [memoryview(note.model_dump_json().encode())])


def read_shards(folder: Path) -> tuple[list[Shard], list[tuple[Path, str]]]:
    """The whole shards of a folder in the order of their names, and the faulty ones with why."""
    good: list[Shard] = []
    bad: list[tuple[Path, str]] = []
    # Sorted: where a key is in two shards, every process must take the same one.
    for file in sorted(folder.glob("shard-*.json")):
        try:
            note = ShardNote.model_validate_json(file.read_bytes())
        except (ValidationError, OSError) as error:
            bad.append((file, t("not a shard's note: {error}", error=type(error).__name__)))
            continue
        shard = Shard(folder, file.stem, note)
        fault = _fault(shard)
        if fault is None:
            good.append(shard)
        else:
            bad.append((file, fault))
    return good, bad


def _fault(shard: Shard) -> str | None:
    """What the length of the files and their headers tell, without reading them."""
    if shard.note.format != FORMAT:
        return t("format {format}", format=shard.note.format)
    if not {"keys", "data"} <= shard.note.files.keys() <= {"keys", "data", "scale"}:
        return t("files missing in its note")
    for what, note in shard.note.files.items():
        path = shard.path(what)
        try:
            found = path.stat().st_size
        except OSError:
            return t("{name} is missing", name=path.name)
        if found != note.bytes:
            return t(
                "{name} has {found} bytes, not {wanted}",
                name=path.name,
                found=found,
                wanted=note.bytes,
            )
        try:
            # Mapped, so that only the header is read: there may be thousands of shards.
            rows = len(shard.read(what, mapped=True))
        except _NO_ARRAY as error:
            return t("{name} is no array: {error}", name=path.name, error=error)
        if rows != shard.note.rows:
            return t(
                "{name} has {found} rows, not {wanted}",
                name=path.name,
                found=rows,
                wanted=shard.note.rows,
            )
    return None


def damage(shard: Shard) -> str | None:
    """What reading every byte tells."""
    for what, note in shard.note.files.items():
        if crc32_of(shard.path(what)) != note.crc32:
            return t("{name} has changed since it was written", name=shard.path(what).name)
    return None
