"""An index of a data set for pages that show it: every item with its labels, found by number.

`python -m tandem.data.inspection.index FOLDER FILE` reads the layout once, in a process of its own,
and writes an SQLite file aside, which takes its name when it is whole.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tandem.data.content import IGNORED, Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.inspection.changes import plan_of, signature
from tandem.data.masks import item_mask
from tandem.data.reading.files import JsonObject, measure
from tandem.data.reading.split_names import SPLITS, split_of
from tandem.data.registry import read
from tandem.data.verification.support import class_counts, is_annotated
from tandem.spec.errors import DataError

MOST_OPENED = 2000
"""Masks and clips that are opened for their classes and sizes; the rest are shown without, and
the page says how many."""
MOST_SHAPES = 500
"""Shapes kept of one item; a page draws no more."""
MOST_LETTERS = 2000
MOST_LOOSE = 100_000
"""Pictures listed where no layout can be read."""
UNCLASSED = ("instruction", "caption")
_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE item (split TEXT, number INTEGER, name TEXT, picture BLOB, mask BLOB, width INTEGER,
  height INTEGER, labelled INTEGER, text TEXT, truth TEXT, PRIMARY KEY (split, number));
CREATE TABLE held (label INTEGER, split TEXT, number INTEGER, times INTEGER,
  PRIMARY KEY (label, split, number)) WITHOUT ROWID;
"""


@dataclass
class _OpenBudget:
    left: int = MOST_OPENED
    masks: int = 0
    """Whose classes were counted."""
    unopened: int = 0
    """Masks whose classes were not."""


def build(folder: Path, file: Path) -> None:
    """Write the index. What cannot be read as any layout is listed as loose pictures."""
    plan = plan_of(folder)
    about: JsonObject = {"plan": plan, "signature": signature(folder, plan), "message": None}
    try:
        content = read(folder, Faults(), masks=False)
    except (DataError, OSError) as error:
        about["message"] = error.sentence() if isinstance(error, DataError) else str(error)
        content = _loose(folder)
    about |= {"classes": list(content.classes), "kind": content.kind, "type": content.format}
    hidden = file.with_name(f".{file.name}.{os.getpid()}")
    hidden.unlink(missing_ok=True)
    try:
        with sqlite3.connect(hidden) as base:
            base.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_TABLES}")
            opened = _OpenBudget()
            for split, items in content.splits():
                _fill(base, content, split, items, opened)
            about |= {"masks_counted": opened.masks, "masks_uncounted": opened.unopened}
            rows = [(key, json.dumps(value)) for key, value in about.items()]
            base.executemany("INSERT INTO about VALUES (?, ?)", rows)
        base.close()
        hidden.replace(file)
    finally:
        hidden.unlink(missing_ok=True)


def _fill(
    base: sqlite3.Connection, content: Content, split: str, items: list[Item], opened: _OpenBudget
) -> None:
    for number, item in enumerate(items):
        image = _image(item)
        if item.frames and image is not None and opened.left > 0:
            opened.left -= 1
            middle = Item(image)
            measure(content.root, middle, Faults())
            item.width, item.height = middle.width, middle.height
        row = (
            split, number, _plain(item), image, item.mask, item.width or None,
            item.height or None, _is_labelled(content, item), _text(item),
            json.dumps(_truth(content, item)),
        )  # fmt: skip
        base.execute("INSERT INTO item VALUES (?,?,?,?,?,?,?,?,?,?)", row)
        held = _held(content, item, opened)
        base.executemany(
            "INSERT INTO held VALUES (?,?,?,?)",
            [(label, split, number, times) for label, times in held.items()],
        )


def _plain(item: Item) -> str:
    """Its name as JSON can carry it."""
    name = item.path.decode("utf-8", "replace")
    return f"{name}:{item.line}" if item.line else name


def _image(item: Item) -> bytes | None:
    """What stands for it; texts have none."""
    return None if item.text is not None and not item.width else item.shown


def _text(item: Item) -> str | None:
    if item.text is None:
        return None
    both = item.text if item.text_b is None else f"{item.text}\n{item.text_b}"
    return both[:MOST_LETTERS].encode("utf-8", "replace").decode()


def _is_labelled(content: Content, item: Item) -> bool:
    return is_annotated(item) or content.kind in UNCLASSED


def _truth(content: Content, item: Item) -> JsonObject | None:
    if not _is_labelled(content, item):
        return None
    return {
        "label": content.classes[item.label] if item.label >= 0 else None,
        "boxes": [_shape(content, one) for one in (item.shapes or [])[:MOST_SHAPES]],
        "has_mask": item.mask is not None,
    }


def _shape(content: Content, shape: Shape) -> JsonObject:
    left, top, right, bottom = (round(float(one), 2) for one in shape.bounds())
    told: JsonObject = {
        "label": content.classes[shape.label],
        "box": [left, top, round(right - left, 2), round(bottom - top, 2)],
        "confidence": shape.confidence,
    }
    if shape.outlines:
        told["outlines"] = [np.round(points, 2).tolist() for points in shape.outlines]
    elif shape.rle is not None:  # traced when it is shown: most never are
        counts = shape.rle.counts.decode("latin-1")
        told["rle"] = [shape.rle.height, shape.rle.width, counts]
    return told


def _held(content: Content, item: Item, opened: _OpenBudget) -> Counter[int]:
    """How many times it shows each class; a mask shows a class once."""
    found = class_counts([item])
    if item.mask is not None and opened.left <= 0:
        opened.unopened += 1
    elif item.mask is not None:
        opened.left -= 1
        opened.masks += 1
        found.update(_values(content, item))
    return found


def _values(content: Content, item: Item) -> Iterable[int]:
    try:
        values = np.unique(item_mask(content, item)).tolist()
    except DataError:
        return []
    return [int(one) for one in values if one != IGNORED and one < len(content.classes)]


def _loose(folder: Path) -> Content:
    """Pictures wherever they lie, by the folder at the top; links are not followed."""
    found: dict[str, list[Item]] = {split: [] for split in SPLITS}
    for count, path in enumerate(_walked(folder)):
        if count >= MOST_LOOSE:
            break
        item = Item(path)
        if measure(folder, item, Faults()):
            found[_split_of(item)].append(item)
    return Content(folder, "unknown", "unknown", (), found["train"], found["val"] or None,
                   test=found["test"] or None)  # fmt: skip


def _split_of(item: Item) -> str:
    """By the outermost of its folders that has a split's name; train where none has."""
    parts = Path(item.name).parts[:-1]
    return next((split for one in parts if (split := split_of(one)) is not None), "train")


def _walked(folder: Path) -> Iterator[bytes]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            path = Path(where, name)
            if is_image(name) and not name.startswith(".") and not path.is_symlink():
                yield os.fsencode(path.relative_to(folder))


if __name__ == "__main__":  # the service's own way: a process that may take its time
    build(Path(sys.argv[1]), Path(sys.argv[2]))
