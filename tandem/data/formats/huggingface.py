"""Hugging Face `datasets`: saved on disk (Arrow), or as Parquet like on the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item
from tandem.data.faults import Faults
from tandem.data.formats.text import SECOND_COLUMNS, TEXT_COLUMNS
from tandem.data.reading.files import inside, is_outside_name, is_there, read_json
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.label_names import sorted_names
from tandem.data.reading.packed import unpacked
from tandem.data.reading.packed.arrow_rows import Column, check_installed, columns, rows
from tandem.data.reading.packed.unpacked import LARGEST_IMAGE_BYTES, Unpacking
from tandem.data.reading.split_names import SPLITS, split_of
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, not_written, register
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

STATE, DATASET_DICT = "state.json", "dataset_dict.json"
LABEL_COLUMNS = ("label", "labels", "fine_label", "target", "class", "category")
IMAGE_COLUMNS = ("image", "img", "picture", "pixel_values")
CAPTION_COLUMNS = ("caption", "text", "sentence")

MOST_SHARDS = 100_000
_SHARD = re.compile(r"(.+-)(\d{5,6})-of-(\d{5,6})((?:-[0-9a-f]+)?\.parquet)")
"""Its beginning, its number from 0, how many there are, and its end."""


@register.format(
    "huggingface",
    files="{train,val,test}-*.parquet, data/*.parquet, or state.json with *.arrow",
    kinds={"classification", "text", "caption"},
    holds={"label", "text"},
    packed=True,
    zh="Hugging Face 的数据集：save_to_disk 存的 Arrow，或 Parquet 文件。",
    zh_more={
        "the label {label} is no whole number and no name": "标签 {label} 既不是整数也不是名称",
        "there is no picture in this row": "这一行没有图片",
    },
)
class HuggingFace:
    """Hugging Face's data sets: Arrow files as save_to_disk leaves them, or Parquet files."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there are Parquet files, or what save_to_disk writes."""
        if folder.has_file(DATASET_DICT) or folder.has_file(STATE):
            return True
        places = ["", *(one for one in folder.folders() if one == "data" or split_of(one))]
        return any(name.endswith(".parquet") for one in places for name in folder.names(one))

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Pictures are taken out of their files the first time; texts are read as they lie."""
        check_installed()
        notes: list[str] = []
        files = _files(path, notes)
        walk = Walk(path)
        for one in files:
            walk.check(one)
        table = _understood(next(iter(files)), kind, notes)
        if table.image is None:
            return _texts(path, files, table, faults, tuple(notes))

        def fill(out: Unpacking) -> str:
            out.classes = table.classes
            for file, split in files.items():
                for number, row in _numbered(file, table, out.root, out.faults):
                    _take(out, split, row, table, (file.relative_to(path).as_posix(), number))
            return table.kind

        return unpacked.content(path, "huggingface", list(files), faults, fill).noted(notes)

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """It is not written."""
        raise not_written("huggingface")


@dataclass(frozen=True)
class _Table:
    """Which column is what."""

    kind: str
    image: str | None
    label: str | None
    text: str | None
    second: str | None
    classes: tuple[str, ...]
    """A ClassLabel's names; empty where labels are names, or numbers of which none is given."""

    @property
    def wanted(self) -> list[str]:
        """The columns that are read."""
        return [one for one in (self.image, self.label, self.text, self.second) if one]


def _files(path: Path, notes: list[str]) -> dict[Path, str]:
    """Each file's split."""
    if (path / DATASET_DICT).is_file():
        said = read_json(path / DATASET_DICT)
        names = said.get("splits") if isinstance(said, dict) else None
        found = {file: split for name in names if isinstance(name, str)
                 for file, split in _saved(path, name, notes).items()} \
            if isinstance(names, list) else {}  # fmt: skip
    elif (path / STATE).is_file():
        found = _saved(path, "", notes)
    else:
        found = _parquet(path, notes)
    if not found:
        raise DataError("There is no file of rows in {path}.", path=path,
                        fix="Put train-00000-of-00001.parquet there.")  # fmt: skip
    order = {split: number for number, split in enumerate(SPLITS)}
    return dict(sorted(found.items(), key=lambda one: (order[one[1]], one[0])))


