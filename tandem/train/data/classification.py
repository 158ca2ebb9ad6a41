"""From a data set's name to tables of checked pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tandem.data import registry
from tandem.data.content import Item
from tandem.data.faults import Faults
from tandem.data.reading.labelled_paths import LabelledPaths, LabelledSplits
from tandem.data.registry import readings, unsure
from tandem.data.verification.support import verify_listing
from tandem.spec.errors import DataError
from tandem.spec.i18n import t
from tandem.spec.run import DataSpec
from tandem.train.data.inspect_files import inspect
from tandem.train.data.splits import (
    check_num_classes,
    check_same_classes,
    held_out_count,
    tell_held_out,
    tell_warnings,
)
from tandem.train.types import UNLABELLED, ImageTable, ProgressReporter, Splits

_Splits = TypeVar("_Splits", bound=Splits)


def read(spec: DataSpec, *, index_root: Path | None, progress: ProgressReporter) -> Splits:
    """Find the data set, list it, open every picture once, and split it.

    What a file held is remembered under `index_root`, so that a second reading opens only new or
    changed files. Raises DataError, one sentence that names what is wrong.
    """
    listing = _list(find_folder(spec.root, spec.dataset), spec.type, progress)
    check_num_classes(spec, listing.classes)
    other = None
    if spec.val_dataset:
        other = _list(find_folder(spec.root, spec.val_dataset), None, progress)
    train = _table(listing, listing.train, spec, index_root, progress)
    notes = list(listing.notes)
    if other is not None:
        check_same_classes(
            (listing.root, listing.classes), (other.root, other.classes), are_folders=True
        )
        val = _labelled_only(_table(other, _to_validate(other, notes), spec, index_root, progress))
        notes += other.notes
    elif listing.val is not None:
        val = _table(listing, listing.val, spec, index_root, progress)
    else:
        train, val = _hold_out(train, spec.val_ratio)
        notes.append(_held_out_note(train, val, spec.val_ratio))
        tell_held_out(listing.classes, _counts(train), _counts(val), progress)
    check_some(listing.root, train, val)
    test = None
    if listing.test is not None:
        test = _labelled_only(_table(listing, listing.test, spec, index_root, progress))
    splits = with_test(Splits(train, val, listing.kind, tuple(notes)), test)
    warn_of_duplicates(splits, progress)
    return splits


def find_folder(root: Path | None, name: str) -> Path:
    """The folder of a data set: `<root>/<name>`, never outside the root; or the path itself."""
    if root is None:
        path = Path(name).expanduser()
        if not path.exists():
            raise DataError(
                "There is no data set at {path}.",
                path=path,
                fix="Give the folder that holds train/, or an id and its datasets_root.",
            )
    else:
        path = _inside(root, name)
    if not path.is_dir():
        raise DataError(
            "The data set {path} is a file; a folder is wanted.",
            path=path,
            fix="Unpack it, and name the folder that holds train/.",
        )
    return path.resolve()


def _inside(root: Path, name: str) -> Path:
    path = root / name
    real_root = root.resolve()
    if not path.resolve().is_relative_to(real_root) or path.resolve() == real_root:
        raise DataError(
            "The data set {name} lies outside the datasets root {root}.",
            name=name,
            root=root,
            fix="Give the name of a folder in it.",
        )
    if not path.exists():
        there = sorted(one.name for one in root.iterdir() if one.is_dir()) if root.is_dir() else []
        raise DataError(
            "There is no data set {name} in {root}.",
            name=name,
            root=root,
            allowed=[one for one in there if not one.startswith(".")][:20],
            fix="Put it at {path}, or set datasets_root to the folder that holds it.",
            path=path,
        )
    return path


def _list(path: Path, layout: str | None, progress: ProgressReporter) -> LabelledSplits:
    """What the format that fits finds there, verified."""
    entry, *others = readings(path, "classification", layout)
    format = entry.make()
    faults = Faults()
    if hasattr(format, "read"):
        listing: LabelledSplits = format.read(path)
        verify_listing(listing, faults)
        tell_warnings(faults, progress)
        return replace(listing, notes=(*listing.notes, *unsure(path, entry, others, layout)))
    content = registry.read(path, faults, "classification", layout)
    faults.check()
    tell_warnings(faults, progress)
    val = None if content.val is None else _listed([one for one in content.val if one.label >= 0])
    test = None if content.test is None else _listed(content.test)
    return LabelledSplits(
        path, content.kind, content.classes, _listed(content.train), val, tuple(content.notes), test
    )


def _to_validate(other: LabelledSplits, notes: list[str]) -> LabelledPaths:
    """What validates in a data set named for it: its val, else its train, else its test."""
    if other.val is not None:
        return other.val
    if not len(other.train) and other.test is not None:
        notes.append(t("{path} has a test split alone; it validates.", path=other.root))
        return other.test
    return other.train


def _listed(items: list[Item]) -> LabelledPaths:
    return LabelledPaths([one.path for one in items], [one.label for one in items])


def _table(
    listing: LabelledSplits,
    listed: LabelledPaths,
    spec: DataSpec,
    index_root: Path | None,
    progress: ProgressReporter,
) -> ImageTable:
    hashes_N = inspect(listing.root, listed.paths, spec.max_image_pixels, index_root, progress)
    return ImageTable(
        root=listing.root,
        paths_N=np.array(listed.paths, dtype=np.bytes_),
        labels_N=np.array(listed.labels, dtype=np.int64),
        hashes_N=hashes_N,
        classes=listing.classes,
    )


def _counts(table: ImageTable) -> Counter[int]:
    labels: list[int] = table.labels_N[table.labels_N != UNLABELLED].tolist()
    return Counter(labels)


def _labelled_only(table: ImageTable) -> ImageTable:
    return table.rows(np.flatnonzero(table.labels_N != UNLABELLED).astype(np.int64))


def _hold_out(table: ImageTable, ratio: float) -> tuple[ImageTable, ImageTable]:
    """Each class gives that share, at least one image where it has two.

    A row is chosen by its content alone: every seed holds out the same, so that runs can be
    compared, and a teacher that learnt from this data set has not seen its student's val.
    """
    held: list[NDArray[np.int64]] = []
    keys_N = keys(table.hashes_N)
    for label in range(len(table.classes)):
        rows = np.flatnonzero(table.labels_N == label)
        count = held_out_count(len(rows), ratio)
        held.append(rows[np.argsort(keys_N[rows], kind="stable")[:count]])
    val_rows = np.sort(np.concatenate(held)).astype(np.int64)
    train_rows = np.setdiff1d(np.arange(len(table)), val_rows).astype(np.int64)
    return table.rows(train_rows), table.rows(val_rows)


def _held_out_note(train: ImageTable, val: ImageTable, ratio: float) -> str:
    return t(
        "There is no val split: {count} pictures ({ratio:.0%} of each class) were held out of "
        "train to validate, {rest} are left to learn from.",
        count=len(val),
        ratio=ratio,
        rest=len(train),
    )


def check_some(path: Path, train: ImageTable, val: ImageTable) -> None:
    """DataError where a split is empty."""
    if len(val) == 0:
        raise DataError(
            "The data set {path} leaves no labelled picture to validate on.",
            path=path,
            fix="Put some into {path}/val/<class>/, or two or more into each train/<class>/.",
        )
    if len(train) == 0:
        raise DataError(
            "The data set {path} has no picture to learn from.",
            path=path,
            fix="Put pictures into {path}/train/<class>/.",
        )


def with_test(splits: _Splits, test: ImageTable | None) -> _Splits:
    """The splits with the labelled rows of a test split, noted where it has none."""
    if test is None:
        return splits
    if not len(test):
        note = t("The test split has no labels: nothing can be measured on it.")
        return replace(splits, notes=(*splits.notes, note))
    return replace(splits, test=test)


def tell_copies_of_test(splits: Splits, progress: ProgressReporter) -> None:
    """Tell how much of the test split something was learnt from or chosen on."""
    test = splits.test
    if test is None:
        return
    chosen_on = np.concatenate([keys(splits.train.hashes_N), keys(splits.val.hashes_N)])
    seen = int(np.isin(keys(test.hashes_N), chosen_on).sum())
    if seen:
        progress.notice(
            t(
                "{count} of the {total} test samples are also in train or val, byte for byte; "
                "the scores will look better than they are.",
                count=seen,
                total=len(test),
            ),
            warning=True,
        )


def warn_of_duplicates(splits: Splits, progress: ProgressReporter) -> None:
    """Tell of files that are in two splits, and of those in two classes."""
    tell_copies_of_test(splits, progress)
    train, val = splits.train, splits.val
    train_keys, val_keys = keys(train.hashes_N), keys(val.hashes_N)
    shared = int(np.isin(val_keys, train_keys).sum())
    if shared:
        progress.notice(
            t(
                "{count} of the {total} validation pictures are also in train, byte for byte; "
                "the scores will look better than they are.",
                count=shared,
                total=len(val),
            ),
            warning=True,
        )
    labelled = train.labels_N != UNLABELLED
    unique, which = np.unique(train_keys[labelled], return_inverse=True)
    pairs = np.unique(which * len(train.classes) + train.labels_N[labelled])
    unsure = len(pairs) - len(unique)
    if unsure:
        progress.notice(
            t("{count} pictures of train lie in more than one class.", count=unsure), warning=True
        )


def keys(hashes_N: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Half of each hash as a number: enough to find equal files."""
    return np.ascontiguousarray(hashes_N[:, :8]).view(np.uint64).reshape(-1)
