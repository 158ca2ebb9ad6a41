"""The shapes of one JSON of LabelMe's, and of what X-AnyLabeling adds to it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from tandem.data.content import Item, Points, Rle, Shape
from tandem.data.faults import Faults
from tandem.data.masks import mask_rle
from tandem.data.reading.files import JsonObject, number
from tandem.data.reading.turned import is_outside, is_upright
from tandem.spec.i18n import t

OWN = {"label", "points", "shape_type", "group_id", "flags", "description", "mask", "score"}
TURNED = ("rotation", "oriented_rectangle")
CIRCLE_CORNERS = 72
"""A multiple of 4: the box around it is then the circle's."""
_Labelled = tuple[str, Shape]


def read(told: object, item: Item, name: str, faults: Faults) -> list[_Labelled]:
    """The shapes with their classes' names; what is wrong is told, and the item is faulty then.

    Polygons of one name and group are the parts of one thing.
    """
    found: list[_Labelled] = []
    seen: dict[object, int] = {}
    parts: dict[tuple[str, object], int] = {}
    assert isinstance(told, list), "as the caller has seen"
    for place, one in enumerate(told, 1):
        shape = _shape(one, item)
        if isinstance(shape, str):
            # One that is of a type without area is left out, as nobody could mean it for a box.
            ignored = shape.startswith("a ")
            item.faulty = item.faulty or not ignored
            faults.add(name, 0, "shape {place}: {problem}", warning=ignored, place=place,
                       problem=t(shape))  # fmt: skip
            continue
        group = str(shape[1].attributes.get("group_id"))
        first = seen.setdefault((shape[0], group, shape[1].key()), place)
        if first != place:
            faults.add(name, 0, "shape {place} is the same as shape {first} and is read once",
                       warning=True, place=place, first=first)  # fmt: skip
            continue
        _put(found, parts, shape)
    if told and not found:
        item.faulty = True  # something was drawn: it is no background
    return found


def _put(found: list[_Labelled], parts: dict[tuple[str, object], int], labelled: _Labelled) -> None:
    name, shape = labelled
    group = shape.attributes.get("group_id")
    if not isinstance(group, int | str) or not shape.outlines:
        found.append(labelled)
        return
    place = parts.setdefault((name, group), len(found))
    if place == len(found):
        found.append(labelled)
    else:
        whole = found[place][1]
        found[place] = name, replace(whole, outlines=(*whole.outlines, *shape.outlines))


def _shape(one: object, item: Item) -> _Labelled | str:
    label = one.get("label") if isinstance(one, dict) else None
    if isinstance(label, int) and not isinstance(label, bool):
        label = str(label)
    if not isinstance(one, dict) or not isinstance(label, str) or not label.strip():
        return "it has no label"
    points = _points(one.get("points"))
    if points is None:
        return "its points are no numbers"
    shape = _drawn(one, points, item)
    if isinstance(shape, str):
        return shape
    bounds = shape.bounds()
    if not np.isfinite(bounds).all():
        return "its points are no numbers"
    if bounds[2] <= bounds[0] or bounds[3] <= bounds[1]:
        return "it has no area"
    if is_outside(bounds, item.width, item.height):
        return "it lies outside the picture"
    shape.confidence = number(one.get("score"))
    shape.attributes = {key: value for key, value in one.items() if key not in OWN}
    for key in ("group_id", "description"):
        if one.get(key) not in (None, ""):
            shape.attributes[key] = one[key]
    if isinstance(one.get("flags"), dict) and one["flags"]:
        shape.attributes["flags"] = one["flags"]
    return label.strip(), shape


def _drawn(one: JsonObject, points: Points, item: Item) -> Shape | str:
    outline_type = one.get("shape_type") or "polygon"
    if outline_type == "polygon":
        return Shape(-1, outlines=(points,)) if len(points) > 2 else "it has too few points"
    if outline_type == "rectangle" and len(points) in (2, 4):
        if len(points) == 4 and not is_upright(points):
            return Shape(-1, outlines=(points,))
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        return Shape(-1, (left, top, right, bottom))
    if outline_type in TURNED and len(points) == 4:
        return Shape(-1, outlines=(points,))
    if outline_type in ("rectangle", *TURNED):
        return "it has too few points, or too many"
    if outline_type == "circle" and len(points) == 2:
        return Shape(-1, outlines=(_circle(points),))
    if outline_type == "mask" and len(points) == 2:
        rle = _mask(one.get("mask"), points, item)
        return "its mask is none" if rle is None else Shape(-1, rle=rle)
    return "a shape of this type is left out; rectangles, polygons, circles and masks are read"


def _circle(points: Points) -> Points:
    """Around the first point, through the second."""
    angles = np.linspace(0, 2 * np.pi, CIRCLE_CORNERS, endpoint=False)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told as such
        radius = float(np.hypot(*(points[1] - points[0])))
        ring: Points = points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
        return ring.round(9)


def _mask(coded: object, points: Points, item: Item) -> Rle | None:
    """A PNG in base64 of the part of the picture between the points, as LabelMe's AI draws it."""
    if not isinstance(coded, str) or np.abs(points).max() > 10 * max(item.width, item.height):
        return None
    try:
        with Image.open(BytesIO(base64.b64decode(coded)), formats=("PNG",)) as image:
            if image.width * image.height > 4 * (item.width + 1) * (item.height + 1):
                return None
            marked = np.asarray(image.convert("L")) > 0
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, binascii.Error):
        return None
    left, top = (int(one) for one in points.min(0).round())
    whole = np.zeros((item.height, item.width), np.uint8)
    part = marked[max(0, -top) :, max(0, -left) :]
    top, left = max(0, top), max(0, left)
    part = part[: max(0, item.height - top), : max(0, item.width - left)]
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return mask_rle(whole) if whole.any() else None


def _points(points: object) -> Points | None:
    if not isinstance(points, list) or not points or not all(
        isinstance(one, list) and len(one) == 2 for one in points
    ):  # fmt: skip
        return None
    numbers = [number(value) for one in points for value in one]
    if any(one is None for one in numbers):
        return None
    return np.array(numbers, np.float64).reshape(-1, 2)
