"""A data set without copies: what would go is shown first, and the source is left as it is."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.inspection.check import digest_of
from tandem.data.inspection.near_duplicates import near_groups
from tandem.data.inspection.stats import image_hashes
from tandem.data.reading.files import JsonObject
from tandem.data.registry import read, written_as
from tandem.data.verification.files import open_all
from tandem.data.writing.convert import Written, check_target, without_faulty, write

_KEPT_FIRST = ("test", "val", "train")
"""A copy that also validates goes from train: the scores stay comparable."""


@dataclass(frozen=True)
class RemovedCopy:
    """One item that goes."""

    name: str
    split: str
    kept: str
    """The item that stays in its place."""
    near: bool
    """It only looks nearly the same; else it is the same byte for byte."""


@dataclass
class Cleaned:
    """What goes, and what was written."""

    removed: list[RemovedCopy] = field(default_factory=list)
    conflicts: list[tuple[str, str]] = field(default_factory=list)
    """Copies that are labelled otherwise: a person decides, and both stay."""
    left_out: list[str] = field(default_factory=list)
    """Faults of what was not read, where that was asked for."""
    written: Written | None = None

    def as_dict(self) -> JsonObject:
        """For JSON."""
        return asdict(self)


def clean(
    path: Path,
    target: Path | None = None,
    *,
    near: bool = False,
    leave_out: bool = False,
    kind: str | None = None,
    layout: str | None = None,
) -> Cleaned:
    """Find the copies, and write what is left of the data set into `target`, where one is given.

    DataError where something is faulty, unless that is to be left out too.
    """
    if target is not None:
        check_target(path, target)
    faults = Faults()
    content = read(path, faults, kind, layout)
    opened = open_all(content, faults)
    said = Cleaned()
    if leave_out:
        content = without_faulty(content, opened)
        said.left_out = [f"{one.sentence()}." for one in faults.found if not one.warning]
    else:
        faults.check()
    gone: set[int] = set()
    places = {id(item): (split, item) for split, items in content.splits() for item in items}
    exact: dict[bytes, list[Item]] = defaultdict(list)
    for _, item in places.values():
        digest = digest_of(item, opened)
        if digest is not None:
            exact[digest].append(item)
    _take_out(content, exact.values(), places, gone, said, near=False)
    if near:
        shown = {
            os.fsdecode(item.shown): item for _, item in places.values() if id(item) not in gone
        }
        hashes = [one for one in image_hashes(content) if one[1] in shown and one[2] is not None]
        known = [(split, name, bits) for split, name, bits in hashes if bits is not None]
        groups = [[shown[known[n][1]] for n in group] for group in near_groups(known)]
        _take_out(content, groups, places, gone, said, near=True)
    if target is not None:
        kept = {split: [one for one in items if id(one) not in gone]
                for split, items in content.splits()}  # fmt: skip
        rest = content.having(kept["train"], kept.get("val"), kept.get("test"))
        said.written = write(rest, target, written_as(content))
    return said


def _take_out(
    content: Content,
    groups: Iterable[list[Item]],
    places: dict[int, tuple[str, Item]],
    gone: set[int],
    said: Cleaned,
    *,
    near: bool,
) -> None:
    for group in groups:
        if len(group) < 2:
            continue
        ordered = sorted(group, key=lambda one: (
            _label(content, one) is None, _KEPT_FIRST.index(places[id(one)][0])))  # fmt: skip
        first = ordered[0]
        for item in ordered[1:]:
            if _label(content, item) not in (None, _label(content, first)):
                said.conflicts.append((first.place, item.place))
                continue
            gone.add(id(item))
            said.removed.append(RemovedCopy(item.place, places[id(item)][0], first.place, near))


def _label(content: Content, item: Item) -> object:
    """What a person has said of it, to be compared; None: nothing."""
    mask = None
    if item.mask is not None:
        mask = hashlib.sha256((content.root / os.fsdecode(item.mask)).read_bytes()).digest()
    text = item.text if item.width else None  # a caption; else it is the item itself
    messages = item.attributes.get("messages")
    shapes = None if item.shapes is None else sorted(repr(one.key()) for one in item.shapes)
    if item.label < 0 and shapes is None and mask is None and text is None and messages is None:
        return None
    return item.label, shapes, mask, text, repr(messages)
