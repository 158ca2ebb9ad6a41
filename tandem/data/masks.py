"""Outlines and run lengths to masks, and back to boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pycocotools import mask as coco

from tandem.data.content import IGNORED, Content, Item, Points, Rle, Shape
from tandem.data.faults import Faults
from tandem.data.images import MASK_FORMATS, MOST_MASK_PIXELS, open_rgb
from tandem.data.outlines import traced
from tandem.spec.errors import DataError

MaskPixels = NDArray[np.uint8]
MOST_DIGITS = 8
MASK_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".gif"})
"""In lower case. Others, JPEG above all, change the values of pixels when they are saved."""
_SCALES = (("L;2", 0x55), ("L;4", 0x11))


def rle_mask(rle: Rle) -> MaskPixels:
    """(height, width) of 0 and 1."""
    runs = _runs(rle)
    if runs is None:
        raise DataError("These run lengths are no mask.", fix="Take the shape away.")
    # pycocotools' own decoding warns with this NumPy.
    marked = np.repeat(np.arange(len(runs), dtype=np.uint8) & 1, runs)
    return np.ascontiguousarray(marked.reshape(rle.width, rle.height).T)


def shape_mask(shape: Shape, height: int, width: int) -> MaskPixels:
    """(height, width) of 0 and 1: by run lengths, else outlines, else the box.

    A pixel belongs to an outline that its centre lies in, as COCO counts.
    """
    if shape.rle is not None:
        return _fitted(rle_mask(shape.rle), height, width)
    outlines = to_outlines(shape)
    rings = [points.flatten().tolist() for points in outlines if len(points) > 2]
    if not rings:
        return np.zeros((height, width), np.uint8)
    merged = coco.merge(coco.frPyObjects(rings, height, width))
    return rle_mask(Rle(height, width, merged["counts"]))


def _fitted(mask: MaskPixels, height: int, width: int) -> MaskPixels:
    """Cut or filled to the picture's size, where a run length's own differs."""
    out = np.zeros((height, width), np.uint8)
    high, wide = min(height, mask.shape[0]), min(width, mask.shape[1])
    out[:high, :wide] = mask[:high, :wide]
    return out


def mask_rle(mask: MaskPixels) -> Rle:
    """The run lengths of a mask of 0 and 1."""
    coded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return Rle(mask.shape[0], mask.shape[1], coded["counts"])


def class_shapes(mask: MaskPixels, background: int = 0) -> list[Shape]:
    """A shape for each thing in a mask, by run lengths; the background and IGNORED are none.

    Pixels of one class that touch, if only by a corner, are one thing; others are things of
    their own.
    """
    # Imported here: it takes 20 ms, and most layouts have no masks. Its stub hides the name.
    from scipy.ndimage import label as parts  # type: ignore[attr-defined]

    shapes = []
    for label in (int(one) for one in np.unique(mask) if one not in (background, IGNORED)):
        things, count = parts(mask == label, structure=np.ones((3, 3), np.int8))
        shapes += [Shape(label, rle=mask_rle(things == one)) for one in range(1, count + 1)]
    return shapes


def check_mask_classes(classes: Sequence[str]) -> None:
    """DataError where a mask's byte cannot number them all: 255 says that nobody is asked."""
    if len(classes) > IGNORED:
        raise DataError(
            "A mask has one byte a pixel, for {most} classes; here are {count}.",
            most=IGNORED,
            count=len(classes),
            fix="Take classes out, or keep outlines: coco and yolo hold any number.",
        )


def shape_masks(item: Item, height: int, width: int) -> list[MaskPixels]:
    """The mask of each of its shapes, (height, width) of 0 and 1."""
    return [shape_mask(one, height, width) for one in item.shapes or []]


def class_mask(item: Item, height: int, width: int, *, offset: int = 1) -> MaskPixels:
    """(height, width): each pixel's class index + `offset`, 0 where no shape is.

    Larger shapes are painted first, so that a small one before a large one is seen; a crowd is
    IGNORED.
    """
    return painted(item, shape_masks(item, height, width), height, width, offset)


def painted(
    item: Item, masks: Sequence[MaskPixels], height: int, width: int, offset: int
) -> MaskPixels:
    """The same from its shapes' masks, where these are there already."""
    whole = np.zeros((height, width), np.uint8)
    pairs = zip(masks, item.shapes or [], strict=True)
    for mask, shape in sorted(pairs, key=lambda pair: -int(pair[0].sum())):
        if not shape.crowd and shape.label + offset >= IGNORED:
            raise DataError(
                "The class number {number} of {item} has no value in a mask: a pixel is one byte, "
                "and 255 says that nobody is asked.",
                number=shape.label + offset,
                item=item.name,
                fix="Take classes out, or keep outlines: coco and yolo hold any number.",
            )
        whole[mask > 0] = IGNORED if shape.crowd else shape.label + offset
    return whole


