"""Pictures with a text beside each, or a table of them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.reading import data_yaml
from tandem.data.reading.encodings import is_whole_text, read_told
from tandem.data.reading.file_names import FileNames, forward
from tandem.data.reading.files import measure, with_suffix_of_image
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.split_names import SPLIT_NAMES, split_folders
from tandem.data.reading.tables import read_table, tell_unread
from tandem.data.reading.texts import has_labels_beside, is_label_line, json_lines
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.errors import DataError

TABLES = ("metadata.csv", "metadata.jsonl")
COLUMNS = ("file_name", "text")
HEAD_BYTES = 10_000
_Told = dict[str, tuple[str, str, int]]
"""By the picture's path: its text, and the table's file and line that say it."""


@register.format(
    "caption",
    files="{train,val}/*, and a .txt beside each picture, or metadata.{csv,jsonl}",
    kinds={"caption"},
    holds={"text"},
    zh="图片配同名的 .txt，或 metadata.csv 或 .jsonl。",
)
class Caption:
    """Pictures with a .txt of the same name, or metadata.csv or .jsonl."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there is such a table, or a text beside a picture that is none of numbers."""
        inner = next((one for one in SPLIT_NAMES["train"] if folder.has_folder(one)), "")
        for place in dict.fromkeys(("", f"{inner}/" if inner else "")):
            tables = [f"{place}{one}" for one in TABLES if folder.has_file(f"{place}{one}")]
            if any(_names_texts(folder.head(one, HEAD_BYTES)) for one in tables):
                return True
        # Ultralytics also takes labels that lie beside their pictures, and labelImg writes them so.
        if data_yaml.find(folder.root) is not None or has_labels_beside(folder):
            return False
        texts = [Path(one) for one in folder.below(inner, ".txt")]
        # The picture of a text may be beyond the names that a listing reads.
        beside = [one for one in texts if with_suffix_of_image(folder.root / one.parent, one.stem)]
        heads = (folder.head(one.as_posix(), HEAD_BYTES) for one in beside)
        return bool(beside) and not any(_is_of_labels(one.decode("utf-8", "replace"))
                                        for one in heads)  # fmt: skip

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every picture with its caption."""
        notes: list[str] = []
        splits = split_folders(path) or {"train": [""]}
        whole = _metadata(path, path, faults, notes) if splits != {"train": [""]} else {}
        found = {
            split: [item for name in names
                    for item in _captioned(path, path / name, whole, faults, notes)]
            for split, names in splits.items()
        }  # fmt: skip
        _tell_rest(whole, faults)
        loose = [] if "" in splits.get("train", []) else Walk(path).images(path, deep=False)
        if loose:
            faults.add(os.fsdecode(loose[0]), 0, "{count} pictures lie beside the folders of the "
                       "splits and are left out", warning=True, count=len(loose))  # fmt: skip
        return Content(path, "caption", "caption", (), found.get("train", []), found.get("val"),
                       tuple(notes), found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """A .txt beside each picture."""
        return CaptionWriter(target)


def _names_texts(head: bytes) -> bool:
    """Whether a table's first line has both columns: others say classes, not captions."""
    first = head.split(b"\n", 1)[0].lower()
    return not first or all(one.encode() in first for one in COLUMNS)


def _is_of_labels(text: str) -> bool:
    """Whether it is what labelImg writes beside a picture: lines of a class and a box."""
    lines = [one for one in text.splitlines() if one.strip()]
    return bool(lines) and all(map(is_label_line, lines))


def _captioned(
    root: Path, folder: Path, whole: _Told, faults: Faults, notes: list[str]
) -> Iterator[Item]:
    told = _metadata(folder, root, faults, notes)
    walk, names = Walk(root), FileNames(root)
    for image in walk.images(folder):
        item = Item(image)
        if not measure(root, item, faults):
            continue
        beside = names.find((root / item.name).with_suffix(".txt"))
        name, of_root = os.path.relpath(root / item.name, folder), os.path.normpath(item.name)
        said = told.pop(_below(name), None) or whole.pop(_below(of_root), None)
        listed = None if said is None else said[0]
        item.text = listed
        if beside is not None:
            walk.check(beside)
            text = _text(beside, root, faults, notes)
            item.text = listed or text
            if listed is not None and text != listed.strip():
                faults.add(os.path.relpath(beside, root), 0, "the table of captions says another "
                           "text of this picture, and the table is read", warning=True)  # fmt: skip
        if not item.text:
            faults.add(item.name, 0, "the picture has no caption")
        elif _is_of_labels(item.text):
            faults.add(item.name, 0, "its caption is a label file of YOLO's")
        else:
            yield item
    _tell_rest(told, faults)


def _tell_rest(told: _Told, faults: Faults) -> None:
    for name, (_, file, line) in told.items():
        faults.add(file, line, "the picture {file} is not there", file=name[:200])


def _text(file: Path, root: Path, faults: Faults, notes: list[str]) -> str:
    try:
        return read_told(file, notes).strip()
    except DataError as error:
        faults.add(os.path.relpath(file, root), 0, "{reason}", reason=error.sentence())
        return ""


def _metadata(folder: Path, root: Path, faults: Faults, notes: list[str]) -> _Told:
    """What the tables of a folder say, by the pictures' paths below it."""
    found: _Told = {}
    for file in (folder / one for one in TABLES):
        if not file.is_file():
            continue
        Walk(root).check(file)
        name = os.path.relpath(file, root)
        rows = _table(file, name, faults, notes) if file.suffix == ".csv" else _lines(
            file, name, faults, notes
        )  # fmt: skip
        for line, row in rows:
            image, text = row.get("file_name"), row.get("text")
            if not isinstance(image, str) or not image.strip() or not isinstance(text, str):
                faults.add(name, line, "it names no picture or no text")
            elif not text.strip() or not is_whole_text(text):
                faults.add(name, line, "the text is empty" if not text.strip() else
                           "half a character stands in it (a lone surrogate)")  # fmt: skip
            elif found.setdefault(_below(image), (text, name, line))[0] != text:
                faults.add(name, line, "the picture {file} has two captions", file=image[:200])
    return found


def _below(image: str) -> str:
    """The path as it is compared: whatever its slashes, Unicode form and suffix's case."""
    stem, suffix = os.path.splitext(os.path.normpath(forward(image)))  # noqa: PTH122
    return unicodedata.normalize("NFC", stem) + suffix.lower()


def _table(
    file: Path, name: str, faults: Faults, notes: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    table = read_table(file, faults, notes, COLUMNS, name)
    table.tell_unread(name, COLUMNS, notes)
    yield from table.rows


def _lines(
    file: Path, name: str, faults: Faults, notes: list[str]
) -> Iterator[tuple[int, dict[str, object]]]:
    unread: set[str] = set()
    for line, row in json_lines(read_told(file, notes), name, faults):
        unread |= row.keys() - set(COLUMNS)
        yield line, row
    tell_unread(name, sorted(unread), (), notes)


class CaptionWriter:
    """Pictures, and a text beside each."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        file = self.target / split / placed(item)
        put_image(source, file)
        write_whole(file.with_suffix(".txt"), f"{item.text}\n")
        return []

    def close(self) -> None:
        """Nothing is of all items."""
