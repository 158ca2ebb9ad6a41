"""A ZIP read by our own rules: bounded before its directory is read, and named as it was meant.

Whoever opens a ZIP opens it here: an upload, an annotation, a page that shows a picture in one.
"""

from __future__ import annotations

import os
import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tandem.data.reading.encodings import is_rather_gbk
from tandem.data.zip_directory import BLOCK_BYTES, Entry, entries, find_end, no_zip
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

MOST_FILES = 1_000_000
"""More than a million pictures come as a folder, or in several archives."""
LEFT_OUT = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
LONGEST_NAME_BYTES = 1000
LONGEST_PART_BYTES = 255
"""What file systems take."""
DEEPEST = 100
"""Folders in folders; no file system's paths are much longer."""
STORED, DEFLATED = 0, 8
UTF8_FLAG, ENCRYPTED_FLAG = 0x800, 0x1

_LOCAL = struct.Struct("<4s2B4HL2L2H")
_LOCAL_MARK = b"PK\3\4"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    """As it was meant, relative, with `/`, its accents composed."""
    at: int
    """Where its own header begins, in bytes from the file's beginning."""
    packed: int
    """Bytes in the archive."""
    size: int
    """Bytes unpacked, as the directory says."""
    crc: int
    method: int
    """STORED or DEFLATED."""


class ZipArchive:
    """An open ZIP. DataError where it is none, lists too much, or names what leads out of it."""

    def __init__(self, path: Path, most_files: int = MOST_FILES) -> None:
        """The end record is read, the directory counted; no more is held than a block of it."""
        self.path = path
        try:
            self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise DataError(
                "The ZIP {path} cannot be read: {reason}.",
                path=path,
                reason=error.strerror or error,
                fix="Check that it is there and that you may read it.",
            ) from error
        try:
            self.size_bytes = os.fstat(self._file).st_size
            self._end = find_end(self._file, self.size_bytes)
            if self._end.count > most_files:
                raise _too_many(self._end.count, most_files)
            self._encoding = self._look_through(most_files)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def members(self) -> Iterator[Member]:
        """Its files in the order of the directory, without what a Mac or Windows adds.

        DataError for a link, a device, a name that leads out, encryption, or an odd compression.
        """
        for entry in entries(self._file, self._end):
            name = _name(entry, self._encoding)
            is_folder = name.endswith("/")
            _check(entry, name)
            if is_folder or is_left_out(name):
                continue
            yield Member(
                name, entry.at + self._end.shift, entry.packed, entry.size, entry.crc, entry.method
            )

    def find(self, name: str) -> Member | None:
        """The file of that name, by a look through the directory."""
        return next((one for one in self.members() if one.name == name), None)

    def read(self, member: Member) -> bytes:
        """All of one file. Threads may read at once. DataError where it is not what was said."""
        return b"".join(self.blocks(member))

    def blocks(self, member: Member) -> Iterator[bytes]:
        """The same in blocks: a large file is never whole in memory."""
        head = os.pread(self._file, _LOCAL.size, member.at)
        left, at = member.packed, member.at + data_begins(head, member)
        crc, made = 0, 0
        inflating = zlib.decompressobj(-15) if member.method == DEFLATED else None
        while left:
            packed = os.pread(self._file, min(left, BLOCK_BYTES), at)
            if not packed:
                raise damaged(member, t("it ends too soon"))
            left, at = left - len(packed), at + len(packed)
            while packed:
                block, packed = packed, b""
                if inflating is not None:
                    block, packed = _inflate(inflating, block, member)
                made += len(block)
                if made > member.size:
                    raise lying(member)
                crc = zlib.crc32(block, crc)
                yield block
        if inflating is not None:
            rest = inflating.flush()
            made, crc = made + len(rest), zlib.crc32(rest, crc)
            if rest:
                yield rest
        if made != member.size or (inflating is not None and not inflating.eof):
            raise lying(member)
        if crc != member.crc:
            raise damaged(member, t("its checksum is another"))

    def descriptor(self) -> int:
        """The open file's number, for who reads many members in a row."""
        return self._file

    def _look_through(self, most_files: int) -> str:
        """Count what is listed, whatever the end record says; the encoding of its names.

        One name without a flag that is no UTF-8 speaks for all: Windows writes GBK unsaid.
        """
        count, encoding = 0, "utf-8"
        for entry in entries(self._file, self._end):
            count += 1
            if count > most_files:
                raise _too_many(count, most_files)
            if encoding == "utf-8" and not entry.flags & UTF8_FLAG and not entry.raw.isascii():
                is_utf8 = _is_in(entry.raw, "utf-8") and not is_rather_gbk(entry.raw)
                encoding = "utf-8" if is_utf8 else "gb18030"
        # A Mac packs more than 65,535 files without ZIP64: the count has then gone round.
        difference = count - self._end.count
        if difference and (self._end.is_zip64 or difference % 65536):
            raise no_zip(t("its end says another number of files than its directory lists"))
        return encoding


