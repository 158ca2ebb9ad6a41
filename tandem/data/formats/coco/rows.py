"""The rows of a COCO file: its pictures and annotations as items and shapes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from tandem.data.content import Box, Item, Points, Rle, Shape
from tandem.data.faults import Fault, Faults
from tandem.data.formats.coco.files import ImagePlaces
from tandem.data.masks import is_whole
from tandem.data.reading.files import JsonObject, measure_against, number
from tandem.data.reading.turned import is_outside, is_upright, turned_box
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

HEADER_THREADS, AT_ONCE = 8, 256
"""Opening a picture is waiting for the disk; how many one thread opens at a time."""
STANDARD = {"id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd", "score"}
TURNING = ("rotation", "angle", "theta")
"""Keys of an annotation that say nobody knows what of its box."""
LARGEST_SIDE = 100_000
_Id = int | str
CocoLists = dict[str, list[object]]
"""The lists of one file, by name."""


def is_id(value: object) -> bool:
    """Whether it can be an id: a whole number or a text."""
    return isinstance(value, int | str) and not isinstance(value, bool)


@dataclass
class CocoRows:
    """One file: its pictures, then its annotations put to them."""

    path: Path
    file: Path
    places: ImagePlaces
    numbers: dict[int, int]
    """The class of each category id."""
    faults: Faults
    images: dict[_Id, Item] = field(default_factory=dict)
    told: set[_Id] = field(default_factory=set)
    """Ids of pictures that are left out, and why is told."""
    seen: set[_Id] = field(default_factory=set)
    first: dict[tuple[int, object], _Id] = field(default_factory=dict)
    """The annotation of each item and shape."""
    boxes: list[tuple[bool, bool]] = field(default_factory=list)
    """For each box: whether it reaches out, and whether it would not as corners."""

    @property
    def name(self) -> str:
        return os.path.relpath(self.file, self.path)

    def read(self, lists: CocoLists, found: dict[Path, Item]) -> None:
        """Put what it holds to what other files of the split held."""
        waiting: list[tuple[Item, tuple[object, object]]] = []
        for place, row in enumerate(lists["images"], 1):
            item = self._listed(place, row, found)
            if item is not None:
                assert isinstance(row, dict)
                waiting.append((item, (row.get("width"), row.get("height"))))
        self._measure(waiting, found)
        for place, row in enumerate(lists["annotations"], 1):
            problem = self._add(row, place)
            if problem is not None:
                self.faults.keep(Fault(self.name, 0, *problem))
        self._tell_corners()

    def _listed(self, place: int, row: object, found: dict[Path, Item]) -> Item | None:
        faults = self.faults
        said = row.get("file_name") if isinstance(row, dict) else None
        if not isinstance(row, dict) or not isinstance(said, str) or not said:
            faults.add(self.name, 0, "images[{place}] has no file_name", place=place)
            return None
        key = row.get("id")
        if not is_id(key):
            faults.add(self.name, 0, "images[{place}] has no id", place=place)
            return None
        assert isinstance(key, int | str)
        if key in self.images or key in self.told:
            faults.add(self.name, 0, "the image id {id} comes twice", id=key)
            self._forget(key, found)
            return None
        self.told.add(key)
        try:
            file = self.places.find(said)
        except DataError:
            faults.add(self.name, 0, "{file} leads out of the data set", file=said[:200])
            return None
        if file is None:
            faults.add(self.name, 0, "the picture {file} is not there", file=said[:200])
            return None
        self.told.discard(key)
        other = found.get(file)
        if other is not None:
            faults.add(self.name, 0, "the picture {file} is listed again, with the id {id}; its "
                       "annotations are put together", warning=True, file=said, id=key)  # fmt: skip
        item = other or Item(os.fsencode(os.path.relpath(file, self.path)), shapes=[])
        found[file] = self.images[key] = item
        return item

    def _forget(self, key: _Id, found: dict[Path, Item]) -> None:
        """Nobody knows which of two pictures of one id its annotations are of."""
        item = self.images.pop(key, None)
        self.told.add(key)
        for file in [one for one, other in found.items() if other is item]:
            del found[file]

    def _measure(
        self, waiting: list[tuple[Item, tuple[object, object]]], found: dict[Path, Item]
    ) -> None:
        """Every picture's size, against what the file says of it."""

        def some(pairs: list[tuple[Item, tuple[object, object]]]) -> tuple[list[bool], Faults]:
            said = Faults()
            return [measure_against(self.path, item, stated, said, self.name)
                    for item, stated in pairs], said  # fmt: skip

        wrong: set[int] = set()
        parts = [waiting[n : n + AT_ONCE] for n in range(0, len(waiting), AT_ONCE)]
        with ThreadPoolExecutor(HEADER_THREADS) as pool:
            for part, (fits, said) in zip(parts, pool.map(some, parts), strict=True):
                for fault in said.found:
                    self.faults.keep(fault)
                wrong |= {id(item) for (item, _), one in zip(part, fits, strict=True) if not one}
        for key in [key for key, item in self.images.items() if id(item) in wrong]:
            self.told.add(key)
            del self.images[key]
        for file in [file for file, item in found.items() if id(item) in wrong]:
            del found[file]

    def _add(self, row: object, place: int) -> tuple[str, JsonObject] | None:
        """Put one annotation to its picture, or say what is wrong with it."""
        if not isinstance(row, dict):
            return "annotations[{place}] is no object", {"place": place}
        # An id of another type than these might not even be compared.
        key, image, category = (
            row.get(one) if is_id(row.get(one)) else None
            for one in ("id", "image_id", "category_id")
        )
        known = f"[{place}]" if key is None else key
        where: JsonObject = {"id": known}
        item = None if image is None else self.images.get(image)
        if item is None:
            if image in self.told:
                return None  # its picture is told already
            return "annotation {id} is of image {image}, which is not listed", {
                **where, "image": image}  # fmt: skip
        if known in self.seen:
            item.faulty = True
            return "the annotation id {id} comes twice", where
        self.seen.add(known)
        label = self.numbers.get(category) if isinstance(category, int) else None
        if label is None:
            item.faulty = True
            return "annotation {id} is of category {category}, which is not listed", {
                **where, "category": category}  # fmt: skip
        shape = _shape(row, label, item)
        if isinstance(shape, str):
            item.faulty = True
            return "annotation {id}: {problem}", {**where, "problem": t(shape)}
        self._note_corners(row, item)
        first = self.first.setdefault((id(item), shape.key()), known)
        if first != known:
            faults = self.faults
            faults.add(self.name, 0, "annotation {id} is the same as {first} and is read once",
                       warning=True, id=known, first=first)  # fmt: skip
            return None
        assert item.shapes is not None
        item.shapes.append(shape)
        return None

    def _note_corners(self, row: JsonObject, item: Item) -> None:
        box = _numbers(row.get("bbox"))
        if box is not None:
            left, top, width, height = box
            out = left + width > item.width + 1 or top + height > item.height + 1
            fits = left < width <= item.width + 1 and top < height <= item.height + 1
            self.boxes.append((out, fits))

    def _tell_corners(self) -> None:
        """Boxes of left, top, right, bottom in place of COCO's: many are certain, few only told."""
        faults, out = self.faults, sum(one for one, _ in self.boxes)
        if out and all(fits for _, fits in self.boxes):
            is_sure = out >= 3 and out * 4 >= len(self.boxes)
            faults.add(self.name, 0, "{count} of {all} boxes reach out of their pictures, and none "
                       "would if they were left, top, right, bottom; COCO's are left, top, width, "
                       "height", warning=not is_sure, count=out, all=len(self.boxes))  # fmt: skip


