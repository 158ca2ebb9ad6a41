"""An answer as JSON for a page: classes, boxes in the picture's own pixels, outlines."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from tandem.data.content import Shape
from tandem.data.raster import rle_mask, traced
from tandem.predict.answers import Answer, Detections, Segmentation
from tandem.predict.prediction import Prediction

MOST_TOP = 5
MOST_BOXES = 300
"""The surest; a page that draws more shows nothing."""
MOST_POINTS = 4000
"""Of all outlines of one answer; a mask's edge may have as many as the picture has pixels."""
MOST_MASK_SIDE = 1024
TRACED_SIDE = 256

Labels = dict[str, Any]


def labels(
    answer: Answer,
    shapes: Sequence[Shape] = (),
    names: Sequence[str] = (),
    *,
    edges: bool = True,
) -> Labels:
    """`shapes` are a mask's; `names` are their classes, in their order.

    `edges`: their outlines are told too. Not where the mask itself can be shown.
    """
    said: Labels = {"label": None, "confidence": None, "boxes": [], "has_mask": False, "top": []}
    match answer:
        case Prediction():
            top = [{"label": name, "confidence": chance} for name, chance in answer.top(MOST_TOP)]
            return said | {"label": answer.label, "confidence": answer.confidence, "top": top}
        case Detections():
            boxes = [
                {"label": one.label, "box": _sides(one.box), "confidence": one.confidence}
                | {"outlines": None}
                for one in answer.found[:MOST_BOXES]
            ]
            return said | {"label": answer.label, "confidence": answer.confidence, "boxes": boxes}
        case Segmentation():
            ordered = sorted(answer.confidences.items(), key=lambda one: -one[1])[:MOST_TOP]
            return said | {
                "label": answer.label,
                "confidence": answer.confidence,
                "boxes": _outlined(shapes, names, edges),
                "top": [{"label": name, "confidence": chance} for name, chance in ordered],
            }


def classes_of(answer: Answer) -> list[str]:
    """Which classes it names: what a page is searched by."""
    match answer:
        case Prediction():
            return [answer.label]
        case Detections():
            return list(dict.fromkeys(one.label for one in answer.found))
        case Segmentation():
            return list(answer.shares)


def _sides(box: Sequence[float]) -> list[float]:
    """Left, top, width, height."""
    left, top, right, bottom = box
    return [round(one, 2) for one in (left, top, right - left, bottom - top)]


def _outlined(shapes: Sequence[Shape], names: Sequence[str], is_traced: bool) -> list[Labels]:
    left = MOST_POINTS
    boxes = []
    for shape in shapes[:MOST_BOXES]:
        rings = _rings(shape) if is_traced else []
        count = sum(len(ring) for ring in rings)
        if count > left:
            rings = []
        left -= count if rings else 0
        boxes.append(
            {
                "label": names[shape.label],
                "box": _sides(shape.bounds()),
                "confidence": shape.confidence,
                "outlines": rings or None,
            }
        )
    return boxes


def _rings(shape: Shape) -> list[Any]:
    """A mask's edges, as finely as a page shows them: a job must not wait for every corner."""
    if shape.rle is None:
        return [np.round(ring, 1).tolist() for ring in shape.outlines]
    height, width = shape.rle.height, shape.rle.width
    step = -(-max(height, width) // TRACED_SIDE)
    rings = traced(rle_mask(shape.rle)[::step, ::step])
    return [np.minimum(ring * step, (width, height)).tolist() for ring in rings]


def mask_png(answer: Segmentation) -> str:
    """Each pixel's class as a grey PNG in base64, no larger than a page shows it."""
    image = Image.fromarray(answer.mask_HW)
    image.thumbnail((MOST_MASK_SIDE, MOST_MASK_SIDE), Image.Resampling.NEAREST)
    kept = io.BytesIO()
    image.save(kept, "PNG")
    return base64.b64encode(kept.getvalue()).decode("ascii")