def _is_in(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _name(entry: Entry, encoding: str) -> str:
    """As it was meant; a folder's ends in `/`. DataError where it leads out."""
    if entry.unicode_name is not None:
        name = entry.unicode_name
    elif entry.flags & UTF8_FLAG:
        name = entry.raw.decode("utf-8", "replace")
    else:
        name = entry.raw.decode(encoding if _is_in(entry.raw, encoding) else "cp437")
    # macOS writes an accent as a letter of its own; a label file that names the picture may not.
    name = name if name.isascii() else unicodedata.normalize("NFC", name)
    # Older Windows programs write `\`, in which `..\x` would be one harmless name.
    name = name.replace("\\", "/")
    parts = name.split("/")
    climbs = ".." in parts or name.startswith("/") or ":" in parts[0]
    if climbs or "\0" in name or not name.strip("/"):
        raise DataError(
            "The archive names a file outside of its own folder: {name}.",
            name=name[:200],
            fix="Make it again from inside the data set's folder.",
        )
    if _is_too_long(name, parts):
        raise DataError("A name in the archive is too long: {name}…", name=name[:80])
    is_folder = not parts[-1] or stat.S_ISDIR(entry.mode)
    return "/".join(part for part in parts if part not in ("", ".")) + ("/" if is_folder else "")


def _is_too_long(name: str, parts: list[str]) -> bool:
    if len(parts) > DEEPEST:
        return True
    if len(name) * 4 <= LONGEST_PART_BYTES:  # at most four bytes a letter
        return False
    longest = max(len(part.encode("utf-8", "surrogatepass")) for part in parts)
    whole = len(name.encode("utf-8", "surrogatepass"))
    return whole > LONGEST_NAME_BYTES or longest > LONGEST_PART_BYTES


def _check(entry: Entry, name: str) -> None:
    # An archive made on Windows says 0 of its type.
    file_type = stat.S_IFMT(entry.mode)
    if file_type not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if file_type == stat.S_IFLNK else "a device or a pipe"
        raise DataError(
            "The archive holds {kind}, which is not taken: {name}.",
            kind=what,
            name=name[:200],
            fix="Put the file itself into it.",
        )
    if entry.flags & ENCRYPTED_FLAG:
        raise DataError("The archive is encrypted.", fix="Make it again without a password.")
    if entry.method not in (STORED, DEFLATED):
        raise DataError(
            "The archive is compressed in a way that is not read: {name}.",
            name=name[:200],
            fix="Make it again with ordinary (deflate) compression.",
        )


def is_left_out(name: str) -> bool:
    """Whether it is what a Mac or Windows adds of its own."""
    parts = name.split("/")
    return parts[0] in LEFT_OUT or parts[-1] in LEFT_OUT or parts[-1].startswith("._")


def data_begins(head: bytes, member: Member) -> int:
    """How many bytes after its own header's beginning a file's data come. DataError."""
    if len(head) < _LOCAL.size or head[:4] != _LOCAL_MARK:
        raise damaged(member, t("its header is not where the directory says"))
    name_bytes, extra_bytes = struct.unpack_from("<2H", head, 26)
    return int(_LOCAL.size + name_bytes + extra_bytes)


def _inflate(inflating: zlib._Decompress, data: bytes, member: Member) -> tuple[bytes, bytes]:
    """A block, and what of the data is left for the next."""
    try:
        block = inflating.decompress(data, BLOCK_BYTES)
    except zlib.error as error:
        raise damaged(member, str(error)) from error
    if inflating.unused_data:
        raise lying(member)
    return block, inflating.unconsumed_tail


def damaged(member: Member, reason: str) -> DataError:
    """For a file in it that cannot be unpacked."""
    return DataError(
        "The archive is damaged: {reason}.",
        reason=f"{member.name[:200]}: {reason}"[:320],
        fix="Make it again and send it again.",
    )


def lying(member: Member) -> DataError:
    """For a file whose size in the directory is not its own."""
    return DataError(
        "In the archive {name} is larger or smaller than it says.",
        name=member.name[:200],
        fix="Make it again.",
    )


def _too_many(count: int, most: int) -> DataError:
    return DataError(
        "The archive holds {count} files, more than {most}.",
        count=count,
        most=most,
        fix="Send it in several archives, or put the folder on the service's disk.",
    )
