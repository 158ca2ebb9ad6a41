"""One layout into another: what both can hold, and a report of what the target cannot."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from tandem.data.content import BACKGROUND, IGNORED, Content, Item
from tandem.data.faults import Faults
from tandem.data.masks import class_shapes, item_mask
from tandem.data.reading.files import JsonObject
from tandem.data.reading.top_folders import told
from tandem.data.registry import FormatEntry, Writer, find, not_written, read
from tandem.data.verification.files import OpenedFile, files_of, open_all
from tandem.data.verification.support import class_counts, without_example
from tandem.data.writing.files import check_class_lines, placed
from tandem.spec.errors import DataError, OutputFolderError
from tandem.spec.i18n import t

TEXTS = ("text", "instruction")
ORDER = ("detection", "segmentation", "classification", "sequence", "text", "instruction",
         "caption")  # fmt: skip


@dataclass
class Written:
    """What was written, and what could not be."""

    target: str
    format: str
    kind: str
    classes: list[str]
    items: dict[str, int] = field(default_factory=dict)
    """How many, by split."""
    lost: dict[str, int] = field(default_factory=dict)
    """What the layout cannot hold, a sentence each, and of how many items."""
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Faults of what was not read, where that was asked for."""

    def as_dict(self) -> JsonObject:
        """For JSON."""
        return asdict(self)


def convert(
    source: Path,
    target: Path,
    to: str,
    kind: str | None = None,
    *,
    leave_out: bool = False,
    layout: str | None = None,
) -> Written:
    """Write `source` as the layout `to` into `target`, which must not be there, or be empty.

    What is faulty is an error, or else, by `leave_out`, left out and told. `layout`: what `source`
    is read as, where it can be several.
    """
    entry = find(to)
    if entry.packed:
        raise not_written(to)
    check_target(source, target)
    content, faults = read_for(source, entry, kind, leave_out=leave_out, layout=layout)
    written = write(content, target, entry)
    written.left_out = [f"{one.sentence()}." for one in faults.found if not one.warning]
    return written


def read_for(
    source: Path,
    entry: FormatEntry,
    kind: str | None,
    *,
    leave_out: bool,
    layout: str | None = None,
) -> tuple[Content, Faults]:
    """The content as what the target can hold: outlines rather than boxes where all have them."""
    content, faults = _read(source, kind, layout)
    if kind is None:
        kind = _best(content, entry)
        if kind is not None and kind != content.kind:
            content, faults = _read(source, kind, layout)
    if content.kind not in entry.kinds:
        raise DataError(
            "The format {format} cannot hold {kind}.",
            format=entry.name,
            kind=content.kind,
            allowed=sorted(entry.kinds),
            fix="Choose another format, or another --kind if {source} can be read as one.",
            source=source,
        )
    opened = open_all(content, faults)
    if not leave_out:
        faults.check()
        return content, faults
    return without_faulty(content, opened), faults


def without_faulty(content: Content, opened: dict[bytes, OpenedFile]) -> Content:
    """Items of whose label nothing was readable go: many layouts would call them background.

    So do those of whose pictures or video one is broken.
    """

    def is_kept(item: Item) -> bool:
        whole = all(path in opened for path in files_of(item))
        return whole and (not item.faulty or _is_labelled(item))

    kept = {split: [one for one in items if is_kept(one)] for split, items in content.splits()}
    if not any(kept.values()):
        raise DataError(
            "Nothing is left of {path}: everything in it is faulty.",
            path=content.root,
            fix="`tandem data check` lists them all.",
        )
    return content.having(kept["train"], kept.get("val"), kept.get("test"))


def _is_labelled(item: Item) -> bool:
    return item.label >= 0 or bool(item.shapes)


def _read(source: Path, kind: str | None, layout: str | None) -> tuple[Content, Faults]:
    faults = Faults()
    return read(source, faults, kind, layout), faults


def _best(content: Content, entry: FormatEntry) -> str | None:
    common = find(content.format).kinds & entry.kinds
    if content.kind == "detection" and "segmentation" in common and _all_outlined(content):
        return "segmentation"
    if content.kind in entry.kinds:
        return content.kind
    return next((one for one in ORDER if one in common), None)


def _all_outlined(content: Content) -> bool:
    shapes = [one for _, items in content.splits() for item in items for one in item.shapes or []]
    return bool(shapes) and all(one.outlines or one.rle is not None for one in shapes)


