"""A ZIP that somebody sent, unpacked only when everything about it has been looked at."""

from __future__ import annotations

import errno
import os
import shutil
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tandem.data.progress import OnProgress
from tandem.data.zip_directory import BLOCK_BYTES
from tandem.data.zip_file import (
    DEFLATED,
    MOST_FILES,
    Member,
    ZipArchive,
    damaged,
    data_begins,
    lying,
)
from tandem.spec.errors import DataError, DiskFullError
from tandem.spec.i18n import t

SMALL_BYTES = 256 * 1024
"""Files up to this are unpacked in one go."""
LAYOUT_FOLDERS = frozenset({"train", "val", "images", "labels", "annotations", "unlabeled"})
EXTRA_BYTES = 30 + 2 * 1024
"""A file's own header: 30 bytes, its name and what a program adds; longer ones are read twice."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold."""

    files: int = MOST_FILES
    bytes: int = 500 * 2**30
    """Unpacked."""
    ratio: float = 200.0
    """The whole's bytes unpacked over packed: text compresses 20 times, a bomb a thousand."""


@dataclass
class _Whole:
    """What all files of an archive come to."""

    count: int = 0
    size: int = 0
    packed: int = 0
    around: list[str] | None = None
    """The folders that everything lies in; None before the first file."""

    def add(self, member: Member) -> None:
        self.count += 1
        self.size += member.size
        self.packed += member.packed
        folders = member.name.split("/")[:-1]
        if self.around is None:
            self.around = folders
        elif self.around != folders[: len(self.around)]:
            same = (one == other for one, other in zip(self.around, folders, strict=False))
            self.around = self.around[: next((n for n, one in enumerate(same) if not one),
                                             min(len(self.around), len(folders)))]  # fmt: skip

    def wrapping(self) -> str:
        """The folders to be taken off, unless they are a part of the layout; ends in `/`."""
        taken = []
        for folder in self.around or ():
            if folder in LAYOUT_FOLDERS:
                break
            taken.append(f"{folder}/")
        return "".join(taken)


