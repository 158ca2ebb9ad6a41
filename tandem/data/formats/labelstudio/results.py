"""A task's results as shapes and choices; what is neither is counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tandem.data.content import Box, Item, Points, Shape
from tandem.data.formats.labelstudio import brush
from tandem.data.formats.labelstudio.tasks import Said, Unread
from tandem.data.masks import mask_rle
from tandem.data.reading.files import JsonObject, number
from tandem.data.reading.turned import turned

ELLIPSE_POINTS = 120
DRAWN = ("rectangle", "polygon", "ellipse", "brush")
_GEOMETRY = {"rle": "brush", "radiusX": "ellipse", "points": "polygon", "width": "rectangle"}
"""By what a `labels` result's value holds, what it is the label of."""
_Problem = str
LARGEST = 1e6
"""Per cent, beyond which a number is no place near a picture."""


@dataclass
class Region:
    """Results of one id: what was drawn, and what was said of it."""

    parts: list[JsonObject] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The labels, each once."""
        lists = (several for part in self.parts for key, several in _value(part).items()
                 if key.endswith("labels") and isinstance(several, list))  # fmt: skip
        given = [one for several in lists for one in several]
        return list(dict.fromkeys(str(one) for one in given))

    @property
    def confidence(self) -> float | None:
        """How sure a prediction is."""
        return next((one for part in self.parts if (one := number(part.get("score"))) is not None),
                    None)  # fmt: skip


@dataclass
class Sorted:
    """The results of one task, by what they are."""

    regions: list[Region]
    choices: dict[str, list[str]]
    """By their control, what was chosen of the picture as a whole."""
    choice_score: float | None = None
    drawn_otherwise: bool = False
    """Whether something was drawn that is not read, such as a point."""


def sorted_results(said: Said, place: int, unread: Unread) -> Sorted:
    """Regions by their ids, choices of the whole picture; the rest goes to `unread`."""
    regions: dict[object, Region] = {}
    for number_, one in enumerate(said.results):
        if _drawn_as(one) is not None:
            regions.setdefault(_id(one, number_), Region()).parts.append(one)
    found = Sorted(list(regions.values()), {})
    for number_, one in enumerate(said.results):
        if _drawn_as(one) is not None:
            continue
        named = _value(one).get("choices")
        of_region = _id(one, number_) in regions or _GEOMETRY.keys() & _value(one).keys()
        if one.get("type") == "choices" and isinstance(named, list) and not of_region:
            control = str(one.get("from_name") or "")
            found.choices.setdefault(control, []).extend(str(name) for name in named)
            found.choice_score = number(one.get("score"))
        else:
            unread.control(str(one.get("type")), place)
            if str(one.get("type")).endswith("labels") or "x" in _value(one):
                found.drawn_otherwise = True
    return found


def stated_sizes(said: Said) -> set[tuple[float, float]]:
    """The widths and heights that the results say their picture has."""
    pairs = ((number(one.get("original_width")), number(one.get("original_height")))
             for one in said.results)  # fmt: skip
    return {(wide, high) for wide, high in pairs if wide and high and wide > 0 and high > 0}


def shape_of(region: Region, item: Item, score: float | None) -> Shape | _Problem:
    """Its shape in pixels, with the class still to be said; or what is wrong with it."""
    drawn = next((one for one in region.parts if one.get("type") != "labels"), region.parts[0])
    value, way = _value(drawn), _drawn_as(drawn)
    if number(drawn.get("image_rotation") or 0) != 0:
        return "the picture was turned in Label Studio: where the region lies is not certain"
    found: Shape | _Problem
    size = np.array([item.width, item.height], np.float64)
    match way:
        case "rectangle":
            found = _rectangle(value, size)
        case "ellipse":
            found = _ellipse(value, size)
        case "polygon":
            found = _polygon(value, size)
        case _:
            found = _brush(value, item)
    if isinstance(found, str):
        return found
    found.confidence = score if region.confidence is None else region.confidence
    return found


def _value(result: JsonObject) -> JsonObject:
    value = result.get("value")
    return value if isinstance(value, dict) else {}


def _id(result: JsonObject, place: int) -> object:
    given = result.get("id")
    return given if isinstance(given, str) and given else place


def _drawn_as(result: JsonObject) -> str | None:
    said = str(result.get("type"))
    if said == "labels":
        return next((way for key, way in _GEOMETRY.items() if key in _value(result)), None)
    base = said.removesuffix("labels")
    return base if base in DRAWN else None


def _numbers(value: JsonObject, *keys: str) -> list[float] | None:
    found = [number(value.get(one)) for one in keys]
    told = [one for one in found if one is not None and abs(one) <= LARGEST]
    return told if len(told) == len(keys) else None


def _rectangle(value: JsonObject, size: Points) -> Shape | _Problem:
    sides = _numbers(value, "x", "y", "width", "height")
    degrees = number(value.get("rotation") or 0)
    if sides is None or degrees is None:
        return "its box is not four numbers"
    x, y, width, height = sides
    if width <= 0 or height <= 0:
        return "the box has no area"
    left, top, right, bottom = np.array([x, y, x + width, y + height]) * np.tile(size, 2) / 100
    ring = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    if degrees % 360:
        ring = turned(ring, ring[0], degrees)
    if degrees % 90:
        return Shape(0, outlines=(ring,))
    (left, top), (right, bottom) = ring.min(0).tolist(), ring.max(0).tolist()
    box: Box = (left, top, right, bottom)
    return Shape(0, box)


def _ellipse(value: JsonObject, size: Points) -> Shape | _Problem:
    sides = _numbers(value, "x", "y", "radiusX", "radiusY")
    degrees = number(value.get("rotation") or 0)
    if sides is None or degrees is None:
        return "its ellipse is not four numbers"
    x, y, wide, high = sides
    if wide <= 0 or high <= 0:
        return "the ellipse has no area"
    centre, radii = np.array([x, y]) * size / 100, np.array([wide, high]) * size / 100
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)
    ring = centre + np.stack((np.cos(angles), np.sin(angles)), 1) * radii
    return Shape(0, outlines=(turned(ring, centre, degrees),))


def _polygon(value: JsonObject, size: Points) -> Shape | _Problem:
    points = value.get("points")
    if not isinstance(points, list) or len(points) < 3:
        return "its polygon is none"
    numbers = [number(one) for pair in points if isinstance(pair, list) for one in pair]
    told = [one for one in numbers if one is not None and abs(one) <= LARGEST]
    if not len(told) == len(numbers) == 2 * len(points):
        return "its polygon is none"
    return Shape(0, outlines=(np.array(told, np.float64).reshape(-1, 2) * size / 100,))


def _brush(value: JsonObject, item: Item) -> Shape | _Problem:
    mask_HW = brush.decode(value.get("rle"), item.height, item.width)
    if mask_HW is None:
        return "its brush is no mask of the picture's size"
    if not mask_HW.any():
        return "its brush has painted nothing"
    return Shape(0, rle=mask_rle(mask_HW))