def _saved(path: Path, name: str, notes: list[str]) -> dict[Path, str]:
    """The Arrow files of one split that save_to_disk has written; none of an unknown split."""
    folder = path / name
    split = _split(name, notes) if name else "train"
    if split is None or (name and is_outside_name(name)):
        return {}
    state = read_json(folder / STATE)
    listed = state.get("_data_files") if isinstance(state, dict) else None
    if not isinstance(listed, list) or (isinstance(state, dict) and state.get("_indices_files")):
        raise DataError(
            "{path} names its rows in a way that is not read.", path=folder / STATE,
            fix="Save it again after flatten_indices().",
        )  # fmt: skip
    names = [one.get("filename") if isinstance(one, dict) else None for one in listed]
    found = {}
    for one in names:
        if not isinstance(one, str) or is_outside_name(one) or not is_there(folder / one):
            raise DataError("{path} names a file that is not there: {name}.",
                            path=folder / STATE, name=str(one)[:100])  # fmt: skip
        found[folder / one] = split
    return found


def _parquet(path: Path, notes: list[str]) -> dict[Path, str]:
    """By the folder, or by what the name begins with: train-00000-of-00001.parquet."""
    found: dict[Path, str] = {}
    places = [one for one in FolderListing(path).folders() if one == "data" or split_of(one)]
    for place in ["", *places]:
        for file in sorted((path / place).glob("*.parquet")):
            if file.name[0] == "." or not file.is_file():
                continue
            start = file.stem.partition("-")[0].partition("_")[0]
            if split_of(place) is None and (start.isdecimal() or start in ("data", "part")):
                found[file] = "train"
                notes.append(t("{file} names no split and is read as train.", file=file.name))
                continue
            split = split_of(place) or _split(start, notes)
            if split is not None:
                found[file] = split
    _check_shards(list(found))
    return found


def _check_shards(files: list[Path]) -> None:
    """DataError where a name says of how many files it is one, and another is not there."""
    there = {str(file) for file in files}
    for file in files:
        said = _SHARD.fullmatch(file.name)
        if said is None or int(said[3]) > MOST_SHARDS:
            continue
        digits = len(said[3])
        names = [f"{said[1]}{one:0{digits}}-of-{said[3]}{said[4]}" for one in range(int(said[3]))]
        missing = [one for one in names if str(file.with_name(one)) not in there]
        if missing:
            raise DataError(
                "{path} is one of {count} files, and {name} is not there.", path=file,
                count=int(said[3]), name=missing[0], fix="Fetch it, or rename those that are.",
            )  # fmt: skip


def _split(name: str, notes: list[str]) -> str | None:
    split = split_of(name)
    if split is None:
        said = t("The split {name} is none of train, val and test, and is not read.", name=name)
        if said not in notes:
            notes.append(said)
    return split


def _understood(file: Path, kind: str | None, notes: list[str]) -> _Table:
    """Which column is what; DataError where there is nothing that can be learnt from."""
    there = columns(file)
    image = _chosen([one for one in there if one.type == "Image"], IMAGE_COLUMNS)
    labels = [one for one in there if one.type == "ClassLabel"] or there
    label = _chosen(labels, LABEL_COLUMNS, only=labels is there)
    text = _chosen(there, CAPTION_COLUMNS if image else TEXT_COLUMNS, only=True)
    second = None if image else _chosen(there, SECOND_COLUMNS, only=True)
    if image is None and text is None:
        raise DataError(
            "{path} has neither pictures nor texts: its columns are {names}.", path=file,
            names=", ".join(one.name for one in there)[:500] or "-",
            fix="Name the columns image and label, or text and label.",
        )  # fmt: skip
    is_caption = image is not None and text is not None and (label is None or kind == "caption")
    known = [one for one in (image, label, text, second) if one is not None]
    rest = [one.name for one in there if one not in known]
    if image is not None and not is_caption and text is not None:
        rest, text = [*rest, text.name], None
    if rest:
        notes.append(t("The columns {names} are not read.", names=", ".join(rest)[:500]))
    what = "caption" if is_caption else "classification" if image else "text"
    if is_caption:
        label = None
    return _Table(
        what, _name(image), _name(label), _name(text), _name(second),
        label.classes if label else (),
    )  # fmt: skip


