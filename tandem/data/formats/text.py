"""`train.{jsonl,csv,tsv}`, `val.…` with `text` (or `sentence`, `text_a`, `text_b`) and `label`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item
from tandem.data.faults import Faults
from tandem.data.reading.encodings import is_whole_text, read_told
from tandem.data.reading.files import JsonObject, number
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.label_names import RawLabel, read_labels
from tandem.data.reading.split_names import SPLITS, split_files, split_of
from tandem.data.reading.tables import read_table, tell_unread
from tandem.data.reading.texts import json_lines
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import Parts, write_whole
from tandem.spec.errors import DataError

SUFFIXES = (".jsonl", ".csv", ".tsv")
TEXT_COLUMNS = ("text", "sentence", "text_a", "sentence1")
SECOND_COLUMNS = ("text_b", "sentence2")
OTHER_COLUMNS = ("label", "confidence")
HEAD_BYTES = 100_000
INSTRUCTIONS = (b'"instruction"', b'"conversations"', b'"messages"')
"""What such a table has in its first rows instead of a text."""
_NumberedRow = tuple[int, Mapping[str, object]]


@register.format(
    "text",
    files="train.{jsonl,csv,tsv}: text (or sentence, text_a, text_b), label",
    lists_classes=False,
    kinds={"text"},
    holds={"label", "text"},
    zh="文本及其标签的表格，每个划分一个文件。",
)
class TextTables:
    """Tables of texts and their labels, a file for each split."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether a train table is there, with no instruction in it."""
        there = [one for one in folder.names() if split_of(Path(one).stem) == "train"
                 and Path(one).suffix.lower() in SUFFIXES]  # fmt: skip
        if not there or folder.has_folder("train"):
            return False
        head = folder.head(there[0], HEAD_BYTES)
        return not any(one in head for one in INSTRUCTIONS)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every row; labels are sorted names."""
        notes: list[str] = []
        rows: list[RawLabel] = []
        files = once_each(split_files(path, SUFFIXES), faults)
        for split, several in files.items():
            for file in several:
                Walk(path).check(file)
                rows += _rows_of(path, split, file, faults, notes)
        names = read_labels(rows, faults)
        if (path / "classes.txt").is_file():
            faults.add("classes.txt", 0, "it is not read: the classes are the labels in the tables",
                       warning=True)  # fmt: skip
        items = {split: [row.item for row in rows if row.split == split] for split in files}
        if not items.get("train"):
            raise DataError("The data set {path} has no text to learn from.", path=path,
                            fix="Put rows into train.jsonl, train.csv or train.tsv.")  # fmt: skip
        return Content(path, "text", "text", names, items["train"], items.get("val"),
                       tuple(notes), items.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """JSONL, whatever it was."""
        return TextWriter(target, classes)


def once_each(files: dict[str, list[Path]], faults: Faults) -> dict[str, list[Path]]:
    """The same without a second file of one name: nobody can say which of them is meant."""
    found: dict[str, list[Path]] = {}
    for split, several in files.items():
        first: dict[str, Path] = {}
        for file in several:
            other = first.setdefault(file.stem, file)
            if other is not file:
                faults.add(file.name, 0, "it is there beside {other}, and only one of them can be "
                           "meant", other=other.name)  # fmt: skip
        found[split] = list(first.values())
    return found


def _rows_of(
    root: Path, split: str, file: Path, faults: Faults, notes: list[str]
) -> Iterator[RawLabel]:
    lines = file.suffix.lower() == ".jsonl"
    rows = _json_rows(file, faults, notes) if lines else _table_rows(file, faults, notes)
    name = file.relative_to(root).as_posix().encode()
    for line, row in rows:
        item = Item(name, line=line)
        if _take_texts(item, row, file.name, faults):
            label = row.get("label")
            yield RawLabel(item, split, file.name, line, label, lines and isinstance(label, str))


def _take_texts(item: Item, row: Mapping[str, object], file: str, faults: Faults) -> bool:
    """Whether there is a text that can be read; else a fault says why not."""
    first, second = _value(row, TEXT_COLUMNS), _value(row, SECOND_COLUMNS)
    given = [one for one in (first, second, row.get("label")) if isinstance(one, str)]
    if first is None:
        faults.add(file, item.line, "there is no text, sentence or text_a")
    elif not isinstance(first, str) or not isinstance(second, str | None):
        faults.add(file, item.line, "the text is no text")
    elif not first.strip():
        faults.add(file, item.line, "the text is empty")
    elif not all(map(is_whole_text, given)):
        faults.add(file, item.line, "half a character stands in it (a lone surrogate)")
    else:
        item.text, item.text_b = first, second
        return _take_confidence(item, row.get("confidence"), file, faults)
    return False


def _take_confidence(item: Item, said: object, file: str, faults: Faults) -> bool:
    if said is None or said == "":
        return True
    item.confidence = number(said)
    if item.confidence is None:
        faults.add(file, item.line, "its confidence is no number")
    return item.confidence is not None


def _value(row: Mapping[str, object], names: tuple[str, ...]) -> object:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _read_columns(columns: Mapping[str, object] | tuple[str, ...]) -> set[str]:
    """Those that are read: of several that may hold the text, the first."""
    first = [next((one for one in names if one in columns), "")
             for names in (TEXT_COLUMNS, SECOND_COLUMNS)]  # fmt: skip
    return {*first, *OTHER_COLUMNS}


def _json_rows(file: Path, faults: Faults, notes: list[str]) -> Iterator[_NumberedRow]:
    unread: dict[str, None] = {}
    for line, row in json_lines(read_told(file, notes), file.name, faults):
        unread.update(dict.fromkeys(row.keys() - _read_columns(row)))
        yield line, row
    tell_unread(file.name, sorted(unread), (), notes)


def _table_rows(file: Path, faults: Faults, notes: list[str]) -> Iterator[_NumberedRow]:
    table = read_table(file, faults, notes, TEXT_COLUMNS)
    if table.columns and not any(one in table.columns for one in TEXT_COLUMNS):
        faults.add(file.name, 1, "its first line names no column text, sentence or text_a")
        return
    table.tell_unread(file.name, _read_columns(table.columns), notes)
    yield from table.rows


class TextWriter:
    """`<split>.jsonl` with text, text_b and label."""

    def __init__(self, target: Path, classes: tuple[str, ...]) -> None:
        self.target, self.classes = target, classes
        self.parts = {split: Parts(target / f".parts-{split}.jsonl") for split in SPLITS}

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:  # noqa: ARG002
        row: JsonObject = {"text": item.text}
        if item.text_b is not None:
            row["text_b"] = item.text_b
        if item.label != UNLABELLED:
            row["label"] = self.classes[item.label]
        if item.confidence is not None:
            row["confidence"] = item.confidence
        self.parts[split].add({"key": f"{item.name}:{item.line}", "row": row})
        return []

    def close(self) -> None:
        for split, parts in self.parts.items():
            lines = [json.dumps(one["row"], ensure_ascii=False) for one in parts.rows()]
            if lines:
                write_whole(self.target / f"{split}.jsonl", "".join(f"{one}\n" for one in lines))
