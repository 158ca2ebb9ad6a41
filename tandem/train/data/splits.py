"""What every reader of a dataset asks of its classes, whatever it keeps of the items."""

from __future__ import annotations

from pathlib import Path

from tandem.spec.errors import DataError
from tandem.spec.run import DataSpec

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
            names=", ".join(classes[:MOST_NAMED]) + (", …" if found > MOST_NAMED else ""),
            fix="Leave num_classes out, or set it to {found}.",
        )


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
