"""Small texts beside pictures: label files and lists of classes, in UTF-8 or, told, in GBK."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path

from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.reading.files import LARGEST_TEXT_BYTES
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.split_names import split_of
from tandem.spec.errors import DataError

CLASS_LISTS = ("classes.txt", "predefined_classes.txt", "obj.names")
"""The names that Tandem and labelImg, labelImg's own list, and Darknet give the list of classes."""
TEXTS_LOOKED_AT = 20
_ALL_PAIRS = re.compile(rb"(?:[\x81-\xfe][\x80-\xfe]|[\x00-\x7f])*\Z")


def read_label_text(root: Path, file: Path, faults: Faults) -> str:
    """A text in UTF-8, or in GBK, as Chinese Windows writes it, which is told.

    DataError for what cannot be read, is far too large, or is in neither for certain.
    """
    try:
        if file.stat().st_size > LARGEST_TEXT_BYTES:
            raise DataError("{file} is too large to be read.", file=file, fix="Split it.")
        raw = file.read_bytes()
    except OSError as error:
        raise DataError(
            "The file {path} cannot be read: {reason}.",
            path=file,
            reason=error.strerror or str(error),
            fix="Check that it is there and that you may read it.",
        ) from error
    text = _decoded(raw)
    if text is None:
        raise DataError(
            "The file {path} is not UTF-8, nor is it GBK for certain.",
            path=file,
            fix="Save it as UTF-8.",
        )
    if not _is_utf8(raw):
        faults.add(os.path.relpath(file, root), 0, "it is not UTF-8; it was read as GBK",
                   warning=True)  # fmt: skip
    return text


def lines_of(text: str) -> list[str]:
    """Its lines as a file has them: a name may hold U+2028, at which `splitlines` would cut it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _decoded(raw: bytes) -> str | None:
    """UTF-8, with or without a mark, or GBK; None where it is neither for certain.

    Letters with accents of Western encodings before an ASCII letter would also be GBK: only pairs
    of bytes that are both above ASCII, as all common Chinese is, count.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if _ALL_PAIRS.match(raw) is None:
        return None
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError:
        return None


def read_label_json(root: Path, file: Path, faults: Faults) -> object:
    """Its value; DataError for what is no JSON, nested without end, or in no known encoding."""
    text = read_label_text(root, file, faults)
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            "{path} is no JSON: {reason}.",
            path=file,
            reason=str(error)[:120],
            fix="Mend it or take it away.",
        ) from error
    return found


def class_list(root: Path, faults: Faults, folders: tuple[str, ...] = ("",)) -> list[str] | None:
    """The names of a classes.txt in the first of the folders that has one; None without.

    An empty line before the last name is a fault: the numbers behind it are then nobody's.
    """
    places = [root / folder / name for folder in folders for name in CLASS_LISTS]
    file = next((one for one in places if one.is_file()), None)
    if file is None:
        return None
    names = [line.strip() for line in lines_of(read_label_text(root, file, faults).rstrip())]
    shown = os.path.relpath(file, root)
    for number, name in enumerate(names, 1):
        if not name and len(names) > 1:
            faults.add(shown, number, "the class has no name")
    return names if any(names) else []


def ordered_names(root: Path, names: set[str], faults: Faults) -> tuple[str, ...]:
    """Classes as a classes.txt orders them where it names them all, else sorted, which is told."""
    listed = class_list(root, faults)
    if not listed:
        return tuple(sorted(names))
    listed = [one for one in listed if one]
    missing = sorted(names - set(listed))
    if missing:
        faults.add("classes.txt", 0, "it lacks {names}; the classes are in the order of their "
                   "names", warning=True, names=", ".join(missing[:5]))  # fmt: skip
        return tuple(sorted(names | set(listed)))
    return tuple(dict.fromkeys(listed))


def is_label_line(line: str) -> bool:
    """Whether it is a box or an outline as YOLO writes them: a class's number, then numbers."""
    words = line.split()
    if len(words) < 5 or not words[0].isdecimal():
        return False
    try:
        return all(math.isfinite(float(word)) for word in words[1:])
    except ValueError:
        return False


def has_labels_beside(folder: FolderListing) -> bool:
    """Whether texts beside pictures are YOLO's labels, as labelImg writes them, not captions."""
    splits = [one for one in folder.folders() if split_of(one) is not None]
    places = ["", "images", "obj_train_data", *splits]
    return any(_are_labels(folder, place) for place in places)


def _are_labels(folder: FolderListing, place: str) -> bool:
    names = folder.names(place)
    stems = {Path(one).stem for one in names if is_image(one)}
    beside = [one for one in names if one.endswith(".txt") and Path(one).stem in stems]
    if not beside:
        return False
    lists = any(one in CLASS_LISTS for one in (*names, *folder.names()))
    lines = [
        line
        for one in beside[:TEXTS_LOOKED_AT]
        for line in folder.head(f"{place}/{one}" if place else one).decode("utf-8", "replace")
        .lstrip("\ufeff").splitlines()
        if line.strip()
    ]  # fmt: skip
    if not lines:
        return lists
    labels = sum(is_label_line(line) for line in lines)
    return labels == len(lines) or (lists and labels > 0)
