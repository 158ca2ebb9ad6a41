"""Pictures with a class for each pixel, as a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from tandem.data.content import IGNORED, Content, Item
from tandem.data.images import open_rgb, shown_size
from tandem.data.masks import item_mask as item_mask
from tandem.spec.errors import DataError
from tandem.spec.i18n import t
from tandem.train.data.annotated import is_annotated
from tandem.train.data.augment import rendered_mask
from tandem.train.data.inspect_files import all_faults, inspect
from tandem.train.data.label_digests import mask_digests
from tandem.train.types import UNLABELLED, Batch, ImageTable, ProgressReporter, RowIndices, Shows

_CHUNK = 256


@dataclass(frozen=True)
class MaskTable(ImageTable):
    """`labels_N` is 0 where a picture has a mask (an empty one too), else UNLABELLED."""

    content: Content | None = None
    items_N: tuple[Item, ...] = ()

    def rows(self, rows: RowIndices) -> Self:
        some = super().rows(rows)
        return replace(some, items_N=tuple(self.items_N[row] for row in rows.tolist()))

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
        for place, (row, view) in enumerate(zip(index_B.tolist(), view_B.tolist(), strict=True)):
            if self.labels_N[row] != UNLABELLED:
                out_BHW[place] = rendered_mask(self.mask(row), views.params_NV[row, view], size)
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
    """The items as one table, each image opened once. DataError that names the bad ones."""
    paths = [item.path for item in items]
    annotated = [0 if is_annotated(item) else UNLABELLED for item in items]
    hashes_N = inspect(content.root, paths, max_pixels, index_root, progress)
    _check_masks(content, [item for item in items if item.mask is not None], max_pixels, progress)
    return MaskTable(
        root=content.root,
        paths_N=np.array(paths, dtype=np.bytes_),
        labels_N=np.array(annotated, dtype=np.int64),
        hashes_N=hashes_N,
        classes=content.classes,
        content=content,
        items_N=tuple(items),
    )


def _check_masks(
    content: Content, items: Sequence[Item], max_pixels: int, progress: ProgressReporter
) -> None:
    """Every mask's file before the first step. DataError that names the bad ones."""
    faults: list[DataError] = []

    def check(item: Item) -> None:
        try:
            _check_mask(content, item, max_pixels)
        except DataError as error:
            faults.append(error)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for at in range(0, len(items), _CHUNK):
            list(pool.map(check, items[at : at + _CHUNK]))
            progress.progress(t("checking masks"), min(at + _CHUNK, len(items)), len(items))
    if faults:
        raise all_faults(sorted(faults, key=str))


def _check_mask(content: Content, item: Item, max_pixels: int) -> None:
    """As large as its picture, and of no value but the classes and IGNORED."""
    mask_HW, path = item_mask(content, item), content.path(item)
    shape = mask_HW.shape[::-1]
    size = shown_size(path, max_pixels)
    if size != shape:
        size = open_rgb(path, max_pixels).size  # a PNG may say at its end that it is turned
    assert item.mask is not None
    mask = content.root / os.fsdecode(item.mask)
    if size != shape:
        raise DataError(
            "The mask {path} is {wide} x {high}, its picture {width} x {height}.",
            path=mask,
            wide=shape[0],
            high=shape[1],
            width=size[0],
            height=size[1],
            fix="Draw it in the size of the picture.",
        )
    count_V = np.bincount(mask_HW.ravel(), minlength=256)
    count_V[[*range(len(content.classes)), IGNORED]] = 0
    if count_V.any():
        raise DataError(
            "The mask {path} has the value {value}, which is no class: they are 0 to {last}, "
            "and {ignored} for what is not to be learnt.",
            path=mask,
            value=int(count_V.argmax()),
            last=len(content.classes) - 1,
            ignored=IGNORED,
            fix="Draw it anew, or name the class in classes.txt.",
        )
