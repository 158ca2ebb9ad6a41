"""A ZIP that somebody sent, unpacked only when everything about it has been looked at."""

from __future__ import annotations

import os
import shutil
import stat
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from tandem.data.progress import OnProgress
from tandem.spec.errors import DataError, DiskFullError

BLOCK_BYTES = 2**20
LEFT_OUT = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
UTF8_FLAG, ENCRYPTED_FLAG = 0x800, 0x1
LONGEST_NAME_BYTES = 1000
LONGEST_PART_BYTES = 255
"""What file systems take."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Limits:
    """What an archive may hold."""

    files: int = 2_000_000
    bytes: int = 500 * 2**30
    """Unpacked."""
    ratio: float = 200.0
    """The whole's bytes unpacked over packed: text compresses 20 times, a bomb a thousand."""


@dataclass(frozen=True)
class _Entry:
    info: zipfile.ZipInfo
    name: str


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
        with zipfile.ZipFile(archive) as opened:
            entries = _entries(opened, limits)
            _check_room(target.parent, sum(one.info.file_size for one in entries))
            _extract(opened, entries, hidden, progress)
        hidden.rename(target)
    except zipfile.BadZipFile as error:
        raise DataError(
            "The archive is no whole ZIP file: {reason}.",
            reason=str(error)[:120],
            fix="Make it again and send it again.",
        ) from error
    except (zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(
            "The archive is damaged: {reason}.",
            reason=str(error)[:120] or type(error).__name__,
            fix="Make it again and send it again.",
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return len(entries)


def _entries(opened: zipfile.ZipFile, limits: Limits) -> list[_Entry]:
    infos = opened.infolist()
    if len(infos) > limits.files:
        raise DataError("The archive holds {count} files, more than {most}.",
                        count=len(infos), most=limits.files)  # fmt: skip
    found, encoding = [], _encoding(infos)
    for info in infos:
        name = _name(info, encoding)
        _check_entry(info, name)
        if not info.is_dir() and not _is_left_out(name):
            found.append(_Entry(info, name))
    if not found:
        raise DataError("The archive holds no file.", fix="Put the data set into it.")
    _check_size(found, limits)
    found = _unwrapped(found)
    _check_twins(found)
    return found


def _encoding(infos: list[zipfile.ZipInfo]) -> str:
    """The encoding of names without a flag: one that is no UTF-8 speaks for all."""
    unsaid = [info.filename for info in infos if not info.flag_bits & UTF8_FLAG]
    return "utf-8" if all(_is_in(name, "utf-8") for name in unsaid) else "gb18030"


def _is_in(name: str, encoding: str) -> bool:
    try:
        # zipfile reads a name without the flag as cp437; taken back, these are the bytes that were
        # sent.
        name.encode("cp437", "replace").decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _name(info: zipfile.ZipInfo, encoding: str) -> str:
    """As it was meant: Windows writes GBK without saying so; DataError where it leads out."""
    name = info.filename
    if not info.flag_bits & UTF8_FLAG and _is_in(name, encoding):
        name = name.encode("cp437", "replace").decode(encoding)
    # macOS writes an accent as a letter of its own; a label file that names the picture may not.
    name = unicodedata.normalize("NFC", name)
    # Older Windows programs write `\`, in which `..\x` would be one harmless name.
    parts = name.replace("\\", "/").split("/")
    climbs = ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0]
    if climbs or "\0" in name or not name.strip("/"):
        raise DataError(
            "The archive names a file outside of its own folder: {name}.",
            name=name[:200],
            fix="Make it again from inside the data set's folder.",
        )
    longest = max(len(part.encode("utf-8", "surrogatepass")) for part in parts)
    whole = len(name.encode("utf-8", "surrogatepass"))
    if whole > LONGEST_NAME_BYTES or longest > LONGEST_PART_BYTES:
        raise DataError("A name in the archive is too long: {name}…", name=name[:80])
    return "/".join(part for part in parts if part not in ("", "."))


def _check_entry(info: zipfile.ZipInfo, name: str) -> None:
    # The upper half is Unix's mode; an archive made on Windows has 0 there.
    mode = info.external_attr >> 16
    file_type = stat.S_IFMT(mode)
    if file_type not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if file_type == stat.S_IFLNK else "a device or a pipe"
        raise DataError(
            "The archive holds {kind}, which is not taken: {name}.",
            kind=what,
            name=name[:200],
            fix="Put the file itself into it.",
        )
    if info.flag_bits & ENCRYPTED_FLAG:
        raise DataError("The archive is encrypted.", fix="Make it again without a password.")
    if info.compress_type not in METHODS:
        raise DataError(
            "The archive is compressed in a way that is not read: {name}.",
            name=name[:200],
            fix="Make it again with ordinary (deflate) compression.",
        )


def _is_left_out(name: str) -> bool:
    parts = name.split("/")
    return parts[0] in LEFT_OUT or parts[-1] in LEFT_OUT or parts[-1].startswith("._")


def _check_size(entries: list[_Entry], limits: Limits) -> None:
    whole = sum(one.info.file_size for one in entries)
    packed = sum(one.info.compress_size for one in entries)
    if whole > limits.bytes:
        raise DataError("Unpacked, the archive would have {size} bytes, more than {most}.",
                        size=whole, most=limits.bytes)  # fmt: skip
    # Small ones pass: a table of zeros shrinks a thousandfold and harms nobody.
    if whole > 10 * BLOCK_BYTES and whole > limits.ratio * max(packed, 1):
        raise DataError(
            "The archive unpacks to {times} times its size: it looks like a bomb.",
            times=whole // max(packed, 1),
            fix="Make it again without files of nothing but repetition.",
        )


def _unwrapped(entries: list[_Entry]) -> list[_Entry]:
    """Without the folders that everything lies in, unless they are a part of the layout."""
    while True:
        first = {one.name.split("/", 1)[0] for one in entries}
        if len(first) != 1 or any("/" not in one.name for one in entries):
            return entries
        if first & {"train", "val", "images", "labels", "annotations", "unlabeled"}:
            return entries
        entries = [_Entry(one.info, one.name.split("/", 1)[1]) for one in entries]


def _check_twins(entries: list[_Entry]) -> None:
    """Two files of one name (also where only the case differs), or a file where a folder is."""
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for one in entries:
        # On macOS and Windows the second would be written over the first.
        key = one.name.casefold()
        if key in seen:
            raise DataError(
                "The archive holds two files of one name: {one} and {other}.",
                one=seen[key],
                other=one.name,
                fix="Rename one of them.",
            )
        seen[key] = one.name
        parent = key
        while "/" in parent:
            parent = parent.rsplit("/", 1)[0]
            # Those above it are there as well, then: a million files are a million steps, not more.
            if parent in folders:
                break
            folders[parent] = one.name
    for key in folders.keys() & seen.keys():
        raise DataError(
            "In the archive {name} is a file and a folder.", name=seen[key], fix="Rename one."
        )


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskFullError(
            "The archive unpacks to {needed} bytes, but only {free} are free.",
            needed=needed,
            free=free,
            fix="Free some space.",
        )


def _extract(
    opened: zipfile.ZipFile, entries: list[_Entry], hidden: Path, progress: OnProgress | None
) -> None:
    made: set[str] = set()
    hidden.mkdir(parents=True)
    for number, one in enumerate(entries, 1):
        folder = one.name.rpartition("/")[0]
        if folder not in made:
            (hidden / folder).mkdir(parents=True, exist_ok=True)
            made.add(folder)
        _write(opened, one, hidden / one.name)
        if progress is not None and number % 512 == 0:
            progress(number, len(entries))


def _write(opened: zipfile.ZipFile, one: _Entry, file: Path) -> None:
    """One file. What it says of its size is not believed: more than that is refused."""
    size = one.info.file_size
    with opened.open(one.info) as source, file.open("xb") as out:
        if size <= BLOCK_BYTES:
            # One more than it says: so one that lies is found out.
            data = source.read(size + 1)
            left = size - len(data)
            out.write(data)
        else:
            left = size
            while block := source.read(BLOCK_BYTES):
                left -= len(block)
                out.write(block)
                if left < 0:
                    break
    if left != 0:
        raise DataError(
            "In the archive {name} is larger or smaller than it says.",
            name=one.name[:200],
            fix="Make it again.",
        )
