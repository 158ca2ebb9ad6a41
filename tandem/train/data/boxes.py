"""A split of a detection data set, as the trainer, the teacher and the judge take it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import UNLABELLED, Content, Item, Shape
from tandem.data.images import load_rgb
from tandem.spec.errors import DataError
from tandem.train.data.annotated import class_sets
from tandem.train.data.inspect_files import inspect
from tandem.train.data.label_digests import shape_digests
from tandem.train.types import ImageTable, ProgressReporter, Splits

JPEG = (".jpg", ".jpeg")


@dataclass(frozen=True)
class DetectionTable:
    """Items in the order of their rows. The user's folder is only ever read."""

    root: Path
    items: list[Item]
    classes: tuple[str, ...]
    hashes_N: NDArray[np.uint8]
    max_pixels: int

    def __len__(self) -> int:
        return len(self.items)

    def path(self, row: int) -> Path:
        """The file of one row."""
        return self.root / self.items[row].name

    def labelled(self, row: int) -> bool:
        """Whether somebody has looked; an empty picture that was looked at counts."""
        return self.items[row].shapes is not None

    def shapes(self, row: int) -> list[Shape]:
        """What is learnt from a row: no crowds, of which nobody knows how many they are."""
        return [one for one in self.items[row].shapes or [] if not one.crowd]

    def boxes_N4(self, row: int) -> NDArray[np.float32]:
        """Left, top, right, bottom in pixels of the picture."""
        return np.array([one.bounds() for one in self.shapes(row)], np.float32).reshape(-1, 4)

    def labels_N(self, row: int) -> NDArray[np.float32]:
        """The class of each box."""
        return np.array([one.label for one in self.shapes(row)], np.float32)

    def size(self, row: int) -> tuple[int, int]:
        """Height and width as shown; the file is opened where the data set does not say."""
        item = self.items[row]
        if not item.width or not item.height:
            item.height, item.width = load_rgb(self.path(row), self.max_pixels).shape[:2]
        return item.height, item.width

    def bgr_HWC(self, row: int) -> NDArray[np.uint8]:
        """Its pixels as OpenCV has them.

        JPEGs are read by OpenCV, which turns them by their EXIF as we do and is quicker; all
        else, and what it cannot read, by our own rules (transparent parts become white).
        """
        import cv2

        path = self.path(row)
        if path.suffix.lower() in JPEG:
            # Read by numpy: OpenCV's own `imread` takes no path beyond ASCII on Windows.
            decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
            if decoded is not None:
                return np.asarray(decoded, np.uint8)
        return np.ascontiguousarray(load_rgb(path, self.max_pixels)[:, :, ::-1])

    def rgb_HWC(self, row: int) -> NDArray[np.uint8]:
        """Its pixels as a predictor reads them."""
        return load_rgb(self.path(row), self.max_pixels)

    def rows(self, rows: Iterable[int]) -> DetectionTable:
        """These only."""
        kept = list(rows)
        items = [self.items[row] for row in kept]
        return DetectionTable(self.root, items, self.classes, self.hashes_N[kept], self.max_pixels)

    def table(self) -> ImageTable:
        """For the teacher's cache: a label says only whether there are any."""
        labels = [0 if self.labelled(row) else UNLABELLED for row in range(len(self))]
        return ImageTable(
            root=self.root,
            paths_N=np.array([item.path for item in self.items], dtype=np.bytes_),
            labels_N=np.array(labels, dtype=np.int64),
            hashes_N=self.hashes_N,
            classes=self.classes,
        )


@dataclass(frozen=True)
class DetectionSplits(Splits):
    """The splits of a detection data set: columns, and the items behind their rows."""

    train_boxes: DetectionTable = field(kw_only=True)
    val_boxes: DetectionTable = field(kw_only=True)
    test_boxes: DetectionTable | None = field(kw_only=True, default=None)

    def measured_on_test(self) -> Self:
        assert self.test_boxes is not None, "there is a test split"
        return replace(super().measured_on_test(), val_boxes=self.test_boxes)

    def class_counts(self) -> NDArray[np.int64]:
        train = self.train_boxes
        labels = [one.label for row in range(len(train)) for one in train.shapes(row)]
        return np.bincount(np.array(labels, np.int64), minlength=len(train.classes))

    def train_strata(self) -> NDArray[np.int64]:
        return class_sets(self.train_boxes.items)

    def label_digests(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        return shape_digests(self.train_boxes.items), shape_digests(self.val_boxes.items)

    def train_rows(self, rows_N: NDArray[np.int64]) -> Self:
        boxes = self.train_boxes.rows(rows_N.tolist())
        return replace(self, train=self.train.rows(rows_N), train_boxes=boxes)


def detection_splits(splits: Splits) -> DetectionSplits:
    """The splits as a detector's own kind has read them."""
    assert isinstance(splits, DetectionSplits), splits.kind
    return splits


def read_table(
    content: Content,
    items: list[Item],
    max_pixels: int,
    index_root: Path | None,
    progress: ProgressReporter,
) -> DetectionTable:
    """Each file opened once, so that a broken one is named before anything is learnt."""
    paths = [item.path for item in items]
    hashes_N = inspect(content.root, paths, max_pixels, index_root, progress)
    return DetectionTable(content.root, items, content.classes, hashes_N, max_pixels)


def check_boxes(split: DetectionTable, name: str) -> None:
    """DataError where nothing in it has a box."""
    if not any(split.shapes(row) for row in range(len(split))):
        raise DataError(
            "No picture of the {split} split of {path} has a box.",
            split=name,
            path=split.root,
            fix="Annotate some, or check that the labels lie where the layout wants them.",
        )
