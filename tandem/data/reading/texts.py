"""Small texts beside pictures: label files and lists of classes, in UTF-8 or, told, in GBK."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tandem.data.content import Item, Shape
from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.reading.encodings import SHOWN, read_text
from tandem.data.reading.files import JsonObject, json_in
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.split_names import split_of

CLASS_LISTS = ("classes.txt", "predefined_classes.txt", "obj.names")
"""The names that Tandem and labelImg, labelImg's own list, and Darknet give the list of classes."""
TEXTS_LOOKED_AT = 20


def read_label_text(root: Path, file: Path, faults: Faults) -> str:
    """A text in UTF-8, or in UTF-16 or GBK, as Windows writes them, which is told.

    DataError for what cannot be read, is far too large, or is in none of these for certain.
    """
    text, encoding = read_text(file)
    if encoding in SHOWN:
        faults.add(os.path.relpath(file, root), 0, "it is not UTF-8; it was read as {encoding}",
                   warning=True, encoding=SHOWN[encoding])  # fmt: skip
    return text


def lines_of(text: str) -> list[str]:
    """Its lines as a file has them: a name may hold U+2028, at which `splitlines` would cut it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def json_lines(text: str, file: str, faults: Faults) -> Iterator[tuple[int, JsonObject]]:
    """The objects of JSONL, each with its line from 1; empty lines are left out."""
    # Not `splitlines`: a JSON text may hold U+2028 and its like, at which that would cut it.
    for line, one in enumerate(text.split("\n"), 1):
        if not one.strip():
            continue
        try:
            row = json.loads(one)
        except (ValueError, RecursionError):
            faults.add(file, line, "it is no JSON")
            continue
        if isinstance(row, dict):
            yield line, row
        else:
            faults.add(file, line, "it is no JSON object")


def read_label_json(root: Path, file: Path, faults: Faults) -> object:
    """Its value; DataError for what is no JSON, nested without end, or in no known encoding."""
    return json_in(read_label_text(root, file, faults), file)


def names_in(file: Path) -> tuple[str, ...]:
    """The names in a classes.txt by which labels go, whatever their numbers: a line each."""
    return tuple(one for one in lines_of(read_text(file)[0]) if one.strip())


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


def give_shapes(
    item: Item, named: Sequence[tuple[str, Shape]] | None, numbers: Mapping[str, int]
) -> Item:
    """The item with shapes that are known by their classes' names; None: nobody has looked."""
    if named is not None:
        item.shapes = []
        for name, shape in named:
            shape.label = numbers[name]
            item.shapes.append(shape)
    return item


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
