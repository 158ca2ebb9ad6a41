"""Layouts by name: found because the file lies in `formats/`, or by a package's entry point."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, TypeVar

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.progress import OnProgress
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.verify import verify
from tandem.spec import i18n
from tandem.spec.errors import DataError, TandemError
from tandem.spec.i18n import t

ENTRY_POINT_GROUP = "tandem.plugins"
META = "meta.json"
"""What a data set may say of itself: `{"type": "yolo"}`."""
WRITTEN = {"text": "text", "caption": "caption"}
"""What a packed data set's items are written as, by kind; of others: an image folder."""


Example = Callable[[Path], str]
"""Writes a small data set into a folder, and names a file of it the loss of which must be told."""


class Writer(Protocol):
    """Writes one data set, or the predictions for one, item by item.

    Each item's own file is there, whole, when `add` returns (written aside and renamed); a layout
    with one file for all of them keeps what it has in a hidden `.parts.jsonl` and assembles it in
    `close`, so that a writer opened again on the same folder goes on.
    """

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        """Write it; `source` is the picture to copy or link, None to leave pictures out.

        Returns sentences that say what this layout cannot hold of the item.
        """
        ...

    def close(self) -> None:
        """Write what belongs to all items. Idempotent."""


class Format(Protocol):
    """One layout."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether the folder is laid out so; quick, by names and the beginnings of files."""
        ...

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """All of it; no picture is decoded here, though a header may be read for its size.

        `kind` is what is asked for where the layout can mean several. Faults of single files and
        lines go to `faults`; DataError only where nothing can be read.
        """
        ...

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:
        """Writes into `target`, which may hold what an earlier writer wrote."""
        ...


@dataclass(frozen=True)
class FormatEntry:
    """One registered layout."""

    name: str
    make: type[Format]
    kinds: frozenset[str]
    holds: frozenset[str]
    """Some of label, boxes, outlines, masks, rle, crowd, confidence, attributes, frames, text."""
    writes: frozenset[str]
    """The kinds whose predictions its writer takes."""
    files: str = ""
    """Where its files lie, for people."""
    flat: bool = False
    """The splits share one folder, and so their pictures' names."""
    packed: bool = False
    """Its pictures lie in other files: it is read, and never written."""
    lists_classes: bool = True
    """A class that no item is of has its name in it too."""
    example: Example | None = None
    zh: str = ""
    """The Chinese of `about`."""
    zh_more: Mapping[str, str] = field(default_factory=dict)
    """The Chinese of the other sentences of its file, by the English."""

    @property
    def about(self) -> str:
        """The first line of its docstring."""
        return (self.make.__doc__ or "").strip().splitlines()[0] if self.make.__doc__ else ""

    @property
    def chinese(self) -> dict[str, str]:
        """What its file brings into the dictionary."""
        return {self.about: self.zh, **self.zh_more} if self.zh else dict(self.zh_more)


F = TypeVar("F", bound=Format)


class _FormatRegister:
    def __init__(self) -> None:
        self.entries: dict[str, FormatEntry] = {}

    def format(
        self,
        name: str,
        kinds: Iterable[str],
        holds: Iterable[str] = (),
        *,
        writes: Iterable[str] | None = None,
        files: str = "",
        flat: bool = False,
        packed: bool = False,
        lists_classes: bool = True,
        example: Example | None = None,
        zh: str = "",
        zh_more: Mapping[str, str] | None = None,
    ) -> Callable[[type[F]], type[F]]:
        """Decorates a class with the methods of `Format`.

        `writes` are the kinds whose predictions can be written so, where these are others than
        `kinds`. `flat` says that the splits share one folder, `packed` that it is only read,
        `lists_classes` that a class without an item stays in it.
        The tests read, write, break and
        split what `example` makes. `zh` is the Chinese of the docstring's first line, `zh_more` of
        what its `faults` and its writer say that zh.json does not have.
        """

        def decorate(make: type[F]) -> type[F]:
            known = self.entries.get(name)
            if known is not None and known.make.__module__ != make.__module__:
                raise TandemError(
                    "Two plug-ins call themselves {group} {name!r}: {one} and {other}.",
                    group="formats",
                    name=name,
                    one=known.make.__module__,
                    other=make.__module__,
                    fix="Rename one of them.",
                )
            entry = FormatEntry(
                name, make, frozenset(kinds), frozenset(holds),
                frozenset(kinds if writes is None and not packed else writes or ()), files, flat,
                packed, lists_classes, example, zh, zh_more or {},
            )  # fmt: skip
            self.entries[name] = entry
            i18n.add_chinese(entry.chinese)
            return make

        return decorate


register = _FormatRegister()


@cache
def _discover() -> None:
    package = importlib.import_module("tandem.data.formats")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        point.load()


def formats() -> dict[str, FormatEntry]:
    """Every layout by name, in the order of the names."""
    _discover()
    return dict(sorted(register.entries.items()))


def find(name: str) -> FormatEntry:
    """One layout; DataError with the allowed names when there is none."""
    known = formats()
    if name not in known:
        raise DataError("There is no data format {name!r}.", name=name, allowed=known)
    return known[name]


