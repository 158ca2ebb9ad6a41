"""`labels.csv`: one line a picture, clip or box; what other programs open."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.formats.text import table_rows
from tandem.data.reading.files import SPLITS, inside, is_there, measure, number, read_text
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import Parts, placed, put_image, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

FILE = "labels.csv"
COLUMNS = ("file", "split", "label", "confidence", "left", "top", "right", "bottom",
           "width", "height")  # fmt: skip


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
        """Whether there is a labels.csv with our columns."""
        head = folder.head(FILE, 200).removeprefix(b"\xef\xbb\xbf")
        return head.startswith(b"file,split,label")

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every line; a file with neither label nor box is background, or unlabelled."""
        Walk(path).check(path / FILE)
        rows = table_rows(path / FILE, faults)
        if not rows:
            faults.add(FILE, 0, "it holds no row")
        boxes = any(row.get("left") for row in rows)
        learnt = kind or ("detection" if boxes else "classification")
        classes = tuple(sorted({row["label"] for row in rows if row.get("label")}))
        if (path / "classes.txt").is_file():
            listed = read_text(path / "classes.txt").splitlines()
            classes = tuple(one for one in listed if one)
        found: dict[str, dict[str, Item]] = {}
        for line, row in enumerate(rows, 2):
            _add(path, line, row, learnt, classes, found, faults)
        val = list(found["val"].values()) if "val" in found else None
        return Content(path, "csv", learnt, classes, list(found.get("train", {}).values()), val)

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:
        """Lines as they come; the table in `close`."""
        return CsvWriter(target, classes, kind)


def _add(
    path: Path,
    line: int,
    row: dict[str, str],
    kind: str,
    classes: tuple[str, ...],
    found: dict[str, dict[str, Item]],
    faults: Faults,
) -> None:
    split, name = row.get("split") or "train", row.get("file") or ""
    file = next((one for one in (path / "images" / split / name, path / name) if is_there(one)),
                None)  # fmt: skip
    if split not in SPLITS or file is None or not inside(path, file):
        faults.add(FILE, line, "the picture {file} is not there", file=name)
        return
    items = found.setdefault(split, {})
    item = items.get(name)
    if item is None:
        item = Item(os.fsencode(os.path.relpath(file, path)))
        if not measure(path, item, faults):
            return
        item.shapes = [] if kind == "detection" else None
        items[name] = item
    if not row.get("label"):
        return
    if row["label"] not in classes:
        faults.add(FILE, line, "there is no class {label}", label=row["label"])
        return
    label, confidence = classes.index(row["label"]), number(row.get("confidence") or None)
    if kind != "detection":
        item.label, item.confidence = label, confidence
        return
    corners = [number(row.get(side) or "") for side in ("left", "top", "right", "bottom")]
    if any(one is None for one in corners):
        faults.add(FILE, line, "its box is not four numbers")
        return
    left, top, right, bottom = (one for one in corners if one is not None)
    if right <= left or bottom <= top:
        faults.add(FILE, line, "the box has no area")
        return
    assert item.shapes is not None
    item.shapes.append(Shape(label, (left, top, right, bottom), confidence=confidence))


class CsvWriter:
    """Keeps lines in a hidden file; `labels.csv` in `close`."""

    def __init__(self, target: Path, classes: tuple[str, ...], kind: str) -> None:
        self.target, self.classes, self.kind = target, classes, kind
        self.parts = Parts(target / ".parts.jsonl")

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item, source)
        put_image(source, self.target / "images" / split / name)
        shown = name if source is not None else item.name
        start: list[object] = [shown, split]
        size = [item.width, item.height]
        rows = [
            [*start, self.classes[one.label], _said(one.confidence),
             *(repr(float(side)) for side in one.bounds()), *size]
            for one in item.shapes or [] if not one.crowd
        ]  # fmt: skip
        if item.label != UNLABELLED:
            rows.append(
                [*start, self.classes[item.label], _said(item.confidence), *[""] * 4, *size]
            )
        if not rows:
            rows.append([*start, *[""] * 6, *size])
        self.parts.add({"key": f"{split}/{item.name}", "rows": rows})
        kept = [one for one in item.shapes or [] if not one.crowd]
        lost = [t("a crowd is left out")] if len(kept) < len(item.shapes or []) else []
        if any(one.outlines or one.rle is not None for one in kept):
            lost.append(t("outlines become boxes"))
        return lost

    def close(self) -> None:
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(COLUMNS)
        for part in self.parts.rows():
            rows = part["rows"]
            assert isinstance(rows, list), "as `add` has put it there"
            table.writerows([_harmless(cell) for cell in row] for row in rows)
        write_whole(self.target / FILE, out.getvalue())
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