def unpack(
    archive: Path, target: Path, limits: Limits | None = None, progress: OnProgress | None = None
) -> int:
    """Unpack into `target`, which must not be there; how many files it holds.

    Names, types, sizes and ratio are checked before a byte is written, sizes again as they come.
    A single folder around everything is taken off. The folder appears whole or not at all.
    Raises DataError in one sentence, DiskFullError.
    """
    limits = limits or Limits()
    # Beside the target: the rename at the end is one step only within a disk.
    hidden = target.with_name(f".{target.name}.unpacking.{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        with ZipArchive(archive, limits.files) as opened:
            whole = _checked(opened, limits)
            _check_room(target.parent, whole.size)
            _extract(opened, whole, hidden, progress)
        hidden.rename(target)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _no_room(whole.size, shutil.disk_usage(target.parent).free) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return whole.count


def _checked(opened: ZipArchive, limits: Limits) -> _Whole:
    whole = _Whole()
    twins = _Twins()
    for member in opened.members():
        whole.add(member)
        twins.add(member.name)
    if not whole.count:
        raise DataError("The archive holds no file.", fix="Put the data set into it.")
    _check_size(opened, whole, limits)
    twins.check(opened)
    return whole


def _check_size(opened: ZipArchive, whole: _Whole, limits: Limits) -> None:
    if whole.size > limits.bytes:
        raise DataError("Unpacked, the archive would have {size} bytes, more than {most}.",
                        size=whole.size, most=limits.bytes)  # fmt: skip
    # Small ones pass: a table of zeros shrinks a thousandfold and harms nobody.
    is_bomb = whole.size > 10 * BLOCK_BYTES and whole.size > limits.ratio * max(whole.packed, 1)
    # Files that share their bytes unpack to more than any of them says.
    if is_bomb or whole.packed > opened.size_bytes:
        raise DataError(
            "The archive unpacks to {times} times its size: it looks like a bomb.",
            times=whole.size // max(min(whole.packed, opened.size_bytes), 1),
            fix="Make it again without files of nothing but repetition.",
        )


class _Twins:
    """Two files of one name (also where only the case differs), or a file where a folder is.

    Kept as numbers of 64 bits: a million names are some 100 MB of text, and two that only share
    their number are told apart by a second look at the directory.
    """

    def __init__(self) -> None:
        self._files: set[int] = set()
        self._folders: set[int] = set()
        self._last_folder = ""
        self._twice: list[str] = []

    def add(self, name: str) -> None:
        # On macOS and Windows the second would be written over the first.
        key = name.casefold()
        number = hash(key)
        if number in self._files:
            self._twice.append(key)
        self._files.add(number)
        folder = key.rpartition("/")[0]
        if folder == self._last_folder:
            return
        self._last_folder = folder
        while folder:
            number = hash(folder)
            # Those above it are there as well, then.
            if number in self._folders:
                break
            self._folders.add(number)
            folder = folder.rpartition("/")[0]

    def check(self, opened: ZipArchive) -> None:
        """DataError for the first of each."""
        for key in self._twice[:100]:
            same = [one.name for one in opened.members() if one.name.casefold() == key]
            if len(same) > 1:
                raise DataError(
                    "The archive holds two files of one name: {one} and {other}.",
                    one=same[0],
                    other=same[1],
                    fix="Rename one of them.",
                )
        both = self._files & self._folders
        if not both:
            return
        for member in opened.members():
            key = member.name.casefold()
            if hash(key) in both and _is_folder(opened.members(), key):
                raise DataError(
                    "In the archive {name} is a file and a folder.",
                    name=member.name,
                    fix="Rename one.",
                )


def _is_folder(members: Iterable[Member], key: str) -> bool:
    return any(one.name.casefold().startswith(f"{key}/") for one in members)


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise _no_room(needed, free)


def _no_room(needed: int, free: int) -> DiskFullError:
    return DiskFullError(
        "The archive unpacks to {needed} bytes, but only {free} are free.",
        needed=needed,
        free=free,
        fix="Free some space.",
    )


def _extract(opened: ZipArchive, whole: _Whole, hidden: Path, progress: OnProgress | None) -> None:
    hidden.mkdir(parents=True)
    begins, base = len(whole.wrapping()), f"{hidden}/"
    reader = _InOrder(opened)
    for number, member in enumerate(opened.members(), 1):
        out = _created(base + member.name[begins:])
        try:
            if member.size <= SMALL_BYTES and member.packed <= SMALL_BYTES:
                _write(out, reader.read(member))
            else:
                for block in opened.blocks(member):
                    _write(out, block)
        finally:
            os.close(out)
        if progress is not None and number % 512 == 0:
            progress(number, whole.count)


def _created(file: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.open(file, flags, 0o666)
    except FileNotFoundError:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, flags, 0o666)


def _write(out: int, data: bytes) -> None:
    written = os.write(out, data)
    if written < len(data):
        left = memoryview(data)[written:]
        while left:
            left = left[os.write(out, left) :]


class _InOrder:
    """Small files one after the other, as they mostly lie: one call reads many of them."""

    def __init__(self, opened: ZipArchive) -> None:
        self._file = opened.descriptor()
        self._begins, self._held = 0, b""

    def read(self, member: Member) -> bytes:
        """The whole file. What it says of its size is not believed: more is refused."""
        head = self._at(member.at, min(member.packed + EXTRA_BYTES, SMALL_BYTES + EXTRA_BYTES))
        begins = data_begins(head, member)
        data = head[begins : begins + member.packed]
        if len(data) < member.packed:
            data = self._at(member.at + begins, member.packed)
        if len(data) < member.packed:
            raise damaged(member, t("it ends too soon"))
        if member.method == DEFLATED:
            data = _inflated(data, member)
        if len(data) != member.size:
            raise lying(member)
        if zlib.crc32(data) != member.crc:
            raise damaged(member, t("its checksum is another"))
        return data

    def _at(self, begins: int, length: int) -> bytes:
        """So many bytes from there, fewer at the file's end."""
        place = begins - self._begins
        if place < 0 or place + length > len(self._held):
            self._held = os.pread(self._file, max(length, BLOCK_BYTES), begins)
            self._begins, place = begins, 0
        return self._held[place : place + length]


def _inflated(data: bytes, member: Member) -> bytes:
    inflating = zlib.decompressobj(-15)
    try:
        # One more than it says: so one that lies is found out.
        made = inflating.decompress(data, member.size + 1)
    except zlib.error as error:
        raise damaged(member, str(error)) from error
    if inflating.unconsumed_tail or inflating.unused_data:
        raise lying(member)
    if not inflating.eof:
        made += inflating.flush()
    if not inflating.eof:
        raise damaged(member, t("it ends too soon"))
    return made
