"""From a data set's name to its content with both splits, for every kind but classification.

Classification keeps columns in place of objects (`train.data`): it meets millions of pictures.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.registry import read
from tandem.data.verification.support import class_counts, is_annotated
from tandem.spec.errors import DataError
from tandem.spec.i18n import t
from tandem.spec.run import DataSpec
from tandem.train.data.classification import find_folder
from tandem.train.data.splits import (
    check_num_classes,
    check_same_classes,
    held_out_count,
    tell_held_out,
    tell_warnings,
)
from tandem.train.types import ProgressReporter

DIGESTED_BYTES = 1 << 18
"""How much of a file is looked at to know it again: pictures and videos differ in that."""


def read_content(
    spec: DataSpec, *, kind: str | None, progress: ProgressReporter
) -> tuple[Content, list[Item]]:
    """The data set, and the items to validate on; `train` holds none of them.

    Where there is no `val`, `val_ratio` of the annotated items is held out, stratified by the
    classes in them and chosen by their content. Raises DataError: a fault of a file or line names
    it.
    """
    content = _read(find_folder(spec.root, spec.dataset), kind, spec.type, progress)
    check_num_classes(spec, content.classes)
    notes = list(content.notes)
    train, val = content.train, content.val
    if spec.val_dataset:
        other = _read(
            find_folder(spec.root, spec.val_dataset), kind or content.kind, None, progress
        )
        check_same_classes(
            (content.root, content.classes), (other.root, other.classes), are_folders=False
        )
        val = [
            _moved(one, other, content) for one in (other.val or other.train or other.test or [])
        ]
        notes += other.notes
    elif val is None:
        train, val = hold_out(content.root, train, spec.val_ratio)
        notes.append(
            t(
                "There is no val split: {count} items ({ratio:.0%}) were held out of train to "
                "validate, {rest} are left to learn from.",
                count=len(val),
                ratio=spec.val_ratio,
                rest=len(train),
            )
        )
        tell_held_out(content.classes, class_counts(train), class_counts(val), progress)
    _check_some(content, train, val)
    return replace(content, train=train, val=val, notes=tuple(notes)), val


def hold_out(root: Path, items: list[Item], ratio: float) -> tuple[list[Item], list[Item]]:
    """(train, val): every set of classes gives its share; what nobody annotated stays in train.

    An item is chosen by its content alone, so that every seed holds out the same.
    """
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, item in enumerate(items):
        if is_annotated(item):
            groups[_signature(item)].append(row)
    order: list[int] = []
    for _, rows in sorted(groups.items()):
        order += sorted(rows, key=lambda row: content_digest(root, items[row]))
    count = held_out_count(len(order), ratio)
    # Every 1/ratio-th of the rows in the order of their classes: each group gives its share.
    places = (np.arange(count) + 0.5) * len(order) / max(count, 1)
    chosen = {order[int(place)] for place in places}
    train = [item for row, item in enumerate(items) if row not in chosen]
    return train, [item for row, item in enumerate(items) if row in chosen]


def content_digest(root: Path, item: Item) -> bytes:
    """What an item is, whatever it is called: its text, or its file's size and how it begins.

    Of a clip: its number of frames, and the one that is shown for it.
    """
    if item.text is not None:
        text = f"{item.text}\0{item.text_b}".encode(errors="surrogatepass")
        return hashlib.blake2b(text, digest_size=16).digest()
    file = root / os.fsdecode(item.shown)
    begins = f"{len(item.frames)}/{file.stat().st_size}/".encode()
    with file.open("rb") as stream:
        return hashlib.blake2b(begins + stream.read(DIGESTED_BYTES), digest_size=16).digest()


def labelled_test(content: Content) -> list[Item] | None:
    """The annotated items of the test split; None where there is no such split."""
    return None if content.test is None else [one for one in content.test if is_annotated(one)]


def class_sets(items: Sequence[Item]) -> NDArray[np.int64]:
    """(N,) one number for all items with the same classes, another for those nobody annotated."""
    sets = [_signature(item) if is_annotated(item) else None for item in items]
    numbers = {found: number for number, found in enumerate(dict.fromkeys(sets))}
    return np.array([numbers[one] for one in sets], np.int64)


def _signature(item: Item) -> tuple[int, ...]:
    return tuple(sorted(class_counts([item])))


def _read(
    folder: Path, kind: str | None, layout: str | None, progress: ProgressReporter
) -> Content:
    faults = Faults()
    doing = t("checking masks")
    content = read(
        folder,
        faults,
        kind,
        layout,
        progress=lambda done, total: progress.progress(doing, done, total),
    )
    faults.check()
    tell_warnings(faults, progress)
    return content


def _moved(item: Item, source: Content, target: Content) -> Item:
    """The item of another data set as one of this: its path is absolute, its classes renumbered."""
    new = {old: target.classes.index(name) for old, name in enumerate(source.classes)}

    def there(path: bytes) -> bytes:
        return bytes(source.root / path.decode("utf-8", "surrogateescape"))

    shapes = item.shapes
    if shapes is not None:
        shapes = [replace(one, label=new[one.label]) for one in shapes]
    if item.mask is not None and any(old != now for old, now in new.items()):
        raise DataError(
            "The masks of {path} count the classes otherwise than the data set trained on.",
            path=source.root,
            fix="Name the classes in the same order in both classes.txt.",
        )
    return replace(
        item,
        path=there(item.path),
        label=new.get(item.label, item.label),
        shapes=shapes,
        mask=None if item.mask is None else there(item.mask),
        frames=tuple(there(one) for one in item.frames),
    )


def _check_some(content: Content, train: list[Item], val: list[Item]) -> None:
    if not any(is_annotated(one) for one in val):
        raise DataError(
            "The data set {path} leaves nothing annotated to validate on.",
            path=content.root,
            fix="Annotate two items or more, or give it a val split.",
        )
    if not train:
        raise DataError(
            "The data set {path} has nothing to learn from.",
            path=content.root,
            fix="Put something into its train split.",
        )
