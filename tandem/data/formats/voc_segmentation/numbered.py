"""Masks in colours as masks of class numbers, which everything that reads masks takes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tandem.data.faults import Faults
from tandem.data.formats.voc_segmentation.colours import Labelmap
from tandem.data.images import MASK_FORMATS, MOST_MASK_PIXELS
from tandem.data.masks import MaskPixels, read_mask
from tandem.data.reading.packed.unpacked import FOLDER, refused

FORM = b"masks 1"
"""Changed where what is written there is another than before."""


class NumberedMasks:
    """Gives each mask's path: its own where its values are the numbers, else a copy's.

    Copies lie in `.unpacked/masks-<key>/` of the data set, keyed by the labelmap and by each
    mask's size and time.
    """

    def __init__(self, root: Path, labelmap: Labelmap, masks: list[str]) -> None:
        self.root, self.labelmap = root, labelmap
        self._value_of = labelmap.value_of()
        self._grey = labelmap.values_of_grey()
        self._folder = root / FOLDER / f"masks-{_key(root, labelmap, masks)}"

    def of(self, mask: str, faults: Faults) -> bytes | None:
        """The path, relative to the root; None, with a fault, where its colours are no classes.

        DataError where the copy cannot be written, DiskFullError where there is no room.
        """
        copy = self._folder / mask
        if copy.is_file():
            return os.fsencode(os.path.relpath(copy, self.root))
        told = Faults()
        read = self._read(self.root / mask, mask, told)
        if read is None:
            for one in told.found:
                faults.keep(one)
            return None
        pixels, is_numbered = read
        if is_numbered:
            return os.fsencode(mask)
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            hidden = copy.with_name(f".{copy.name}.{os.getpid()}")
            Image.fromarray(pixels).save(hidden, "PNG")
            hidden.replace(copy)
        except OSError as error:
            raise refused(self.root, error) from error
        return os.fsencode(os.path.relpath(copy, self.root))

    def _read(self, file: Path, name: str, faults: Faults) -> tuple[MaskPixels, bool] | None:
        """(height, width) of class numbers, and whether the file's own bytes are the same."""
        colours = _palette(file)
        if colours is None:
            found = read_mask(file, name, faults)
            if found is None:
                return None
            numbers = self._grey[found]
            return numbers, bool(np.array_equal(numbers, found))
        codes, indices = colours
        values = np.array([self._value_of.get(int(one), -1) for one in codes])
        if (values < 0).any():
            unknown = values[indices] < 0
            y, x = (int(one) for one in np.argwhere(unknown)[0])
            code = int(codes[indices[y, x]])
            faults.add(name, 0, "the colour {colour} of the pixel at {x}, {y} is no class of "
                       "labelmap.txt", colour=f"{code >> 16}, {code >> 8 & 255}, {code & 255}",
                       x=x, y=y)  # fmt: skip
            return None
        numbers = values.astype(np.uint8)[indices]
        own = read_mask(file, name, Faults())
        return numbers, own is not None and bool(np.array_equal(numbers, own))


def _palette(file: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """The colours of a mask as 24-bit numbers, and (height, width) of which each pixel has.

    None for a mask without colours, and for what is no mask that can be read: `read_mask` says why.
    """
    try:
        with Image.open(file, formats=MASK_FORMATS) as image:
            if image.mode not in ("RGB", "P") or image.width * image.height > MOST_MASK_PIXELS:
                return None
            rgb = np.asarray(image.convert("RGB")).astype(np.int64)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, ArithmeticError):
        return None
    code_HW = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
    codes, indices = np.unique(code_HW, return_inverse=True)
    return codes, indices.reshape(code_HW.shape)


def _key(root: Path, labelmap: Labelmap, masks: list[str]) -> str:
    digest = hashlib.blake2b(FORM, digest_size=8)
    digest.update(repr((labelmap.classes, labelmap.colours, labelmap.order)).encode())
    for one in sorted(masks):
        try:
            seen = (root / one).stat()
        except OSError:  # which is told where it is read
            continue
        digest.update(os.fsencode(one) + f"\0{seen.st_size} {seen.st_mtime_ns}\n".encode())
    return digest.hexdigest()
