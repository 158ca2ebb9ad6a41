"""`labels.csv`: one line a picture, clip or box; what other programs open."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.reading.file_names import FileNames, tell_unread
from tandem.data.reading.files import inside, measure_against, number
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.label_names import RawLabel, read_labels
from tandem.data.reading.split_names import split_folders, split_of
from tandem.data.reading.tables import SEPARATORS, Row, read_table
from tandem.data.reading.texts import names_in
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import Parts, placed, put_image, write_whole, writing_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

FILE = "labels.csv"
SIDES = ("left", "top", "right", "bottom")
COLUMNS = ("file", "split", "label", "confidence", *SIDES, "width", "height", "annotated")
ANNOTATED = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
HEAD_BYTES = 1000


@register.format(
    "csv",
    files="labels.csv: a line for each label or box; images/{train,val}/*",
    kinds={"classification", "detection"},
    holds={"label", "boxes", "confidence"},
    writes={"classification", "detection", "sequence", "text"},
    zh="表格，每个标签或框一行。",
)
class Csv:
    """A table with a line for each label or box."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there is a labels.csv whose first line names a file and a label."""
        head = folder.head(FILE, HEAD_BYTES).decode("utf-8-sig", "replace").split("\n", 1)[0]
        return any(
            {"file", "label"} <= {one.strip(' "\r').casefold() for one in head.split(separator)}
            for separator in SEPARATORS
        )

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every line.

        A file whose one line has neither label nor box is unlabelled among labels. Among boxes
        `annotated` says 1, it is background, or 0, nobody has looked; without that column it is
        background, and a note says so.
        """
        Walk(path).check(path / FILE)
        notes: list[str] = []
        table = read_table(path / FILE, faults, notes, ("file",))
        table.tell_unread(FILE, COLUMNS, notes)
        rows = list(table.rows)
        if not rows:
            faults.add(FILE, 0, "it holds no row")
        elif "file" not in table.columns:
            faults.add(FILE, 1, "its first line names no column file")
            rows = []
        boxes = any(_has_box(row) for _, row in rows)
        labels = any(row.get("label", "").strip() for _, row in rows)
        learnt = "detection" if boxes or (kind == "detection" and not labels) else "classification"
        reading = _Reading(path, learnt, _folders(path), faults)
        for line, row in rows:
            reading.add(line, row)
        classes = reading.classes()
        if reading.bare and "annotated" not in table.columns:
            notes.append(t("{file}: {count} lines without a box are read as background; where "
                           "nobody has looked, a column annotated with 0 says so.", file=FILE,
                           count=reading.bare))  # fmt: skip
        found = {split: list(items.values()) for split, items in reading.found.items()}
        known = [one.path for several in found.values() for one in several]
        tell_unread(Walk(path), [path / "images"], known, faults)
        return Content(path, "csv", learnt, classes, found.get("train", []), found.get("val"),
                       tuple(notes), found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:
        """Lines as they come; the table in `close`."""
        return CsvWriter(target, classes, kind)


def _has_box(row: Row) -> bool:
    return any(row.get(side, "").strip() for side in SIDES)


def _folders(path: Path) -> list[str]:
    """Where a split's pictures may lie below images/: by each name that it has there."""
    images = path / "images"
    if not images.is_dir():
        return []
    return [name for names in split_folders(images).values() for name in names]