def check_target(source: Path, target: Path) -> None:
    """OutputFolderError unless it is free, and not within the source."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise OutputFolderError("{path} is no folder.", path=target, fix="Name another one.")
    if target.is_dir() and next(target.iterdir(), None) is not None:
        raise OutputFolderError(
            "The folder {path} is not empty.", path=target, fix="Name another one."
        )
    if target.resolve().is_relative_to(source.resolve()):
        raise OutputFolderError(
            "{path} lies within the data set that is read.", path=target, fix="Name another one."
        )


def write(content: Content, target: Path, entry: FormatEntry) -> Written:
    """All of it, aside, and renamed when it is whole: nobody sees half a data set."""
    check_class_lines(content.classes)
    said = Written(str(target), entry.name, content.kind, list(content.classes))
    said.notes = list(content.notes)
    counts = class_counts(one for _, items in content.splits() for one in items)
    missing = without_example(content.classes, counts)
    if missing and not entry.lists_classes:
        said.notes.append(t("No item is of the classes {names}: the format {format} does not hold "
                            "them.", names=told(missing), format=entry.name))  # fmt: skip
    lost: Counter[str] = Counter()
    with _aside(target) as hidden:
        writer: Writer = entry.make().writer(hidden, content.classes, content.kind)
        for split, item, renamed in distinct(content, flat=entry.flat):
            lost.update(_put(writer, content, entry, split, item, renamed))
        for split, items in content.splits():
            said.items[split] = len(items)
        writer.close()
        for rest in hidden.glob(".parts*.jsonl"):
            rest.unlink()
    said.lost = dict(lost)
    return said


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    hidden = target.with_name(f".{target.name[-100:]}.{os.getpid()}")
    try:
        hidden.mkdir(parents=True)
        yield hidden
        hidden.replace(target)
    except OSError as error:
        raise OutputFolderError(
            "{path} cannot be written: {reason}.",
            path=target,
            reason=error.strerror or error,
            fix="Name another folder.",
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def distinct(content: Content, *, flat: bool = False) -> Iterator[tuple[str, Item, Item]]:
    """Each item with its split, and with a name that no other one is written under.

    `flat`: the splits share one folder.
    """
    taken: set[tuple[str, str]] = set()
    for split, items in content.splits():
        for item in items:
            if content.kind in TEXTS:
                yield split, item, item
                continue
            renamed, number = item, 0
            place = "" if flat else split
            while (names := _written_names(content, renamed, place)) & taken:
                number += 1
                path = Path(os.fsdecode(item.written_as or item.path))
                # Those that differ in their suffix alone are told apart by it.
                mark = path.suffix[1:] if number == 1 and path.suffix else number
                other = path.with_name(f"{path.stem}_{mark}{path.suffix}")
                renamed = replace(item, path=os.fsencode(other), written_as=None)
            taken |= names
            yield split, item, renamed


def _written_names(content: Content, item: Item, place: str) -> set[tuple[str, str]]:
    """What writers call it, whatever the suffix: labels go by the name without.

    In the folder of its class, where a layout has such folders, and as it lies, where it has none.
    """
    name = Path(placed(item))
    below = str(name.with_suffix("")) if content.kind != "sequence" else name.name
    label = content.classes[item.label] if item.label >= 0 and content.kind != "caption" else ""
    of_class = f"{label}/{below.removeprefix(f'{label}/').replace('/', '__')}"
    return {(place, of_class.casefold()), (place, f"//{below}".casefold())}


def _put(
    writer: Writer, content: Content, entry: FormatEntry, split: str, item: Item, renamed: Item
) -> set[str]:
    lost: set[str] = set()
    if item.mask is not None and "masks" not in entry.holds:
        renamed = _by_shapes(content, item, renamed, lost)
    source = None if content.kind == "text" else content.path(item)
    lost |= set(writer.add(renamed, split, source))
    if "confidence" not in entry.holds and (
        item.confidence is not None
        or any(one.confidence is not None for one in item.shapes or [])
    ):  # fmt: skip
        lost.add(t("confidences are left out"))
    names = {one: None for shape in item.shapes or [] for one in shape.attributes}
    if names and "attributes" not in entry.holds:
        lost.add(t("attributes are left out: {names}", names=", ".join(names)))
    return lost


def _by_shapes(content: Content, item: Item, renamed: Item, lost: set[str]) -> Item:
    """The mask's classes as shapes, for a layout without mask files."""
    mask_HW = item_mask(content, item)
    background = 0 if content.classes[:1] == (BACKGROUND,) else -1
    if np.any(mask_HW == IGNORED):
        lost.add(t("pixels that nobody is asked about become background"))
    return replace(renamed, mask=None, shapes=class_shapes(mask_HW, background))
