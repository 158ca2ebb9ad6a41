"""What the layouts' writers share: names below a split, files that appear whole, lines kept."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tandem.data.content import Item
from tandem.data.images import SUFFIXES
from tandem.data.reading.files import JsonObject, is_outside_name
from tandem.data.reading.split_names import split_of
from tandem.spec.errors import DataError


def check_class_names(classes: tuple[str, ...]) -> None:
    """DataError for a name that could not be a folder's, or would leave its place in a list."""
    for name in classes:
        if is_outside_name(name) or any(ord(one) < ord(" ") for one in name):
            raise DataError(
                "The class {name!r} cannot be written: it is no name that a folder could have.",
                name=name,
                fix="Rename it.",
            )


def write_whole(file: Path, content: str | bytes) -> None:
    """Written aside and renamed: nobody sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    hidden = file.with_name(f".{file.name[-100:]}.{os.getpid()}")
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    hidden.write_bytes(data)
    hidden.replace(file)


def put_image(source: Path | None, target: Path) -> None:
    """A hard link where the file system gives one, else a copy; nothing without a source."""
    if source is None or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        hidden = target.with_name(f".{target.name[-100:]}.{os.getpid()}")
        shutil.copyfile(source, hidden)
        hidden.replace(target)


_UPPER_FOLDERS = frozenset({"images", "JPEGImages", "unlabeled", "/"})


def placed(item: Item, source: Path | None) -> str:
    """Where an item goes in a layout: its path below its split's folder.

    It follows from the item and its neighbours alone, so that a writer opened again agrees with
    itself, and needs to remember nothing. Two pictures that differ only in their suffix get it
    into their names: labels go by the name without it.
    """
    parts = list(Path(item.name).parts)
    while len(parts) > 1 and (parts[0] in _UPPER_FOLDERS or split_of(parts[0]) is not None):
        parts.pop(0)
    path = Path(*parts)
    if source is not None and _has_twin(source):
        path = path.with_name(f"{path.stem}_{path.suffix[1:]}{path.suffix}")
    return path.as_posix()


def _has_twin(source: Path) -> bool:
    others = (source.with_suffix(one) for one in SUFFIXES)
    return any(one.name != source.name and one.is_file() for one in others)


class Parts:
    """The items of a layout with one file for all, kept as they come: one line each.

    A line that a kill cut short is left out when the file is opened again.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            whole = file.read_bytes()
            end = whole.rfind(b"\n") + 1
            if end != len(whole):
                with file.open("r+b") as out:
                    out.truncate(end)

    def add(self, row: JsonObject) -> None:
        """Append one line."""
        line = json.dumps(row, ensure_ascii=True) + "\n"
        with self.file.open("ab") as out:
            out.write(line.encode())

    def rows(self) -> list[JsonObject]:
        """All, in order; of two with one key, the last."""
        if not self.file.is_file():
            return []
        found: dict[str, JsonObject] = {}
        with self.file.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                found[str(row["key"])] = row
        return list(found.values())