def _numbers(value: object) -> Box | None:
    box = [number(one) for one in value] if isinstance(value, list) and len(value) == 4 else []
    left, top, width, height = box or (None, None, None, None)
    if left is None or top is None or width is None or height is None:
        return None
    return left, top, width, height


def _shape(row: JsonObject, label: int, item: Item) -> Shape | str:
    shape = Shape(label, crowd=bool(row.get("iscrowd")), confidence=number(row.get("score")))
    shape.attributes = {key: value for key, value in row.items() if key not in STANDARD}
    coded = row.get("segmentation")
    if isinstance(coded, dict):
        rle = _rle(coded)
        if rle is None:
            return "its run lengths are none"
        if (rle.width, rle.height) != (item.width, item.height):
            return "its run lengths are of a picture of another size"
        shape.rle = rle
    elif isinstance(coded, list) and coded:
        rings = [_ring(one) for one in coded]
        if any(one is None for one in rings):
            return "its polygon is none"
        shape.outlines = tuple(one for one in rings if one is not None)
    elif coded not in (None, []):
        return "its polygon is none"
    if row.get("bbox") not in (None, []):
        box = _numbers(row["bbox"])
        if box is None:
            return "its box is not four numbers"
        left, top, width, height = box
        if width <= 0 or height <= 0:
            return "its box has no area"
        shape.box = (left, top, left + width, top + height)
    elif not shape.outlines and shape.rle is None:
        return "it has neither a box nor a segmentation"
    return _turned(row, shape) or _placed(shape, item)


