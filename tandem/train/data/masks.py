"""Pictures with a class for each pixel, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from tandem.data.content import BACKGROUND, IGNORED, Content, Item
from tandem.data.masks import item_mask as item_mask
from tandem.data.verification.support import class_counts, is_annotated
from tandem.spec.errors import DataError
from tandem.train.data.annotated import class_sets
from tandem.train.data.augment import rendered_mask
from tandem.train.data.inspect_files import inspect
from tandem.train.data.label_digests import mask_digests
from tandem.train.types import UNLABELLED, Batch, ImageTable, ProgressReporter, RowIndices, Shows

NOTHING = (0, BACKGROUND)


@dataclass(frozen=True)
class MaskTable(ImageTable):
    """`labels_N` is 0 where a picture has a mask (an empty one too), else UNLABELLED."""

    content: Content | None = None
    items_N: tuple[Item, ...] = ()

    def rows(self, rows: RowIndices) -> Self:
        some = super().rows(rows)
        return replace(some, items_N=tuple(self.items_N[row] for row in rows.tolist()))

    def class_counts(self) -> NDArray[np.int64]:
        """Pixels of each class, of which each mask's file is read."""
        counts = np.zeros(256, np.int64)
        for row in np.flatnonzero(self.labels_N != UNLABELLED).tolist():
            counts += np.bincount(self.mask(row).ravel(), minlength=256)
        return counts[: len(self.classes)]

    def strata(self) -> NDArray[np.int64]:
        return class_sets(self.items_N)

    def label_digests(self) -> NDArray[np.uint64]:
        return mask_digests(self.root, self.items_N)

    def batch(
        self, views: Shows, index_B: RowIndices, view_B: RowIndices, size: int, max_pixels: int
    ) -> Batch:
        batch = super().batch(views, index_B, view_B, size, max_pixels)
        return replace(batch, mask_BHW=self.masks(views, index_B, view_B, size))

    def masks(
        self, views: Shows, index_B: RowIndices, view_B: RowIndices, size: int
    ) -> torch.Tensor:
        """uint8 (B, size, size): the same crops and flips as the pictures; IGNORED without one."""
        out_BHW = np.full((len(index_B), size, size), IGNORED, np.uint8)
        params_B = views.params(index_B, view_B)
        for place, row in enumerate(index_B.tolist()):
            if self.labels_N[row] != UNLABELLED:
                out_BHW[place] = rendered_mask(self.mask(row), params_B[place], size)
        return torch.from_numpy(out_BHW)

    def mask(self, row: int) -> NDArray[np.uint8]:
        """(height, width) of one row's picture. DataError for a file that is no mask."""
        assert self.content is not None
        return item_mask(self.content, self.items_N[row])


def mask_table(
    content: Content,
    items: Sequence[Item],
    max_pixels: int,
    index_root: Path | None,
    progress: ProgressReporter,
) -> MaskTable:
    """The items as one table, each image opened once. DataError that names the bad ones.

    The masks' files were opened when the data set was verified.
    """
    paths = [item.path for item in items]
    annotated = [0 if is_annotated(item) else UNLABELLED for item in items]
    hashes_N = inspect(content.root, paths, max_pixels, index_root, progress)
    return MaskTable(
        root=content.root,
        paths_N=np.array(paths, dtype=np.bytes_),
        labels_N=np.array(annotated, dtype=np.int64),
        hashes_N=hashes_N,
        classes=content.classes,
        content=content,
        items_N=tuple(items),
    )


def check_masks(content: Content, items: Sequence[Item], split: str) -> None:
    """DataError where nothing in a split's masks has a class but the background."""
    counts = class_counts(items)
    if not any(counts[n] for n, name in enumerate(content.classes) if (n, name) != NOTHING):
        raise DataError(
            "No mask of the {split} split of {path} has a class but the background.",
            split=split,
            path=content.root,
            fix="Draw some, or check that the values of the masks are the classes' numbers.",
        )
