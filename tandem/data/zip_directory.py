"""A ZIP's directory: its end record first, then line after line, a block of it in memory.

Python's `zipfile` holds an object of 700 bytes for each line before anybody can say that there are
too many.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tandem.spec.errors import DataError
from tandem.spec.i18n import t

BLOCK_BYTES = 2**20
_END = struct.Struct("<4s4H2LH")
_END_MARK, _END64_MARK, _LOCATOR_MARK = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_ENTRY_MARK = b"PK\1\2"
_LONGEST_COMMENT = 2**16
_IN_64 = 0xFFFFFFFF
_ZIP64_EXTRA, _UNICODE_PATH_EXTRA = 0x0001, 0x7075


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the directory, before anything about it is believed."""

    raw: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    at: int
    unicode_name: str | None


@dataclass(frozen=True)
class End:
    """What the end record says."""

    count: int
    begins: int
    size: int
    is_zip64: bool
    shift: int
    """Bytes before the archive proper: a program that unpacks itself."""


def find_end(file: int, size_bytes: int) -> End:
    """The end record, at the file's end but for a comment."""
    begins = max(0, size_bytes - _END.size - _LONGEST_COMMENT)
    tail = os.pread(file, size_bytes - begins, begins)
    place = tail.rfind(_END_MARK)
    while place >= 0:
        if place + _END.size <= len(tail):
            found = _END.unpack_from(tail, place)
            if place + _END.size + found[7] <= len(tail):
                return _read_end(file, begins + place, found)
        place = tail.rfind(_END_MARK, 0, place)
    raise no_zip(t("it has no end record"))


def _read_end(file: int, at: int, found: tuple[int, ...]) -> End:
    _, disk, first_disk, _, count, size, begins, _ = found
    if disk or first_disk:
        raise no_zip(t("it is one of several parts"))
    ends = at
    # PyTorch writes it in any case, also where all numbers would do without.
    wide = _read_end64(file, at)
    if wide is not None:
        ends, count, size, begins = wide
    shift = ends - size - begins
    if size > at or shift < 0:
        raise no_zip(t("its directory is not where its end says"))
    return End(count, begins + shift, size, wide is not None, shift)


def _read_end64(file: int, at: int) -> tuple[int, int, int, int] | None:
    """Where the directory ends, its count, size and beginning; None without such a record."""
    if at < _LOCATOR.size:
        return None
    mark, _, where, _ = _LOCATOR.unpack(os.pread(file, _LOCATOR.size, at - _LOCATOR.size))
    if mark != _LOCATOR_MARK:
        return None
    # Right before the locator, or where that says: what lies before the archive moves it.
    for place in (at - _LOCATOR.size - _END64.size, where):
        head = os.pread(file, _END64.size, place) if 0 <= place < at else b""
        if len(head) == _END64.size and head[:4] == _END64_MARK:
            *_, count, size, begins = _END64.unpack(head)
            return place, count, size, begins
    raise no_zip(t("its end record is cut"))


def entries(file: int, end: End) -> Iterator[Entry]:
    """The directory's lines, a block of it in memory."""
    at, ends = end.begins, end.begins + end.size
    buffer, place = b"", 0
    while True:
        if len(buffer) - place < _ENTRY.size + 3 * 0xFFFF and at < ends:
            more = os.pread(file, min(BLOCK_BYTES, ends - at), at)
            if not more:
                raise no_zip(t("its directory is cut"))
            at += len(more)
            buffer, place = buffer[place:] + more, 0
            continue
        if place == len(buffer):
            return
        if len(buffer) - place < _ENTRY.size:
            raise no_zip(t("its directory is cut"))
        entry, place = _entry(buffer, place)
        yield entry


def _entry(buffer: bytes, place: int) -> tuple[Entry, int]:
    """The line that begins at `place`, and where the next one does."""
    (mark, _, _, _, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes,
     comment_bytes, _, _, mode, at) = _ENTRY.unpack_from(buffer, place)  # fmt: skip
    if mark != _ENTRY_MARK:
        raise no_zip(t("its directory is damaged"))
    begins = place + _ENTRY.size
    middle = begins + name_bytes
    ends = middle + extra_bytes + comment_bytes
    if ends > len(buffer):
        raise no_zip(t("its directory is cut"))
    raw = buffer[begins:middle]
    named = None
    if extra_bytes:
        extra = buffer[middle : middle + extra_bytes]
        size, packed, at, named = _extras(extra, raw, size, packed, at)
    return Entry(raw, flags, method, crc, packed, size, mode >> 16, at, named), ends


def _extras(
    extra: bytes, raw: bytes, size: int, packed: int, at: int
) -> tuple[int, int, int, str | None]:
    """What does not fit the line itself: numbers of ZIP64, and Info-ZIP's name in UTF-8."""
    named, place = None, 0
    while place + 4 <= len(extra):
        key, length = struct.unpack_from("<2H", extra, place)
        data = extra[place + 4 : place + 4 + length]
        place += 4 + length
        if key == _ZIP64_EXTRA:
            wide = iter(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))
            try:
                size = next(wide) if size == _IN_64 else size
                packed = next(wide) if packed == _IN_64 else packed
                at = next(wide) if at == _IN_64 else at
            except StopIteration:
                raise no_zip(t("its directory is damaged")) from None
        # It holds only while nobody has changed the name beside it.
        elif key == _UNICODE_PATH_EXTRA and data[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
            named = data[5:].decode("utf-8", "replace")
    return size, packed, at, named


def no_zip(reason: str) -> DataError:
    """For what is no ZIP, or not all of one."""
    return DataError(
        "The archive is no whole ZIP file: {reason}.",
        reason=reason,
        fix="Make it again and send it again.",
    )