def _name(column: Column | None) -> str | None:
    return None if column is None else column.name


def _chosen(there: list[Column], names: tuple[str, ...], *, only: bool = False) -> Column | None:
    """The column of the first name that is there; without one the first of all, unless `only`."""
    by_name = {one.name.lower(): one for one in reversed(there)}
    found = next((by_name[name] for name in names if name in by_name), None)
    return found or (None if only or not there else there[0])


def _numbered(
    file: Path, table: _Table, root: Path, faults: Faults
) -> Iterator[tuple[int, dict[str, object]]]:
    """Rows by their number from 1; a file that cannot be read further is a fault."""
    try:
        yield from enumerate(rows(file, table.wanted), 1)
    except DataError as error:
        faults.add(file.relative_to(root).as_posix(), 0, "{reason}", reason=error.sentence())


def _take(
    out: Unpacking, split: str, row: dict[str, object], table: _Table, where: tuple[str, int]
) -> None:
    assert table.image is not None
    cell = row[table.image]
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    named = cell.get("path") if isinstance(cell, dict) else None
    if data is None and isinstance(named, str):
        file = out.root / named
        if is_there(file) and inside(out.root, file) and \
                file.stat().st_size <= LARGEST_IMAGE_BYTES:  # fmt: skip
            data = file.read_bytes()
    if not isinstance(data, bytes) or not data:
        out.faults.add(*where, "there is no picture in this row")
        return
    text = row[table.text] if table.text else None
    label = _label(row, table, out.faults, where)
    out.add_encoded(split, data, label, where, None if text is None else str(text))


def _label(
    row: dict[str, object], table: _Table, faults: Faults, where: tuple[str, int]
) -> str | None:
    """The class by its name. Nothing, and Hugging Face's -1, mean that there is none."""
    said = row[table.label] if table.label else None
    if said is None or said == "" or (said == -1 and table.classes):
        return None
    if isinstance(said, str):
        if not table.classes or said in table.classes:
            return said
        faults.add(*where, "there is no class {label}", label=said)
        return None
    if isinstance(said, bool) or not isinstance(said, int):
        faults.add(*where, "the label {label} is no whole number and no name",
                   label=str(said)[:50])  # fmt: skip
        return None
    if said < 0 or (table.classes and said >= len(table.classes)):
        faults.add(*where, "there is no class {label}", label=said)
        return None
    return table.classes[said] if table.classes else str(said)


def _texts(
    path: Path, files: dict[Path, str], table: _Table, faults: Faults, notes: tuple[str, ...]
) -> Content:
    found: dict[str, list[tuple[Item, str | None]]] = {}
    for file, split in files.items():
        shown = file.relative_to(path).as_posix()
        for number, row in _numbered(file, table, path, faults):
            text = row[str(table.text)]
            if text is None or not str(text).strip():
                faults.add(shown, number, "the text is empty")
                continue
            second = row[table.second] if table.second else None
            item = Item(shown.encode(), text=str(text), line=number,
                        text_b=None if second is None else str(second))  # fmt: skip
            found.setdefault(split, []).append((item, _label(row, table, faults, (shown, number))))
    names = {name for several in found.values() for _, name in several if name is not None}
    classes = table.classes or sorted_names(names)
    numbers = {name: number for number, name in enumerate(classes)}
    items: dict[str, list[Item]] = {}
    for split, several in found.items():
        for item, name in several:
            item.label = UNLABELLED if name is None else numbers[name]
        items[split] = [item for item, _ in several]
    return Content(path, "huggingface", "text", classes, items.get("train", []), items.get("val"),
                   notes, items.get("test"))  # fmt: skip
