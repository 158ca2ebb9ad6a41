"""What the layouts' writers share: names below a split, files that appear whole, lines kept."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np

from tandem.data.content import Item
from tandem.data.reading.files import JsonObject, is_outside_name
from tandem.data.reading.split_names import split_of
from tandem.spec.errors import DataError

BLOCK_BYTES = 2**20


def check_class_lines(classes: Sequence[str]) -> None:
    """DataError for a name that would not be one line of a list, or not be read as it is."""
    for name in classes:
        # Of the letters below space, and four above, `splitlines` makes new lines.
        if not name.strip() or name != name.strip() or len(name.splitlines()) > 1 or any(
            ord(one) < ord(" ") for one in name
        ):  # fmt: skip
            raise DataError(
                "The class {name!r} cannot be written: it is empty, or begins or ends with a "
                "space, or does not fit into one line.",
                name=name,
                fix="Rename it.",
            )


def check_class_names(classes: Sequence[str]) -> None:
    """DataError for a name that could not be a folder's."""
    check_class_lines(classes)
    for name in classes:
        if is_outside_name(name):
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


@contextmanager
def writing_whole(file: Path) -> Iterator[TextIO]:
    """The same for what is written bit by bit: what would be too much to hold."""
    file.parent.mkdir(parents=True, exist_ok=True)
    hidden = file.with_name(f".{file.name[-100:]}.{os.getpid()}")
    try:
        with hidden.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out:
            yield out
        hidden.replace(file)
    finally:
        hidden.unlink(missing_ok=True)


def put_image(source: Path | None, target: Path) -> None:
    """A hard link where the file system gives one, else a copy; nothing without a source.

    DataError where another picture lies there: a label would then lie beside it.
    """
    if source is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except FileExistsError:
        _check_same(source, target)
    except OSError:
        if target.exists():
            _check_same(source, target)
            return
        hidden = target.with_name(f".{target.name[-100:]}.{os.getpid()}")
        shutil.copyfile(source, hidden)
        hidden.replace(target)


def _check_same(source: Path, target: Path) -> None:
    if source.samefile(target) or filecmp.cmp(source, target, shallow=False):
        return
    raise DataError(
        "{path} is another picture than {source}, and was left as it is.",
        path=target,
        source=source,
        fix="Name another output folder.",
    )


_LAYOUT_FOLDERS = frozenset({"images", "JPEGImages", "unlabeled", "/"})


def layout_folders(name: str) -> list[str]:
    """The leading folders of a path that are a layout's own, not the picture's: images, val."""
    found = []
    for part in Path(name).parts[:-1]:
        if part not in _LAYOUT_FOLDERS and split_of(part) is None:
            break
        found.append(part)
    return found


def placed(item: Item, source: Path | None = None) -> str:  # noqa: ARG001  plug-ins give it
    """Where an item goes in a layout: its path below its split's folder.

    It follows from the item alone, so that a writer opened again agrees with itself and needs to
    remember nothing. That no two items go to one place is for who calls the writer to see to:
    labels go by the name without its suffix.
    """
    name = item.name if item.written_as is None else os.fsdecode(item.written_as)
    return Path(*Path(name).parts[len(layout_folders(name)) :]).as_posix()


class Parts:
    """The items of a layout with one file for all, kept as they come: one line each.

    A line that a kill cut short is left out when the file is opened again.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            with file.open("r+b") as out:
                out.truncate(_end_of_lines(out))

    def add(self, row: JsonObject) -> None:
        """Append one line."""
        line = json.dumps(row, ensure_ascii=True) + "\n"
        with self.file.open("ab") as out:
            out.write(line.encode())

    def rows(self) -> Iterator[JsonObject]:
        """All, in the order in which their keys first came; of two with one key, the last.

        A row at a time: only rows that came again are looked up.
        """
        if not self.file.is_file():
            return
        last = self._last_places()
        with self.file.open("rb") as lines, self.file.open("rb") as again:
            for line in lines:
                row: JsonObject = json.loads(line)
                key = str(row["key"])
                if key not in last:
                    yield row
                elif (place := last[key]) is not None:
                    again.seek(place)
                    last[key] = None
                    yield json.loads(again.readline())

    def _last_places(self) -> dict[str, int | None]:
        """Where the last row begins of each key that came more than once."""
        hashes = np.fromiter((hash(key) for _, key in self._keys()), np.int64)
        hashes.sort()
        twice = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        if not twice:
            return {}
        return {key: place for place, key in self._keys() if hash(key) in twice}

    def _keys(self) -> Iterator[tuple[int, str]]:
        """Each row's place and key."""
        place = 0
        with self.file.open("rb") as lines:
            for line in lines:
                yield place, str(json.loads(line)["key"])
                place += len(line)


def _end_of_lines(file: BinaryIO) -> int:
    """Where the last whole line ends; looked for from the end, for the file may be large."""
    end = file.seek(0, os.SEEK_END)
    while end:
        begins = max(0, end - BLOCK_BYTES)
        file.seek(begins)
        place = file.read(end - begins).rfind(b"\n")
        if place >= 0:
            return begins + place + 1
        end = begins
    return 0