def not_written(name: str) -> DataError:
    """What a layout's `writer` raises that is only read."""
    return DataError(
        "The format {format} is read, not written.",
        format=name,
        allowed=[one for one, entry in formats().items() if not entry.packed],
        fix="Write another one.",
    )


def written_as(content: Content) -> FormatEntry:
    """The layout that a part of a data set is written in: its own, or one that can be written."""
    entry = find(content.format)
    return find(WRITTEN.get(content.kind, "classification")) if entry.packed else entry


def recognise(path: Path, kind: str | None = None, layout: str | None = None) -> FormatEntry:
    """The layout of a folder: the first of its `readings`. DataError where it has none."""
    return readings(path, kind, layout)[0]


def readings(path: Path, kind: str | None = None, layout: str | None = None) -> list[FormatEntry]:
    """All layouts that a folder can be read as, the one that is taken first; never empty.

    It is `layout`, or what its meta.json says, or the first whose `sniff` says yes. Those that hold
    `kind` are asked first: folders in class folders are clips to who wants clips. DataError for a
    folder that is empty or laid out like nothing known, and for a name that no layout has.
    """
    named = _named(path, layout)
    known, listing = formats(), FolderListing(path)
    # An image folder claims the most, and clips come next: class folders may be either, and label
    # files beside pictures are neither. What is packed may be a copy of what lies beside it.
    last = ("sequence", "classification")
    ordered = sorted(
        known.values(),
        key=lambda one: (
            kind not in one.kinds,
            one.packed,
            one.name in last and last.index(one.name) + 1,
        ),
    )
    claims = [entry for entry in ordered if entry.make().sniff(listing)]
    if named is not None:
        return [known[named], *(one for one in claims if one.name != named)]
    if claims:
        return claims
    raise DataError(
        "The folder {path} is laid out like no data set that is known.",
        path=path,
        allowed=[entry.files for entry in known.values() if entry.files],
        fix="Put pictures into {path}/train/<class>/.",
    )


def _named(path: Path, layout: str | None) -> str | None:
    """The layout that was asked for, or that the data set's meta.json says."""
    if not any(one.name != META for one in path.iterdir()):
        raise DataError(
            "The data set {path} is empty.",
            path=path,
            fix="Put pictures into {path}/train/<class>/.",
        )
    if layout is not None:
        return find(layout).name
    named = type_in_meta(path / META)
    if named is not None and named not in formats():
        raise DataError(
            "{path}/meta.json says the type {type!r}, which cannot be trained on.",
            path=path,
            type=named,
            allowed=formats(),
            fix="Mend it, or take it away: the layout is then found by looking.",
        )
    return named


def read(
    path: Path,
    faults: Faults,
    kind: str | None = None,
    layout: str | None = None,
    *,
    claims: Sequence[FormatEntry] | None = None,
    masks: bool = True,
    progress: OnProgress | None = None,
) -> Content:
    """All of a data set, by its layout, verified. DataError where it cannot be read as `kind`.

    Where the layout was found by looking and the folder can be read otherwise too, a note says so.
    `claims` is what `readings` says of the same, where that was asked before. `masks` and
    `progress` are `verify`'s.
    """
    entry, *others = claims or readings(path, kind, layout)
    content = entry.make().content(path, faults, kind)
    if kind is not None and content.kind != kind:
        raise DataError(
            "The data set {dataset} is for {found}, not for {asked}.",
            dataset=path,
            found=content.kind,
            asked=kind,
        )
    verify(content, faults, masks=masks, progress=progress)
    notes = [*content.notes, *unsure(path, entry, others, layout), *_other_kinds(content, kind)]
    return replace(content, notes=tuple(notes))


def unsure(
    path: Path, entry: FormatEntry, others: Sequence[FormatEntry], layout: str | None
) -> list[str]:
    """A sentence of what else the folder could be, where nobody has said what it is."""
    if not others or layout is not None or type_in_meta(path / META) is not None:
        return []
    return [t("It is read as {format}; it could also be {others}: choose by --type, or by the type "
              "in meta.json.", format=entry.name,
              others=", ".join(one.name for one in others))]  # fmt: skip


def _other_kinds(content: Content, kind: str | None) -> list[str]:
    """A sentence where outlines were read as boxes, because nobody has asked for them."""
    if kind is not None or content.kind != "detection":
        return []
    total = outlined = 0
    for _, items in content.splits():
        for item in items:
            total += len(item.shapes or [])
            outlined += sum(bool(one.outlines) or one.rle is not None for one in item.shapes or [])
    if not outlined:
        return []
    return [t("It is read as detection; {count} of {total} shapes have outlines, which --kind "
              "segmentation reads.", count=outlined, total=total)]  # fmt: skip


def type_in_meta(path: Path) -> str | None:
    """What a data set's meta.json says of its type; DataError for a file that is no such JSON."""
    if not path.is_file():
        return None
    try:
        meta = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            "{path} is no JSON: {reason}.", path=path, reason=error, fix="Mend it or take it away."
        ) from error
    named = meta.get("type") if isinstance(meta, dict) else None
    if named is not None and not isinstance(named, str):
        raise DataError(
            "{path}: type must be a text.", path=path, got=named, fix="Mend it or take it away."
        )
    return named