def _turned(row: JsonObject, shape: Shape) -> str | None:
    """Turn an upright box that CVAT keeps with an angle beside it; what is wrong, else None."""
    if any(number(row.get(one)) not in (None, 0.0) for one in TURNING):
        return "it is turned, in a way that is not COCO's"
    beside = row.get("attributes")
    said = beside.get("rotation") if isinstance(beside, dict) else None
    if said is None:
        return None
    degrees = number(said)
    if degrees is None:
        return "its rotation is no number"
    points = None if shape.box is None else turned_box(shape.box, degrees)
    if points is None:
        return None
    assert isinstance(beside, dict)
    rest = {key: value for key, value in beside.items() if key != "rotation"}
    del shape.attributes["attributes"]
    if rest:
        shape.attributes["attributes"] = rest
    # An outline that is no rectangle was drawn as it is: it is what the box is around.
    drawn = shape.outlines and not (
        len(shape.outlines) == 1 and len(shape.outlines[0]) == 4 and is_upright(shape.outlines[0])
    )
    if not drawn and shape.rle is None:
        shape.outlines = (points,)
    shape.box = None
    return None


def _placed(shape: Shape, item: Item) -> Shape | str:
    bounds = shape.bounds()
    if bounds[2] <= bounds[0] or bounds[3] <= bounds[1]:
        return "it has no area"
    if is_outside(bounds, item.width, item.height):
        return "its box lies outside the picture"
    if shape.box is not None and shape.outlines:
        whole = Shape(0, outlines=shape.outlines).bounds()
        if (min(whole[2], bounds[2]) < max(whole[0], bounds[0])
                or min(whole[3], bounds[3]) < max(whole[1], bounds[1])):  # fmt: skip
            return "its box and its polygon lie apart"
    return shape


def _ring(points: object) -> Points | None:
    if not isinstance(points, list) or len(points) < 6 or len(points) % 2:
        return None
    numbers = [number(one) for one in points]
    if any(one is None for one in numbers):
        return None
    return np.array(numbers, np.float64).reshape(-1, 2)


def _rle(coded: JsonObject) -> Rle | None:
    size, counts = coded.get("size"), coded.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(
        isinstance(one, int) and 0 < one < LARGEST_SIDE for one in size
    )):  # fmt: skip
        return None
    if isinstance(counts, str):
        rle = Rle(size[0], size[1], counts.encode("latin-1", "replace"))
        return rle if is_whole(rle) else None
    if isinstance(counts, list) and all(isinstance(one, int) and one >= 0 for one in counts):
        if sum(counts) != size[0] * size[1]:
            return None
        whole = coco_mask.frPyObjects({"size": size, "counts": counts}, *size)
        return Rle(size[0], size[1], whole["counts"])
    return None
