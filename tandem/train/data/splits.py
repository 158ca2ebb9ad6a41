"""What every reader of a dataset asks of its classes, whatever it keeps of the items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tandem.data.faults import Faults
from tandem.data.verification.support import tell_missing
from tandem.spec.errors import DataError
from tandem.spec.i18n import t
from tandem.spec.run import DataSpec
from tandem.train.types import ProgressReporter

WARNINGS_TOLD = 5
MOST_NAMED = 20
"""Classes listed in a sentence; more would hide it."""


def check_num_classes(spec: DataSpec, classes: tuple[str, ...]) -> None:
    """DataError where `data.num_classes` is given and is another number."""
    found = len(classes)
    if spec.num_classes is not None and spec.num_classes != found:
        raise DataError(
            "num_classes is {asked}, but the data set {dataset} has {found} classes: {names}.",
            asked=spec.num_classes,
            dataset=spec.dataset,
            found=found,
            names=first_names(classes, MOST_NAMED),
            fix="Leave num_classes out, or set it to {found}.",
        )


def first_names(classes: Sequence[str], most: int) -> str:
    """The first `most` of them, and whether there are more."""
    return ", ".join(classes[:most]) + (", …" if len(classes) > most else "")


def check_same_classes(
    train: tuple[Path, tuple[str, ...]], val: tuple[Path, tuple[str, ...]], *, are_folders: bool
) -> None:
    """DataError where another dataset validates this one and their classes differ.

    Each is its root and its classes. `are_folders`: whether a class is named by its folder.
    """
    lacks = sorted(set(train[1]) - set(val[1]))
    extra = sorted(set(val[1]) - set(train[1]))
    if extra or lacks:
        raise DataError(
            "{val} validates {train}, so both must have the same classes; "
            "it lacks: {lacks}; it has besides: {extra}.",
            val=val[0],
            train=train[0],
            lacks=", ".join(lacks[:10]) or "-",
            extra=", ".join(extra[:10]) or "-",
            fix="Name the class folders alike in both."
            if are_folders
            else "Name the classes alike in both.",
        )


def held_out_count(items: int, ratio: float) -> int:
    """How many of `items` validate: their share, one at the least, and never the last to learn."""
    return min(max(round(items * ratio), 1), items - 1) if items > 1 else 0


def tell_warnings(faults: Faults, progress: ProgressReporter) -> None:
    """A notice for each sort of warning, for a few more of them, and how many are left."""
    warnings = [one for one in faults.found if one.warning]
    first = {one.template: one for one in reversed(warnings)}
    told = [one for one in warnings if first[one.template] is one]
    told += [one for one in warnings if first[one.template] is not one][
        : max(WARNINGS_TOLD - len(told), 0)
    ]
    for one in told:
        progress.notice(one.sentence(), warning=True)
    if faults.warnings > len(told):
        progress.notice(
            t(
                "{count} more warnings of this kind; `tandem data check` lists them all.",
                count=faults.warnings - len(told),
            ),
            warning=True,
        )


def tell_held_out(
    classes: Sequence[str],
    train: Counter[int],
    val: Counter[int],
    progress: ProgressReporter,
) -> None:
    """Tell the classes that lie on one side alone once some items were held out to validate."""
    faults = Faults()
    known = [number for number in range(len(classes)) if train[number] or val[number]]
    names = [classes[number] for number in known]
    for split, counts in (("train", train), ("val", val)):
        tell_missing(split, names, Counter({at: counts[n] for at, n in enumerate(known)}), faults)
    tell_warnings(faults, progress)
