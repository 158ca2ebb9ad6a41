"""Outlines and run lengths to masks, and back to boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from tandem.data.content import Box, Item, Rle, Shape

Mask = NDArray[np.uint8]


def rle_bounds(rle: Rle) -> Box:
    """The box around what the run lengths mark, in pixels."""
    left, top, width, height = coco.toBbox(_coded(rle)).tolist()
    return left, top, left + width, top + height


def rle_mask(rle: Rle) -> Mask:
    """(height, width) of 0 and 1."""
    decoded: Mask = coco.decode(_coded(rle))
    return decoded


def shape_mask(shape: Shape, height: int, width: int) -> Mask:
    """(height, width) of 0 and 1: by run lengths, else outlines, else the box."""
    if shape.rle is not None:
        return rle_mask(shape.rle)
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    if shape.outlines:
        for points in shape.outlines:
            draw.polygon([(float(x), float(y)) for x, y in points], fill=1, outline=1)
    else:
        left, top, right, bottom = shape.bounds()
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), fill=1)
    return np.asarray(image)


def class_mask(item: Item, height: int, width: int, *, offset: int = 1) -> Mask:
    """(height, width): each pixel's class index + `offset`, 0 where no shape is.

    Larger shapes are painted first, so that a small one before a large one is seen; a crowd is
    IGNORED.
    """
    from tandem.data.content import IGNORED

    whole = np.zeros((height, width), np.uint8)
    masks = [(shape_mask(one, height, width), one) for one in item.shapes or []]
    for mask, shape in sorted(masks, key=lambda pair: -int(pair[0].sum())):
        whole[mask > 0] = IGNORED if shape.crowd else shape.label + offset
    return whole


def _coded(rle: Rle) -> dict[str, object]:
    return {"size": [rle.height, rle.width], "counts": rle.counts}
