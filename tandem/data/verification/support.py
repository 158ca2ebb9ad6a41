"""Which classes have an example to learn from, and one to be judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import BACKGROUND, Content, Item
from tandem.data.faults import Faults
from tandem.data.reading.file_names import tell_alike_classes
from tandem.data.reading.labelled_paths import LabelledSplits
from tandem.data.reading.top_folders import told


def is_annotated(item: Item) -> bool:
    """Whether anybody has said anything of it; an empty picture that was looked at counts."""
    return item.label >= 0 or item.shapes is not None or item.mask is not None


def class_counts(items: Iterable[Item]) -> Counter[int]:
    """How many labels, shapes, or masks with the class each class has.

    A mask counts by what `verify` found in it.
    """
    counts: Counter[int] = Counter()
    for item in items:
        if item.label >= 0:
            counts[item.label] += 1
        counts.update(shape.label for shape in item.shapes or [])
        counts.update(item.mask_values or ())
    return counts


def verify_support(content: Content, faults: Faults) -> None:
    """Tell, for each split that anybody has labelled, the classes that nothing in it shows."""
    for split, items in content.splits():
        if any(one.mask is not None and one.mask_values is None for one in items):
            continue  # nobody has opened them
        if any(is_annotated(one) for one in items):
            tell_missing(split, content.classes, class_counts(items), faults)


def verify_listing(listing: LabelledSplits, faults: Faults) -> None:
    """The same for pictures that are known by path and class alone."""
    tell_alike_classes(listing.classes, faults)
    for split, listed in listing.splits():
        counts = Counter(one for one in listed.labels if one >= 0)
        if counts:
            tell_missing(split, listing.classes, counts, faults)


def tell_missing(split: str, classes: Sequence[str], counts: Counter[int], faults: Faults) -> None:
    """A warning that names the classes without an example in a split."""
    missing = without_example(classes, counts)
    if not missing:
        return
    if split == "train":
        faults.add(split, 0, "there is no example of {names}: nothing can be learnt of it",
                   warning=True, names=told(missing))  # fmt: skip
    else:
        faults.add(split, 0, "there is no example of {names}: no figure is made of it",
                   warning=True, names=told(missing))  # fmt: skip


def without_example(classes: Sequence[str], counts: Counter[int]) -> list[str]:
    """The names of the classes that are counted nowhere."""
    return [classes[number] for number in numbers_without_example(classes, counts)]


def numbers_without_example(
    classes: Sequence[str], counts: Counter[int] | NDArray[np.int64]
) -> list[int]:
    """Those classes' numbers. What no shape covers is background, and is none."""
    return [number for number, name in enumerate(classes)
            if not counts[number] and not (number == 0 and name == BACKGROUND)]  # fmt: skip
