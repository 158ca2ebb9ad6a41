"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tandem.spec.errors import DiskFullError
from tandem.spec.os_errors import Translated, is_disk_full

_MEGABYTES = 2**20


class FileNote(BaseModel):
    """How long a file is and its check sum."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    bytes: int
    crc32: int


def room(folder: Path) -> Translated:
    """A full disk, or a quota, becomes DiskFullError that says what to do."""

    def translate(error: Exception) -> DiskFullError | None:
        if isinstance(error, DiskFullError) or not is_disk_full(error):
            return None
        return DiskFullError(
            "No room for the teacher's signals in {folder}.",
            folder=folder,
            fix="Free some space (tandem cache gc removes old caches), or put the cache on "
            "another disk (cache.root). What is complete is kept: start again to go on.",
        )

    return Translated(translate)


def check_room(folder: Path, wanted_bytes: int) -> None:
    """DiskFullError before hours of work that cannot be kept."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if wanted_bytes > free:
        raise DiskFullError(
            "The teacher's signals need {wanted:,} MB in {folder}, where {free:,} MB are free.",
            wanted=wanted_bytes // _MEGABYTES + 1,
            folder=folder,
            free=free // _MEGABYTES,
            fix="Free some space (tandem cache gc removes old caches), put the cache on another "
            "disk (cache.root), or keep less: fewer views.count, cache.dims or cache.grid.",
        )


def write_array(path: Path, array: NDArray[np.generic]) -> FileNote:
    """An .npy file, on the disk before it has its name."""
    header = BytesIO()
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    body = memoryview(array.reshape(-1).view(np.uint8).data)
    return write_bytes(path, [memoryview(header.getvalue()), body])


def write_bytes(path: Path, pieces: list[memoryview]) -> FileNote:
    """The same of any bytes."""
    # Hidden and with the process in its name: two runs that write the same file do not write into
    # each other, and whichever renames last leaves the same bytes.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            for piece in pieces:
                out.write(piece)
            out.flush()
            # Before the name is there: after a power cut a name must not stand for empty blocks.
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    # The sum of what was to be written, not of what can be read back: `verify_cache` compares them.
    check = 0
    for piece in pieces:
        check = zlib.crc32(piece, check)
    return FileNote(bytes=sum(len(piece) for piece in pieces), crc32=check)


def crc32_of(path: Path) -> int:
    """The check sum of a whole file, read in pieces."""
    check = 0
    with path.open("rb") as file:
        while piece := file.read(2**22):
            check = zlib.crc32(piece, check)
    return check
