"""`train.{jsonl,csv,tsv}`, `val.…` with `text` (or `sentence`, `text_a`, `text_b`) and `label`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item
from tandem.data.faults import Faults
from tandem.data.reading.files import SPLITS, JsonObject, number
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import Parts, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

SUFFIXES = (".jsonl", ".csv", ".tsv")
TEXT_COLUMNS = ("text", "sentence", "text_a")
SECOND_COLUMNS = ("text_b", "sentence2")
ENCODINGS = ("utf-8-sig", "gb18030")
LONGEST_FIELD = 10_000_000
HEAD_BYTES = 100_000
INSTRUCTIONS = (b'"instruction"', b'"conversations"', b'"messages"')
"""What such a table has in its first rows instead of a text."""
_NumberedRow = tuple[int, Mapping[str, object]]


@register.format(
    "text",
    files="train.{jsonl,csv,tsv}: text (or sentence, text_a, text_b), label",
    kinds={"text"},
    holds={"label", "text"},
    zh="文本及其标签的表格，每个划分一个文件。",
)
class TextTables:
    """Tables of texts and their labels, a file for each split."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether a train table is there, with no instruction in it."""
        there = [f"train{suffix}" for suffix in SUFFIXES if f"train{suffix}" in folder.names()]
        if not there or folder.has_folder("train"):
            return False
        head = folder.head(there[0], HEAD_BYTES)
        return not any(one in head for one in INSTRUCTIONS)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every row; labels are sorted names."""
        notes: list[str] = []
        rows: dict[str, list[tuple[Item, str | None]]] = {}
        for split in ("train", "val"):
            file = _file(path, split)
            if file is not None:
                Walk(path).check(file)
                rows[split] = list(_items(path, file, faults, notes))
        names = sorted({name for one in rows.values() for _, name in one if name is not None})
        numbers = {name: number for number, name in enumerate(names)}
        if len(names) > 1 and all(name.removeprefix("-").isdecimal() for name in names):
            names.sort(key=int)
            numbers = {name: number for number, name in enumerate(names)}
        for one in rows.values():
            for item, name in one:
                item.label = UNLABELLED if name is None else numbers[name]
        items = {split: [item for item, _ in one] for split, one in rows.items()}
        if not items.get("train"):
            raise DataError("The data set {path} has no text to learn from.", path=path,
                            fix="Put rows into train.jsonl, train.csv or train.tsv.")  # fmt: skip
        return Content(path, "text", "text", tuple(names), items["train"], items.get("val"),
                       tuple(notes))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """JSONL, whatever it was."""
        return TextWriter(target, classes)


def _file(path: Path, split: str) -> Path | None:
    found = [path / f"{split}{suffix}" for suffix in SUFFIXES]
    return next((one for one in found if one.is_file()), None)


def read_text(file: Path) -> tuple[str, str]:
    """The text and its encoding: UTF-8 with or without a mark, else GBK and its successor."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise DataError(
            "The file {path} cannot be read: {reason}.",
            path=file,
            reason=error.strerror,
            fix="Check that it is there and that you may read it.",
        ) from error
    try:
        return decoded(raw)
    except UnicodeDecodeError as error:
        raise DataError(
            "{path} is neither UTF-8 nor GBK.", path=file, fix="Save it as UTF-8."
        ) from error


def decoded(raw: bytes) -> tuple[str, str]:
    """The text and its encoding, of ENCODINGS; UnicodeDecodeError where it is in none of them."""
    try:
        return raw.decode(ENCODINGS[0]), ENCODINGS[0]
    except UnicodeDecodeError:
        return raw.decode(ENCODINGS[1]), ENCODINGS[1]


def lines_of(text: str) -> list[str]:
    """A JSON text may hold U+2028 and its like, at which `splitlines` would cut it."""
    return text.replace("\r\n", "\n").split("\n")


def _items(
    root: Path, file: Path, faults: Faults, notes: list[str]
) -> Iterator[tuple[Item, str | None]]:
    text, encoding = read_text(file)
    if encoding != ENCODINGS[0]:
        notes.append(t("{file} is not UTF-8; it was read as GBK.", file=file.name))
    rows: Iterator[_NumberedRow] = (
        _json_rows(file, text, faults) if file.suffix == ".jsonl" else _rows(file, text, faults)
    )
    name = file.relative_to(root).as_posix().encode()
    for line, row in rows:
        first = _value(row, TEXT_COLUMNS)
        if first is None or not first.strip():
            faults.add(file.name, line, "the text is empty" if first is not None else
                       "there is no text, sentence or text_a")  # fmt: skip
            continue
        label = row.get("label")
        named = None if label is None or str(label).strip() == "" else str(label).strip()
        item = Item(name, text=first, text_b=_value(row, SECOND_COLUMNS), line=line)
        item.confidence = number(row.get("confidence"))
        yield item, named


def _value(row: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    found = [row[name] for name in names if row.get(name) is not None]
    return str(found[0]) if found else None


def _json_rows(file: Path, text: str, faults: Faults) -> Iterator[_NumberedRow]:
    for line, one in enumerate(lines_of(text), 1):
        if not one.strip():
            continue
        try:
            row = json.loads(one)
        except (ValueError, RecursionError):
            faults.add(file.name, line, "it is no JSON")
            continue
        if isinstance(row, dict):
            yield line, row
        else:
            faults.add(file.name, line, "it is no JSON object")


def table_rows(file: Path, faults: Faults) -> list[dict[str, str]]:
    """The rows of a CSV or TSV file by the names in its first line."""
    return [row for _, row in _rows(file, read_text(file)[0], faults)]


def _rows(file: Path, text: str, faults: Faults) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter="\t" if file.suffix == ".tsv" else ","
    )
    try:
        for row in reader:
            yield reader.line_num, {key: value for key, value in row.items() if key}
    except csv.Error as error:
        faults.add(file.name, reader.line_num, "it is no table: {reason}", reason=str(error))


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
