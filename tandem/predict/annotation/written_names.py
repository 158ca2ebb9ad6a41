"""Under which name each item's label is written: no two of an output folder share one.

Pictures of one name in train/, val/ and images/, or two that differ in their suffix alone, are one
name to a layout. Who came first keeps it; the others get a number. The names lie in an SQLite file
in the output, so that memory stays flat, a job that goes on agrees with itself, and a second job
writes over nothing but labels of the same pictures.
"""

from __future__ import annotations

import os
import re
import sqlite3
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tandem.data.reading.split_names import split_of
from tandem.data.registry import find
from tandem.data.writing.files import layout_folders

FILE = ".tandem-names.sqlite"
WAIT_SECONDS = 600.0
"""Another job of the same output is listing its pictures."""
KEEPS_FOLDERS = "labelme"
_FRAME = re.compile(r"(.*?)\d{6,}", re.DOTALL)


def split_in(name: str, writer: str) -> str:
    """LabelMe keeps the folders that the pictures lie in; other layouts know their splits."""
    leading = layout_folders(name)
    if writer == KEEPS_FOLDERS:
        return "/".join(leading)
    splits = {split_of(one) for one in leading}
    return next((one for one in ("test", "val") if one in splits), "train")


class WrittenNames:
    """The names of one output folder; use it within `opened`."""

    def __init__(self, database: sqlite3.Connection, writer: str, classes: Collection[str]) -> None:
        self._database, self._writer = database, writer
        self._flat = find(writer).flat
        self._classes = frozenset(classes) if writer == "classification" else frozenset[str]()

    def of(self, source: bytes, name: str, *, has_twin: bool, is_video: bool) -> str:
        """What to write an item under; of a video, the folder that its frames have.

        `source` says which file it is, of all there are: the same one has the same name again.
        """
        known = self._database.execute(
            "SELECT written FROM names WHERE writer = ? AND source = ?", (self._writer, source)
        ).fetchone()
        if known is not None:
            return os.fsdecode(known[0])
        for number, written in self._candidates(name, has_twin=has_twin, is_video=is_video):
            if self._take(source, written, is_video=is_video):
                if number > 1:  # who comes next begins here
                    self._database.execute(
                        "INSERT OR REPLACE INTO numbers VALUES (?, ?)", (self._base(name), number)
                    )
                return written
        raise AssertionError("there is always another number")

    def _candidates(
        self, name: str, *, has_twin: bool, is_video: bool
    ) -> Iterator[tuple[int, str]]:
        path = PurePosixPath(self._apart(name))
        suffix = "" if is_video else path.suffix
        stem = path.stem + (f"_{path.suffix[1:]}" if has_twin else "")
        yield 0, str(path.with_name(stem + suffix))
        last = self._database.execute(
            "SELECT number FROM numbers WHERE base = ?", (self._base(name),)
        ).fetchone()
        number = 0 if last is None else int(last[0])
        while True:
            number += 1
            yield number, str(path.with_name(f"{stem}_{number}{suffix}"))

    def _base(self, name: str) -> bytes:
        return os.fsencode(f"{self._writer}\0{self._key(name)}")

    def _apart(self, name: str) -> str:
        """An image folder takes off a folder that is called as the class that is then predicted."""
        leading = layout_folders(name)
        below = name.split("/")[len(leading) :]
        if len(below) > 1 and below[0] in self._classes:
            return "/".join([*leading, "__".join(below)])
        return name

    def _take(self, source: bytes, written: str, *, is_video: bool) -> bool:
        """Whether it was free; it is then taken."""
        key = self._key(f"{written}/.frame" if is_video else written)
        if is_video:
            key = key.removesuffix(".frame")
        if self._is_among_frames(key, is_video=is_video):
            return False
        row = (self._writer, os.fsencode(("v" if is_video else "p") + key), source)
        done = self._database.execute(
            "INSERT OR IGNORE INTO names (writer, key, source, written) VALUES (?, ?, ?, ?)",
            (*row, os.fsencode(written)),
        )
        return done.rowcount == 1

    def _is_among_frames(self, key: str, *, is_video: bool) -> bool:
        """A picture called as a video's frame would be, or a video whose frames would."""
        if not is_video:
            match = _FRAME.fullmatch(key)
            return match is not None and any(
                self._has(f"v{match[1]}{digits}") for digits in _tails(match[1], key)
            )
        begins = os.fsencode(f"p{key}")
        found = self._database.execute(
            "SELECT key FROM names WHERE writer = ? AND key >= ? AND key < ?",
            (self._writer, begins, begins + b"\xff"),
        )
        return any(one[0][len(begins) :].isdigit() for one in found)

    def _has(self, key: str) -> bool:
        found = self._database.execute(
            "SELECT 1 FROM names WHERE writer = ? AND key = ?", (self._writer, os.fsencode(key))
        )
        return found.fetchone() is not None

    def _key(self, written: str) -> str:
        """What two names share that would be one file to the layout."""
        split = split_in(written, self._writer)
        parts = PurePosixPath(written).parts[len(layout_folders(written)) :]
        below = PurePosixPath(*parts)
        if self._writer == "sequence":  # a clip's folder in its class's
            return _loose(f"{split}/{below.name}")
        stem = below.with_suffix("") if below.suffix != below.name else below
        if self._writer == KEEPS_FOLDERS:
            return f"{split}/{stem}"
        flattened = _loose("__".join(stem.parts))
        return flattened if self._flat else f"{split}/{flattened}"


def _loose(name: str) -> str:
    """macOS and Windows take names that differ in case, or in how an accent is coded, for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _tails(begins: str, key: str) -> Iterator[str]:
    """A frame's number has six digits or more: where the video's own name ends is open."""
    digits = key[len(begins) :]
    for length in range(len(digits) - 5):
        yield digits[:length]


@contextmanager
def opened(folder: Path, writer: str, classes: Collection[str]) -> Iterator[WrittenNames]:
    """The names of an output folder, kept when the block ends well, and not at all otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(folder / FILE, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "CREATE TABLE IF NOT EXISTS names (writer TEXT, key BLOB, source BLOB, written BLOB, "
            "PRIMARY KEY (writer, key)) WITHOUT ROWID"
        )
        database.execute("CREATE UNIQUE INDEX IF NOT EXISTS by_source ON names (writer, source)")
        database.execute("CREATE TABLE IF NOT EXISTS numbers (base BLOB PRIMARY KEY, number INT)")
        yield WrittenNames(database, writer, classes)
        database.execute("COMMIT")
    finally:
        database.close()
