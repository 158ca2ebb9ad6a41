"""An answer as JSON for a page: classes, boxes in the picture's own pixels, outlines."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from PIL import Image

from tandem.data.content import Shape
from tandem.data.masks import rle_mask
from tandem.data.outlines import traced
from tandem.predict.answers import Answer, DetectedBox, Detections, SegmentationMask
from tandem.predict.prediction import Prediction

MOST_TOP = 5
MOST_BOXES = 300
"""The surest; a page that draws more shows nothing."""
MOST_POINTS = 4000
"""For all outlines of one answer; a mask's edge may have as many as the picture has pixels."""
MOST_MASK_SIDE = 1024
TRACED_SIDE = 256

Ring = list[list[float]]
"""A closed line as its corners [x, y], in the picture's pixels."""


class ClassJson(TypedDict):
    """One of the most probable classes."""

    label: str
    confidence: float


class BoxJson(TypedDict):
    """One thing in a picture."""

    label: str
    box: list[float]
    """Left, top, width, height."""
    confidence: float | None
    outlines: list[Ring] | None


class AnswerJson(TypedDict):
    """An answer as a page gets it; the order of the fields is that of the JSON."""

    label: str | None
    confidence: float | None
    boxes: list[BoxJson]
    has_mask: bool
    top: list[ClassJson]


def serialize(
    answer: Answer,
    shapes: Sequence[Shape] = (),
    names: Sequence[str] = (),
    *,
    edges: bool = True,
) -> AnswerJson:
    """`shapes` are a mask's; `names` are their classes, in their order.

    `edges`: their outlines are told too. Not where the mask itself can be shown.
    """
    match answer:
        case Prediction():
            return _answer(answer, top=answer.top(MOST_TOP))
        case Detections():
            return _answer(answer, boxes=[_box(one) for one in answer.found[:MOST_BOXES]])
        case SegmentationMask():
            ordered = sorted(answer.confidences.items(), key=lambda one: -one[1])[:MOST_TOP]
            return _answer(answer, boxes=_outlined(shapes, names, edges), top=ordered)


def _answer(
    answer: Answer, *, boxes: Sequence[BoxJson] = (), top: Sequence[tuple[str, float]] = ()
) -> AnswerJson:
    return {
        "label": answer.label,
        "confidence": answer.confidence,
        "boxes": list(boxes),
        "has_mask": False,
        "top": [{"label": name, "confidence": share} for name, share in top],
    }


def _box(one: DetectedBox) -> BoxJson:
    return {
        "label": one.label,
        "box": _sides(one.box),
        "confidence": one.confidence,
        "outlines": None,
    }


def class_names(answer: Answer) -> list[str]:
    """Which classes it names: what a page is searched by."""
    match answer:
        case Prediction():
            return [answer.label]
        case Detections():
            return list(dict.fromkeys(one.label for one in answer.found))
        case SegmentationMask():
            return list(answer.shares)


def _sides(box: Sequence[float]) -> list[float]:
    """Left, top, width, height."""
    left, top, right, bottom = box
    return [round(one, 2) for one in (left, top, right - left, bottom - top)]


def _outlined(shapes: Sequence[Shape], names: Sequence[str], is_traced: bool) -> list[BoxJson]:
    left = MOST_POINTS
    boxes: list[BoxJson] = []
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


def _rings(shape: Shape) -> list[Ring]:
    """A mask's edges, as finely as a page shows them: a job must not wait for every corner."""
    if shape.rle is None:
        return [np.round(ring, 1).tolist() for ring in shape.outlines]
    height, width = shape.rle.height, shape.rle.width
    step = -(-max(height, width) // TRACED_SIDE)
    rings = traced(rle_mask(shape.rle)[::step, ::step])
    return [np.minimum(ring * step, (width, height)).tolist() for ring in rings]


def mask_png(answer: SegmentationMask) -> str:
    """Each pixel's class as a grey PNG in base64, no larger than a page shows it."""
    image = Image.fromarray(answer.mask_HW)
    image.thumbnail((MOST_MASK_SIDE, MOST_MASK_SIDE), Image.Resampling.NEAREST)
    kept = io.BytesIO()
    image.save(kept, "PNG")
    return base64.b64encode(kept.getvalue()).decode("ascii")