@dataclass
class _Reading:
    path: Path
    kind: str
    folders: list[str]
    faults: Faults
    found: dict[str, dict[str, Item]] = field(default_factory=dict)
    labels: list[RawLabel] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    """For detection, the shape of each of `labels`."""
    given: dict[int, str] = field(default_factory=dict)
    """The label of each picture that has one, by the item's id."""
    names: FileNames = field(init=False)
    bare: int = 0
    """Lines of boxes that have none, and do not say whether somebody has looked."""

    def __post_init__(self) -> None:
        self.names = FileNames(self.path)

    def add(self, line: int, row: Row) -> None:
        item = self._item(line, row)
        if item is None:
            return
        split = self._split(row) or "train"
        label, annotated = row.get("label", ""), self._annotated(line, row, item)
        if not label.strip() and not _has_box(row):
            if self.kind == "detection" and annotated is not False:
                item.shapes = item.shapes or []
                self.bare += annotated is None
            return
        if not label.strip() or annotated is False:
            self._fault(item)
            self.faults.add(FILE, line, "a box needs a label" if not label.strip() else
                            "what has a label or a box is annotated")  # fmt: skip
            return
        confidence = number(row.get("confidence") or None)
        if row.get("confidence", "").strip() and confidence is None:
            self._fault(item)
            self.faults.add(FILE, line, "its confidence is no number")
            return
        if self.kind == "detection":
            self._add_box(item, split, line, row, confidence)
            return
        if self.given.setdefault(id(item), label) != label:
            self._fault(item)
            self.faults.add(FILE, line, "the picture has another label already")
            return
        item.confidence = confidence
        self.labels.append(RawLabel(item, split, FILE, line, label))

    def classes(self) -> tuple[str, ...]:
        """Give each label its class: of classes.txt, or else as far as it is certain."""
        file = self.path / "classes.txt"
        drawn = [RawLabel(Item(b""), one.split, one.file, one.line, one.value)
                 if self.kind == "detection" else one for one in self.labels]  # fmt: skip
        if file.is_file():
            Walk(self.path).check(file)
            classes = names_in(file)
            numbers = {name: number for number, name in enumerate(classes)}
            for one in drawn:
                known = numbers.get(str(one.value), numbers.get(str(one.value).strip()))
                one.item.label = UNLABELLED if known is None else known
                if known is None:
                    one.item.faulty = True
                    self.faults.add(FILE, one.line, "there is no class {label}", label=one.value)
        else:
            classes = read_labels(drawn, self.faults)
        for one, raw, shape in zip(drawn, self.labels, self.shapes, strict=False):
            if one.item.label == UNLABELLED:
                self._fault(raw.item)
                continue
            shape.label = one.item.label
            raw.item.shapes = [*(raw.item.shapes or []), shape]
        return classes

    def _item(self, line: int, row: Row) -> Item | None:
        name, split = row.get("file", ""), self._split(row)
        if split is None:
            self.faults.add(FILE, line, "the split {split} is none of train, val and test",
                            split=row["split"][:40])  # fmt: skip
            return None
        items = self.found.setdefault(split, {})
        if name in items:
            return items[name]
        file = self._file(name, split)
        if file is None:
            self.faults.add(FILE, line, "the picture {file} is not there", file=name)
            return None
        item = Item(os.fsencode(os.path.relpath(file, self.path)))
        stated = (row.get("width"), row.get("height"))
        if not measure_against(self.path, item, stated, self.faults, f"{FILE}:{line}"):
            return None
        items[name] = item
        return item

    def _split(self, row: Row) -> str | None:
        """What the row says; else the folder below images/ that its file names; else train."""
        split = _split(row)
        parts = row.get("file", "").replace("\\", "/").split("/")
        if row.get("split", "").strip() or parts[0] != "images" or parts[1:2] == parts[-1:]:
            return split
        return split_of(parts[1]) or split

    def _file(self, name: str, split: str) -> Path | None:
        images = self.path / "images"
        of_split = [images / one for one in self.folders if split_of(one) == split]
        for given in dict.fromkeys((name, name.replace("\\", "/"))):
            for folder in (*of_split, images, self.path):
                file = self.names.find(folder / given) if given.strip() else None
                if file is not None and inside(self.path, file):
                    return file
        return None

    def _annotated(self, line: int, row: Row, item: Item) -> bool | None:
        """Whether somebody has looked, where the table says it."""
        said = row.get("annotated", "").strip().casefold()
        if said and said not in ANNOTATED:
            self._fault(item)
            self.faults.add(FILE, line, "annotated must be 0 or 1")
        return ANNOTATED.get(said)

    def _add_box(
        self, item: Item, split: str, line: int, row: Row, confidence: float | None
    ) -> None:
        corners = [number(row.get(side) or "") for side in SIDES]
        left, top, right, bottom = (0.0 if one is None else one for one in corners)
        if None in corners or right <= left or bottom <= top:
            self._fault(item)
            self.faults.add(FILE, line, "its box is not four numbers" if None in corners else
                            "the box has no area")  # fmt: skip
            return
        self.labels.append(RawLabel(item, split, FILE, line, row["label"]))
        self.shapes.append(Shape(0, (left, top, right, bottom), confidence=confidence))

    def _fault(self, item: Item) -> None:
        item.faulty = True


def _split(row: Row) -> str | None:
    said = row.get("split", "").strip()
    return split_of(said) if said else "train"


class CsvWriter:
    """Keeps lines in a hidden file; `labels.csv` in `close`."""

    def __init__(self, target: Path, classes: tuple[str, ...], kind: str) -> None:
        self.target, self.classes, self.kind = target, classes, kind
        self.parts = Parts(target / ".parts.jsonl")

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item)
        put_image(source, self.target / "images" / split / name)
        shown = name if source is not None else item.name
        start: list[object] = [shown, split]
        size = [item.width, item.height]
        kept = [one for one in item.shapes or [] if not one.crowd]
        rows = [
            [*start, self.classes[one.label], _said(one.confidence),
             *(repr(float(side)) for side in one.bounds()), *size, 1]
            for one in kept
        ]  # fmt: skip
        if item.label != UNLABELLED:
            rows.append(
                [*start, self.classes[item.label], _said(item.confidence), *[""] * 4, *size, 1]
            )
        if not rows:
            # Of a picture that only a crowd is in, nothing is said: it is no background.
            looked = item.shapes is not None and not item.shapes
            rows.append([*start, *[""] * 6, *size, int(looked)])
        self.parts.add({"key": f"{split}/{name}", "rows": rows})
        lost = [t("a crowd is left out")] if len(kept) < len(item.shapes or []) else []
        if any(one.outlines or one.rle is not None for one in kept):
            lost.append(t("outlines become boxes"))
        return lost

    def close(self) -> None:
        with writing_whole(self.target / FILE) as out:
            table = csv.writer(out, lineterminator="\n")
            table.writerow(COLUMNS)
            for part in self.parts.rows():
                rows = part["rows"]
                assert isinstance(rows, list), "as `add` has put it there"
                table.writerows([_harmless(cell) for cell in row] for row in rows)
        write_whole(self.target / "classes.txt", "".join(f"{one}\n" for one in self.classes))


def _said(confidence: float | None) -> str:
    return "" if confidence is None else repr(float(confidence))


def _harmless(cell: object) -> object:
    """A name that a spreadsheet would take for a formula cannot be a file's or a class's here."""
    if isinstance(cell, str) and cell[:1] in ("=", "@"):
        raise DataError(
            "{name} begins like a formula, which a spreadsheet would run.",
            name=cell,
            fix="Rename it, or write another format.",
        )
    return cell
