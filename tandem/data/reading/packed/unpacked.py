"""Pictures that lie packed in other files: taken out once, beside them, and read from there.

They lie in `.unpacked/<key>/` of the data set, where the key is of the packed files' names, sizes
and times: when one changes, all are taken out anew. Hidden folders are no part of a data set to
anybody else. A folder there appears whole: `about.json`, written last, is what makes it count.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tandem.data.content import UNLABELLED, Content, Item
from tandem.data.faults import Fault, Faults
from tandem.data.images import FORMATS, header_size
from tandem.data.reading.label_names import sorted_names
from tandem.data.reading.split_names import SPLITS
from tandem.spec.errors import DataError, DiskFullError
from tandem.spec.i18n import t
from tandem.spec.os_errors import is_disk_full

FOLDER = ".unpacked"
FORM = "1"
"""Changed where what is written there is another than before."""
IN_ONE_FOLDER = 1000
LARGEST_IMAGE_BYTES = 500_000_000
MOST_LETTERS = 1_000_000
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp", "TIFF": ".tif",
             "GIF": ".gif"}  # fmt: skip


class Unpacking:
    """What a reader of packed files puts pictures into, one at a time."""

    def __init__(self, root: Path, folder: Path, faults: Faults) -> None:
        self.root, self.folder, self.faults = root, folder, faults
        self.classes: tuple[str, ...] = ()
        """Their names where the files give them; else they are those that were met, sorted."""
        self.notes: list[str] = []
        self._counts = dict.fromkeys(SPLITS, 0)
        self._names: set[str] = set()
        self.lines = (folder / "items.jsonl").open("w", encoding="utf-8")

    def add_pixels(self, split: str, pixels: NDArray[np.uint8], label: str | None) -> None:
        """A picture of (height, width) or (height, width, 3) bytes, kept as PNG."""
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG", compress_level=1)
        self._put(split, out.getvalue(), ".png", (pixels.shape[1], pixels.shape[0]), label, None)

    def add_encoded(
        self,
        split: str,
        data: bytes,
        label: str | None,
        where: tuple[str, int],
        text: str | None = None,
    ) -> None:
        """A picture as it was encoded; `where` is its file and row, for what is wrong with it."""
        try:
            if len(data) > LARGEST_IMAGE_BYTES:
                raise ValueError(f"{len(data)} bytes")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                suffix = _SUFFIXES.get(image.format or "", ".jpg")
                size = header_size(image)
        except (OSError, SyntaxError, ValueError, ArithmeticError) as error:
            self.faults.add(*where, "it is no picture that can be read ({reason})",
                            reason=str(error)[:80] or type(error).__name__)  # fmt: skip
            return
        self._put(split, data, suffix, size, label, text)

    def _put(
        self,
        split: str,
        data: bytes,
        suffix: str,
        size: tuple[int, int],
        label: str | None,
        text: str | None,
    ) -> None:
        number = self._counts[split]
        self._counts[split] += 1
        name = f"{split}/{number // IN_ONE_FOLDER:04d}/{number:07d}{suffix}"
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if label is not None:
            self._names.add(label)
        line = [split, name, *size, label, text]
        self.lines.write(json.dumps(line, ensure_ascii=True) + "\n")

    def conclude(self, kind: str) -> None:
        """All is there."""
        faults = [
            {"file": one.file, "line": one.line, "template": one.template, "warning": one.warning,
             "fields": {name: str(value) for name, value in one.fields.items()}}
            for one in self.faults.found
        ]  # fmt: skip
        classes = self.classes or sorted_names(self._names)
        about = {"kind": kind, "classes": list(classes), "notes": self.notes, "faults": faults}
        (self.folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def content(
    path: Path, layout: str, files: Sequence[Path], faults: Faults, fill: Callable[[Unpacking], str]
) -> Content:
    """What is packed in `files`; `fill` takes it out where nobody has, and says which kind it is.

    DataError where the folder cannot be written, DiskFullError where there is no room.
    """
    folder = path / FOLDER / _key(path, files)
    if not (folder / "about.json").is_file():
        try:
            _unpack(path, folder, fill)
        except OSError as error:
            raise refused(path, error) from error
    return _read(path, layout, folder, faults)


def _key(path: Path, files: Sequence[Path]) -> str:
    digest = hashlib.blake2b(FORM.encode(), digest_size=8)
    for one in sorted(files):
        seen = one.stat()
        name = os.fsencode(os.path.relpath(one, path))
        digest.update(name + f"\0{seen.st_size} {seen.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _unpack(path: Path, folder: Path, fill: Callable[[Unpacking], str]) -> None:
    hidden = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        hidden.mkdir(parents=True)
        unpacking = Unpacking(path, hidden, Faults())
        with unpacking.lines:
            kind = fill(unpacking)
        unpacking.conclude(kind)
        try:
            hidden.rename(folder)
        except OSError:
            if not (folder / "about.json").is_file():  # else another process was first
                raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def refused(path: Path, error: OSError) -> DataError | DiskFullError:
    """What a data set is refused with whose `.unpacked` folder cannot be written."""
    if is_disk_full(error):
        return DiskFullError(
            "The disk is full: the pictures of {path} cannot be taken out of their files.",
            path=path,
            fix="Free some space; what was begun has been taken away.",
        )
    return DataError(
        "The pictures of {path} are packed in its files and cannot be taken out into {folder}: "
        "{reason}.",
        path=path,
        folder=path / FOLDER,
        reason=error.strerror or error,
        fix="Make the folder writable, or copy the data set to where it is.",
    )


def _read(path: Path, layout: str, folder: Path, faults: Faults) -> Content:
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    for one in about["faults"]:
        faults.keep(Fault(one["file"], one["line"], one["template"], one["fields"], one["warning"]))
    classes: tuple[str, ...] = tuple(about["classes"])
    numbers = {name: number for number, name in enumerate(classes)}
    found: dict[str, list[Item]] = {}
    for split, name, width, height, label, text in _lines(folder / "items.jsonl"):
        item = Item(os.fsencode(os.path.relpath(folder / name, path)), width, height, text=text)
        item.written_as = os.fsencode(name)
        item.label = UNLABELLED if label is None else numbers[label]
        found.setdefault(split, []).append(item)
    notes = [*about["notes"], t("Its pictures were taken out into {folder}, and are read there.",
                                folder=folder)]  # fmt: skip
    return Content(path, layout, about["kind"], classes, found.get("train", []), found.get("val"),
                   tuple(notes), found.get("test"))  # fmt: skip


def _lines(file: Path) -> Iterator[tuple[str, str, int, int, str | None, str | None]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            split, name, width, height, label, text = json.loads(line)
            yield split, name, width, height, label, text
