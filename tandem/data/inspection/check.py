"""Everything that is wrong with a data set, and what is in it."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tandem.data.content import Content, Item
from tandem.data.faults import Fault, Faults
from tandem.data.progress import OnProgress
from tandem.data.reading.files import JsonObject
from tandem.data.registry import read, readings
from tandem.data.verification.files import OpenedFile, open_all
from tandem.data.verification.support import class_counts, is_annotated
from tandem.spec.errors import DataError

MOST_COPIES_TOLD = 1000


@dataclass
class CheckReport:
    """What `tandem data check` says."""

    path: str
    format: str = ""
    kind: str = ""
    classes: list[str] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)
    """How many, by split."""
    annotated: dict[str, int] = field(default_factory=dict)
    """How many of them, by split, background included."""
    per_class: dict[str, dict[str, int]] = field(default_factory=dict)
    """Split, class: labels, boxes or pictures with that class in their mask."""
    errors: int = 0
    warnings: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    could_be: list[str] = field(default_factory=list)
    """The other layouts that the folder can be read as."""

    @property
    def ok(self) -> bool:
        """Whether it can be trained on as it is."""
        return self.errors == 0

    def as_dict(self) -> JsonObject:
        """For JSON; each fault with its sentence, and what is wrong without the place."""
        told = asdict(self)
        told["faults"] = [
            {"file": one.file, "line": one.line, "warning": one.warning,
             "what": one.what(), "sentence": one.sentence()} for one in self.faults
        ]  # fmt: skip
        return told | {"ok": self.ok}


def report(
    path: Path,
    kind: str | None = None,
    progress: OnProgress | None = None,
    *,
    layout: str | None = None,
) -> CheckReport:
    """Read all of it, open every picture, and compare the splits. Never raises for bad data.

    `layout`: what it is to be read as; None: what its meta.json says, or what is found by looking.
    """
    said = CheckReport(str(path))
    faults = Faults()
    try:
        claims = readings(path, kind, layout)
        said.could_be = [one.name for one in claims[1:]]
        content = read(path, faults, kind, layout, claims=claims)
    except (DataError, OSError) as error:
        sentence = error.sentence() if isinstance(error, DataError) else str(error)
        faults.add(path.name, 0, "{reason}", reason=sentence)
        return _ended(said, faults)
    said.format, said.kind = content.format, content.kind
    said.classes, said.notes = list(content.classes), list(content.notes)
    opened = open_all(content, faults, progress)
    _check_sizes(content, opened, faults)
    for split, items in content.splits():
        said.items[split] = len(items)
        said.annotated[split] = sum(is_annotated(one) for one in items)
        said.per_class[split] = counts_of(content, items)
    _compare(content, opened, faults)
    return _ended(said, faults)


def _ended(said: CheckReport, faults: Faults) -> CheckReport:
    said.errors, said.warnings, said.faults = faults.errors, faults.warnings, faults.found
    return said


def counts_of(content: Content, items: list[Item]) -> dict[str, int]:
    """Labels, shapes, or masks with the class, of each class by name."""
    counts = class_counts(items)
    return {name: counts[number] for number, name in enumerate(content.classes)}


def _check_sizes(content: Content, opened: dict[bytes, OpenedFile], faults: Faults) -> None:
    """Frames of one clip are of one size; a picture is as large as its label file says."""
    for _, items in content.splits():
        for item in items:
            sizes = {opened[one].size for one in item.frames if one in opened} - {None}
            if len(sizes) > 1:
                shown = ", ".join(sorted(f"{one[0]} x {one[1]}" for one in sizes if one))
                faults.add(item.name, 0, "the frames have several sizes: {sizes}",
                           warning=True, sizes=shown)  # fmt: skip
            size = opened[item.path].size if item.path in opened else None
            if size is not None and item.width and size != (item.width, item.height):
                faults.add(item.name, 0, "the label file says {wide} x {high} pixels, the picture "
                           "has {width} x {height}", wide=item.width, high=item.height,
                           width=size[0], height=size[1])  # fmt: skip


def _compare(content: Content, opened: dict[bytes, OpenedFile], faults: Faults) -> None:
    """Copies: of one file in both splits, or under two labels."""
    first: dict[bytes, tuple[str, Item]] = {}
    told = 0
    for split, items in content.splits():
        for item in items:
            digest = digest_of(item, opened)
            if digest is None:
                continue
            other = first.setdefault(digest, (split, item))
            if other[1] is item or told >= MOST_COPIES_TOLD:
                continue
            if other[0] != split:
                told += 1
                faults.add(item.place, 0, "the same as {other} of {split}: the scores will look "
                           "better than they are", warning=True, other=other[1].name,
                           split=other[0])  # fmt: skip
            elif other[1].label != item.label:
                told += 1
                faults.add(item.place, 0, "the same as {other}, but with another label",
                           warning=True, other=other[1].name)  # fmt: skip


def digest_of(item: Item, opened: dict[bytes, OpenedFile]) -> bytes | None:
    """What two items share that are the same to the byte; None for what cannot be compared."""
    if item.path in opened:
        return opened[item.path].digest
    if item.frames and all(one in opened for one in item.frames):
        every = b"".join(opened[one].digest for one in item.frames)
        return hashlib.blake2b(every, digest_size=16).digest()
    if item.text is None or item.width:
        return None
    both = f"{item.text}\0{item.text_b}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(both, digest_size=16).digest()


if __name__ == "__main__":  # the service's own way: a process that may take its time
    print(json.dumps(report(Path(sys.argv[1])).as_dict(), ensure_ascii=True))
