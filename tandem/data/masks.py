"""Outlines and run lengths to masks, and back to boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pycocotools import mask as coco

from tandem.data.content import IGNORED, Content, Item, Points, Rle, Shape
from tandem.data.images import MASK_FORMATS, MOST_MASK_PIXELS, open_rgb
from tandem.spec.errors import DataError

MaskPixels = NDArray[np.uint8]
MOST_DIGITS = 8


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
    """A shape for each class of a mask, by run lengths; the background and IGNORED are none."""
    labels = [int(one) for one in np.unique(mask) if one not in (background, IGNORED)]
    return [Shape(label, rle=mask_rle(mask == label)) for label in labels]


def class_mask(item: Item, height: int, width: int, *, offset: int = 1) -> MaskPixels:
    """(height, width): each pixel's class index + `offset`, 0 where no shape is.

    Larger shapes are painted first, so that a small one before a large one is seen; a crowd is
    IGNORED.
    """
    whole = np.zeros((height, width), np.uint8)
    masks = [(shape_mask(one, height, width), one) for one in item.shapes or []]
    for mask, shape in sorted(masks, key=lambda pair: -int(pair[0].sum())):
        whole[mask > 0] = IGNORED if shape.crowd else shape.label + offset
    return whole


def item_mask(content: Content, item: Item) -> MaskPixels:
    """(height, width) class of each pixel, from its file or painted from its shapes."""
    if item.mask is None:
        width, height = item.width, item.height
        if not width:
            width, height = open_rgb(content.path(item), 2**31).size
        return class_mask(item, height, width, offset=0)
    path = content.root / item.mask.decode("utf-8", "surrogateescape")
    try:
        with Image.open(path, formats=MASK_FORMATS) as image:
            if image.width * image.height > MOST_MASK_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            if image.mode in ("L", "P"):
                return np.array(image)
            if image.mode == "1":
                return np.array(image).astype(np.uint8)
            mode = image.mode
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise DataError(
            "The mask {path} cannot be read: {reason}.",
            path=path,
            reason=str(error)[:120] or type(error).__name__,
            fix="Replace it or take it away.",
        ) from error
    raise DataError(
        "The mask {path} has colours ({mode}), and not one byte a pixel.",
        path=path,
        mode=mode,
        fix="Save it as an 8-bit grey or palette PNG whose values are the classes.",
    )


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


def traced(mask: MaskPixels) -> tuple[Points, ...]:
    """Polygons around the parts of a mask of 0 and 1: painted again, they give the mask.

    The edge runs between the pixels (marching along unit steps), so nothing is smoothed away;
    a hole is a polygon of its own, inside the one around it, and is lost on painting.
    """
    return tuple(_traced(mask.astype(bool)))


def _traced(mask: NDArray[np.bool_]) -> list[Points]:
    padded = np.pad(mask, 1)
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    inner = padded[1:-1, 1:-1]
    # Each side of a marked pixel that borders on none, run so that the mark lies to the right.
    for step, start, end in (
        ((padded[:-2, 1:-1]), (0, 0), (1, 0)),
        ((padded[1:-1, 2:]), (1, 0), (1, 1)),
        ((padded[2:, 1:-1]), (1, 1), (0, 1)),
        ((padded[1:-1, :-2]), (0, 1), (0, 0)),
    ):
        for y, x in np.argwhere(inner & ~step).tolist():
            edges.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    found = []
    while edges:
        first = next(iter(edges))
        ring, here = [first], _next_corner(edges, first)
        while here != first:
            ring.append(here)
            here = _next_corner(edges, here)
        points = _corners(np.array(ring, np.float64))
        if _turn(points) > 0:  # around a part, not around a hole
            found.append(points)
    return found


def _next_corner(
    edges: dict[tuple[int, int], list[tuple[int, int]]], here: tuple[int, int]
) -> tuple[int, int]:
    following = edges[here].pop()
    if not edges[here]:
        del edges[here]
    return following


def _corners(ring: Points) -> Points:
    """Without the points in the middle of a straight line."""
    before, after = np.roll(ring, 1, 0), np.roll(ring, -1, 0)
    bends: Points = ring[((ring - before) != (after - ring)).any(1)]
    return bends


def _turn(points: Points) -> float:
    """Twice the signed area: above 0 where the ring runs clockwise on the screen."""
    x, y = points[:, 0], points[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
