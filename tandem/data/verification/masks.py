"""Every mask's file is opened once: its form, its size, and the values of its pixels."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import IGNORED, Content, Item
from tandem.data.faults import Fault, Faults
from tandem.data.images import open_rgb
from tandem.data.masks import read_mask
from tandem.data.progress import OnProgress
from tandem.data.verification.files import MAX_PIXELS
from tandem.data.verification.support import numbers_without_example
from tandem.spec.errors import DataError

LARGE_SHARE = 0.2
"""A part of all pixels: more than the ignored rims of things ever are."""


@dataclass(frozen=True)
class _Opened:
    """What one mask's file holds."""

    size: tuple[int, int]
    """Width and height."""
    count_V: NDArray[np.int64]
    """(256,) pixels of each value."""


def verify_masks(content: Content, faults: Faults, progress: OnProgress | None = None) -> None:
    """Tell what is wrong with masks; a faulty one is taken from its item, which is then faulty.

    What is read says `Item.mask_values`. Masks of 0 and 255 for two classes and more are an error:
    255 is never learnt, and so one class would be all there is.
    """
    masked = [(split, item) for split, items in content.splits()
              for item in items if item.mask is not None]  # fmt: skip
    count_SV = {split: np.zeros(256, np.int64) for split, _ in content.splits()}
    ignoring = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = pool.map(lambda one: _open(content, one[1]), masked)
        for done, ((split, item), one) in enumerate(zip(masked, found, strict=True), 1):
            if _is_right(content, item, one, faults):
                assert isinstance(one, _Opened)
                values = np.flatnonzero(one.count_V).tolist()
                item.mask_values = tuple(value for value in values if value != IGNORED)
                count_SV[split] += one.count_V
                ignoring += [item] if one.count_V[IGNORED] else []
            else:
                item.mask, item.faulty = None, True
            if progress is not None and (done % 256 == 0 or done == len(masked)):
                progress(done, len(masked))
    count_V = sum(count_SV.values(), np.zeros(256, np.int64))
    if count_V.any() and not _check_ignored(content, count_V, faults):
        for item in ignoring:  # which may hold the class that is looked for
            item.faulty = True
        return
    for split, of_one in count_SV.items():
        if of_one[IGNORED] and not of_one[1:IGNORED].any() and len(content.classes) > 1:
            faults.add(split, 0, "its masks hold nothing but 0 and 255, which nobody is asked "
                       "about: where 255 stands for a class, write its number",
                       warning=True)  # fmt: skip


def _open(content: Content, item: Item) -> _Opened | Fault:
    name, faults = os.fsdecode(item.mask or b""), Faults()
    mask = read_mask(content.root / name, name, faults)
    if mask is None:
        return faults.found[0]
    height, width = mask.shape
    if item.width and (width, height) != (item.width, item.height):
        # Only at its end may a PNG say that it is turned.
        with suppress(DataError):  # told where pictures are opened
            item.width, item.height = open_rgb(content.path(item), MAX_PIXELS).size
    return _Opened((width, height), np.bincount(mask.ravel(), minlength=256))


def _is_right(content: Content, item: Item, one: _Opened | Fault, faults: Faults) -> bool:
    name = os.fsdecode(item.mask or b"")
    if isinstance(one, Fault):
        faults.keep(one)
        return False
    if item.width and one.size != (item.width, item.height):
        faults.add(name, 0, "the mask is {wide} x {high}, its picture {width} x {height}",
                   wide=one.size[0], high=one.size[1], width=item.width,
                   height=item.height)  # fmt: skip
        return False
    beyond = [value for value in np.flatnonzero(one.count_V).tolist()
              if len(content.classes) <= value != IGNORED]  # fmt: skip
    if beyond:
        faults.add(name, 0, "the value {value} is no class; they are 0 to {last}",
                   value=beyond[0], last=len(content.classes) - 1)  # fmt: skip
    return not beyond


def _check_ignored(content: Content, count_V: NDArray[np.int64], faults: Faults) -> bool:
    """255 where a class is looked for in vain may be meant as that class: then it is no mask."""
    share = float(count_V[IGNORED] / count_V.sum())
    # No mask can hold a class behind these, which is told of the classes themselves.
    missing = numbers_without_example(content.classes[:IGNORED], count_V)
    if not share or not missing:
        return True
    nothing_else = not count_V[1:IGNORED].any()
    is_rim = not nothing_else and share < LARGE_SHARE
    faults.add("classes.txt", 0, "no pixel of any mask has the value {value} ({name}), and {share} "
               "of them have 255, which nobody is asked about: if 255 stands for {name}, write "
               "{value} in its place; else take {name} out of the classes",
               warning=is_rim, value=missing[0],
               name=content.classes[missing[0]], share=f"{share:.1%}")  # fmt: skip
    return is_rim
