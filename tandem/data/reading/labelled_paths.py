"""Images by path and class alone: what a training run needs before any file is opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LabelledPaths:
    """Files of one split: their paths relative to the data set, and each one's class."""

    paths: list[bytes]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class LabelledSplits:
    """What a format finds in a folder, before any file is opened."""

    root: Path
    kind: str
    classes: tuple[str, ...]
    train: LabelledPaths
    """Its unlabelled files too, labelled UNLABELLED."""
    val: LabelledPaths | None
    """None where the folder has no validation split of its own."""
    notes: tuple[str, ...] = ()
    test: LabelledPaths | None = None
    """None where it has no test split: neither learnt from nor validated on."""

    def splits(self) -> Iterator[tuple[str, LabelledPaths]]:
        """The splits that are there, by name: train, val, test."""
        yield "train", self.train
        if self.val is not None:
            yield "val", self.val
        if self.test is not None:
            yield "test", self.test