def overlap_and_empty(masks: Sequence[MaskPixels]) -> tuple[bool, int]:
    """Whether a pixel lies in two of one picture's masks; and how many of them have no pixel."""
    twice, empty = False, 0
    covered: MaskPixels | None = None
    for mask in masks:
        twice = twice or (covered is not None and bool(np.any(covered & mask)))
        empty += not mask.any()
        covered = mask if covered is None else covered | mask
    return twice, empty


def item_mask(content: Content, item: Item) -> MaskPixels:
    """(height, width) class of each pixel, from its file or painted from its shapes."""
    if item.mask is None:
        width, height = item.width, item.height
        if not width:
            width, height = open_rgb(content.path(item), 2**31).size
        return class_mask(item, height, width, offset=0)
    path = content.root / item.mask.decode("utf-8", "surrogateescape")
    faults = Faults()
    found = read_mask(path, path.name, faults)
    if found is None:
        raise DataError(
            "The mask {path} cannot be used: {problem}.",
            path=path,
            problem=faults.found[0].what(),
            fix="Save it as an 8-bit grey or palette PNG whose values are the classes.",
        )
    return found


def read_mask(file: Path, name: str, faults: Faults) -> MaskPixels | None:
    """(height, width): each pixel's value as the file has it, a palette's numbers included.

    None, with a fault of `name`, for what is no mask.
    """
    if file.suffix.lower() not in MASK_SUFFIXES:
        faults.add(name, 0, "a {suffix} file is no mask: it does not keep a pixel's value; save "
                   "masks as PNG", suffix=file.suffix or file.name)  # fmt: skip
        return None
    try:
        with Image.open(file, formats=MASK_FORMATS) as image:
            if image.width * image.height > MOST_MASK_PIXELS:
                faults.add(name, 0, "the mask has {width} x {height} pixels, too many to be read",
                           width=image.width, height=image.height)  # fmt: skip
            elif image.mode not in ("L", "P", "1"):
                faults.add(name, 0, "the mask has colours ({mode}), not one byte a pixel",
                           mode=image.mode)  # fmt: skip
            else:
                scale = _scale(image)  # which is forgotten once the pixels are read
                return np.asarray(image).astype(np.uint8) // np.uint8(scale)
    except UnidentifiedImageError:  # its words are the whole path
        faults.add(name, 0, "the mask is no {formats} file, whatever its name says",
                   formats=", ".join(MASK_FORMATS))  # fmt: skip
    except (OSError, SyntaxError, ValueError, ArithmeticError) as error:
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        faults.add(name, 0, "the mask cannot be read ({reason})", reason=reason)
    return None


def _scale(image: Image.Image) -> int:
    """What Pillow multiplies grey values of two or four bits by, so that the largest is white."""
    decoders = repr(getattr(image, "tile", ()))
    return next((scale for raw_mode, scale in _SCALES if raw_mode in decoders), 1)


def is_whole(rle: Rle) -> bool:
    """Whether its runs fill the picture: where they do not, pycocotools reads what is no mask."""
    return _runs(rle) is not None


def _runs(rle: Rle) -> NDArray[np.int64] | None:
    """The lengths of the runs, 0 first; None where they do not fill height x width.

    COCO's code: digits of 5 bits, the lowest first, bit 5 where more follow, bit 4 of the last
    one a sign; from the fourth run on, what a run differs in from the one before the last.
    """
    code_N = np.frombuffer(rle.counts, np.uint8).astype(np.int64) - 48
    if not len(code_N) or code_N.min() < 0 or code_N.max() > 63 or code_N[-1] & 32:
        return None
    ends = np.flatnonzero((code_N & 32) == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    digits = ends - starts + 1
    if digits.max() > MOST_DIGITS:
        return None
    shift_N = 5 * (np.arange(len(code_N)) - np.repeat(starts, digits))
    runs = np.add.reduceat((code_N & 31) << shift_N, starts)
    runs -= np.where(code_N[ends] & 16, 1 << (5 * digits), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs if runs.min() >= 0 and runs.sum() == rle.height * rle.width else None


def to_outlines(shape: Shape) -> tuple[Points, ...]:
    """The shape's polygons: its own, its mask's edges, or its box's corners."""
    if shape.outlines:
        return shape.outlines
    if shape.rle is not None:
        return traced(rle_mask(shape.rle))
    left, top, right, bottom = shape.bounds()
    return (np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64),)
