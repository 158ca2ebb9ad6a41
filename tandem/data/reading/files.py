"""What the layouts' readers share: sizes of pictures, numbers that are numbers, texts, paths."""

from __future__ import annotations

import json
import math
import stat
from itertools import product
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from tandem.data.content import Item
from tandem.data.faults import Faults
from tandem.data.images import FORMATS, SUFFIXES, header_size
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

JsonObject = dict[str, object]
LARGEST_TEXT_BYTES = 2 * 2**30
_SUFFIXES_IN_ANY_CASE = sorted(
    ("".join(letters) for suffix in SUFFIXES
     for letters in product(*({one, one.upper()} for one in suffix))),
    key=lambda one: (not one.islower(), not one.isupper(), one),
)  # fmt: skip
"""The usual ones first."""


def measure(root: Path, item: Item, faults: Faults) -> bool:
    """Read the picture's width and height from its header, as it is shown; False if it is none."""
    if not is_there(root / item.name):  # a pipe would wait for somebody who writes
        faults.add(item.name, 0, "it is no picture, whatever its name says")
        return False
    try:
        with Image.open(root / item.name, formats=FORMATS) as image:
            width, height = header_size(image)
    except UnidentifiedImageError:  # its words are the whole path
        faults.add(item.name, 0, "it is no picture, whatever its name says")
        return False
    except (OSError, SyntaxError, ValueError, ArithmeticError) as error:
        faults.add(item.name, 0, "it is no picture that can be read ({reason})",
                   reason=str(error)[:80] or type(error).__name__)  # fmt: skip
        return False
    item.width, item.height = width, height
    return True


def measure_against(
    root: Path, item: Item, stated: tuple[object, object], faults: Faults, place: str
) -> bool:
    """Measure the picture, and compare it with the width and height its label file states.

    `place` is the label file. False, with a fault, where it is no picture or of another size: its
    shapes then lie anywhere, so the reader leaves the item out. What is stated as no number above
    0 says nothing and is not compared.
    """
    if not measure(root, item, faults):
        return False
    wide, high = (number(one) or 0 for one in stated)
    if wide <= 0 or high <= 0 or (wide, high) == (item.width, item.height):
        return True
    faults.add(place, item.line, "it says that {file} has {wide} x {high} pixels, the picture has "
               "{width} x {height}", file=item.name, wide=f"{wide:g}", high=f"{high:g}",
               width=item.width, height=item.height)  # fmt: skip
    return False


def number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def read_bytes(file: Path) -> bytes:
    """What a text's file holds. DataError for what is no file, far too large, or not readable.

    A pipe or a device is never opened: it would wait for somebody who writes, or have no end.
    """
    try:
        said = file.stat()
        if not stat.S_ISREG(said.st_mode) and not stat.S_ISDIR(said.st_mode):
            raise DataError("{path} is no file.", path=file, fix="Take it away.")
        if said.st_size > LARGEST_TEXT_BYTES:
            raise DataError("{file} is too large to be read.", file=file, fix="Split it.")
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error)) from error


def read_text(file: Path) -> str:
    """UTF-8 with or without a mark. DataError for what is not readable or far too large."""
    try:
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(file, t("it is not UTF-8")) from error


def _unreadable(file: Path, reason: str) -> DataError:
    return DataError(
        "The file {path} cannot be read: {reason}.",
        path=file,
        reason=reason,
        fix="Check that it is there and that you may read it.",
    )


def read_json(file: Path) -> object:
    """Its value; DataError for what is no JSON, or nested without end."""
    return json_in(read_text(file), file)


def json_in(text: str, file: Path) -> object:
    """The value of a file's text; DataError for what is no JSON, or nested without end."""
    try:
        found: object = json.loads(text)
        return found
    except (ValueError, RecursionError) as error:
        raise DataError(
            "{path} is no JSON: {reason}.",
            path=file,
            reason=str(error)[:120],
            fix="Mend it or take it away.",
        ) from error


def inside(root: Path, path: Path) -> bool:
    """Whether a file lies within the data set, links followed."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):
        return False


def is_outside_name(name: str) -> bool:
    """Whether it names no file or folder directly in another: empty, hidden, or a path."""
    return not name.strip() or name[0] == "." or "/" in name or "\\" in name or "\0" in name


def is_there(file: Path) -> bool:
    """Whether it is a file; a name that no file could have is none."""
    try:
        return file.is_file()
    except OSError:
        return False


def with_suffix_of_image(folder: Path, stem: str) -> Path | None:
    """The picture of that stem in a folder, whatever its suffix and its case."""
    for suffix in _SUFFIXES_IN_ANY_CASE:
        if is_there(folder / f"{stem}{suffix}"):
            return folder / f"{stem}{suffix}"
    return None
