"""LabelMe: pictures with a JSON of the same name beside them, by split."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tandem.data.content import BACKGROUND, UNLABELLED, Content, Item, Points, Shape
from tandem.data.faults import Faults
from tandem.data.formats.yolo import with_background
from tandem.data.masks import to_outlines
from tandem.data.reading.files import SPLITS, JsonObject, measure, number, read_json, read_text
from tandem.data.reading.folder_listing import HEAD_BYTES, FolderListing
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

VERSION = "5.5.0"
_SHAPES = re.compile(rb'"shapes"\s*:\s*\[')
OWN = {"label", "points", "shape_type", "group_id", "flags", "description", "mask", "score"}
_LabelledItem = tuple[Item, list[tuple[str, Shape]] | None, str | None]


@register.format(
    "labelme",
    files="{train,val}/*, and a .json of the same name beside each picture",
    kinds={"classification", "detection", "segmentation"},
    holds={"label", "boxes", "outlines", "confidence", "attributes"},
    zh="每张图片旁有一个 JSON：按名称给出矩形和多边形；flags 给出图片的类别。",
)
class LabelMe:
    """A JSON beside each picture: rectangles and polygons by name; flags name the picture."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether a picture has a LabelMe JSON beside it."""
        if folder.has_folder("annotations") or folder.has_folder("images"):
            return False
        splits = [split for split in SPLITS if folder.has_folder(split)] or [""]
        files = (file for one in splits for file in folder.below(one, ".json"))
        return any(_is_labelme(folder.head(file)) for file in files)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every picture; one without a JSON has not been looked at."""
        splits = [split for split in SPLITS if (path / split).is_dir()]
        walk = Walk(path)
        drawn = {split: list(_drawn(walk, path / split, faults)) for split in splits or ("",)}
        everything = [one for several in drawn.values() for one in several]
        by_flag = kind == "classification" or (
            kind is None and not any(shapes for _, shapes, _ in everything)
        )
        names = {flag for _, _, flag in everything if flag} if by_flag else {
            name for _, shapes, _ in everything for name, _ in shapes or []
        }  # fmt: skip
        classes = _order(path, names)
        found = {split: [_named(one, classes, by_flag) for one in several]
                 for split, several in drawn.items()}  # fmt: skip
        masks = kind == "segmentation"
        if masks:
            classes = with_background(classes, [i for several in found.values() for i in several])
        learnt = "classification" if by_flag else "segmentation" if masks else "detection"
        train = found.get("train", found.get("", []))
        return Content(path, "labelme", learnt, classes, train, found.get("val"))

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:
        """Rectangles for detection, polygons for segmentation, a flag for a picture's class."""
        return LabelMeWriter(target, classes, kind)


def _is_labelme(head: bytes) -> bool:
    if len(head) == HEAD_BYTES:  # its picture is in it, as base64, and its shapes come before
        return _SHAPES.search(head) is not None
    try:
        told = json.loads(head.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and isinstance(told.get("shapes"), list)


def _order(path: Path, names: set[str]) -> tuple[str, ...]:
    file = path / "classes.txt"
    if file.is_file():
        listed = [line.strip() for line in read_text(file).splitlines() if line.strip()]
        if names <= set(listed):
            return tuple(dict.fromkeys(listed))
    return tuple(sorted(names))


def _drawn(walk: Walk, folder: Path, faults: Faults) -> Iterator[_LabelledItem]:
    seen = set()
    for image in walk.images(folder):
        item = Item(image)
        if not measure(walk.root, item, faults):
            continue
        file = (walk.root / item.name).with_suffix(".json")
        seen.add(file)
        if file.is_file():
            walk.check(file)
            yield item, *_read(walk.root, file, item, faults)
        else:
            yield item, None, None
    for file in sorted(folder.rglob("*.json")):
        if file not in seen and file.name != "meta.json" and not _hidden(file, folder):
            name = os.path.relpath(file, walk.root)
            faults.add(name, 0, "there is no picture of this label file", warning=True)


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _read(
    root: Path, file: Path, item: Item, faults: Faults
) -> tuple[list[tuple[str, Shape]] | None, str | None]:
    name = os.path.relpath(file, root)
    try:
        told = read_json(file)
    except DataError as error:
        faults.add(name, 0, "{reason}", reason=error.sentence())
        return None, None
    if not isinstance(told, dict) or not isinstance(told.get("shapes"), list):
        faults.add(name, 0, "it has no list of shapes")
        return None, None
    if told.get("tandem_predicted"):
        item.attributes["predicted"] = told["tandem_predicted"]
    flags = told.get("flags") if isinstance(told.get("flags"), dict) else {}
    assert isinstance(flags, dict)
    raised = [str(one) for one, value in flags.items() if value]
    if len(raised) > 1:
        faults.add(name, 0, "several flags are set: {flags}; the first counts",
                   warning=True, flags=", ".join(raised))  # fmt: skip
    if raised:
        item.confidence = number(told.get("flag_score"))
    shapes = []
    for place, one in enumerate(told["shapes"], 1):
        found = _shape(one, item)
        if isinstance(found, str):
            ignored = found.startswith("a ")
            faults.add(name, 0, "shape {place}: {problem}", warning=ignored, place=place,
                       problem=t(found))  # fmt: skip
        else:
            shapes.append(found)
    return shapes, raised[0] if raised else None


def _shape(one: object, item: Item) -> tuple[str, Shape] | str:
    if not isinstance(one, dict) or not str(one.get("label") or "").strip():
        return "it has no label"
    outline_type = one.get("shape_type") or "polygon"
    points = _points(one.get("points"))
    if points is None:
        return "its points are no numbers"
    if outline_type not in ("rectangle", "polygon"):
        return "a shape of this type is left out; rectangles and polygons are read"
    if len(points) < (2 if outline_type == "rectangle" else 3):
        return "it has too few points"
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    if right <= left or bottom <= top:
        return "it has no area"
    if right <= 0 or bottom <= 0 or left >= item.width or top >= item.height:
        return "it lies outside the picture"
    shape = Shape(-1, (left, top, right, bottom)) if outline_type == "rectangle" else Shape(
        -1, outlines=(points,)
    )  # fmt: skip
    shape.confidence = number(one.get("score"))
    shape.attributes = {key: value for key, value in one.items() if key not in OWN}
    for key in ("group_id", "description"):
        if one.get(key) not in (None, ""):
            shape.attributes[key] = one[key]
    if isinstance(one.get("flags"), dict) and one["flags"]:
        shape.attributes["flags"] = one["flags"]
    return str(one["label"]).strip(), shape


def _points(points: object) -> Points | None:
    if not isinstance(points, list) or not all(
        isinstance(one, list) and len(one) == 2 for one in points
    ):
        return None
    numbers = [number(value) for one in points for value in one]
    if any(one is None for one in numbers):
        return None
    return np.array(numbers, np.float64).reshape(-1, 2)


def _named(drawn: _LabelledItem, classes: tuple[str, ...], by_flag: bool) -> Item:
    item, shapes, flag = drawn
    if by_flag:
        item.label = classes.index(flag) if flag else UNLABELLED
        return item
    if shapes is not None:
        item.shapes = []
        for name, shape in shapes:
            shape.label = classes.index(name)
            item.shapes.append(shape)
    return item


class LabelMeWriter:
    """`<split>/<name>.json`, and the pictures beside where they are given."""

    def __init__(self, target: Path, classes: tuple[str, ...], kind: str) -> None:
        self.target, self.kind, self.classes = target, kind, classes

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item, source)
        put_image(source, self.target / split / name)
        if item.shapes is None and item.label == UNLABELLED:
            return []
        lost: set[str] = set()
        shapes = [one for shape in item.shapes or [] for one in self._shapes(shape, lost)]
        shown = name if source is not None else item.name
        write_whole(
            (self.target / split / name).with_suffix(".json"),
            json.dumps(self._whole(item, shown, shapes), ensure_ascii=False, indent=1),
        )
        return sorted(lost)

    def _whole(self, item: Item, name: str, shapes: list[JsonObject]) -> JsonObject:
        told: JsonObject = {"version": VERSION, "flags": {}, "shapes": shapes,
                                "imagePath": Path(name).name, "imageData": None,
                                "imageHeight": item.height, "imageWidth": item.width}  # fmt: skip
        if item.label != UNLABELLED:
            told["flags"] = {self.classes[item.label]: True}
        if item.confidence is not None:
            told["flag_score"] = item.confidence
        if "predicted" in item.attributes:
            told["tandem_predicted"] = item.attributes["predicted"]
        return told

    def _shapes(self, shape: Shape, lost: set[str]) -> list[JsonObject]:
        if shape.crowd:
            lost.add(t("a crowd is left out"))
            return []
        if shape.label == 0 and self.classes[:1] == (BACKGROUND,):
            return []
        one: JsonObject = {"group_id": None, "description": "", "flags": {}}
        one |= shape.attributes | {"label": self.classes[shape.label]}
        if shape.confidence is not None:
            one["score"] = shape.confidence
        if shape.box is not None and not shape.outlines and shape.rle is None:
            left, top, right, bottom = shape.box
            return [one | {"points": [[left, top], [right, bottom]], "shape_type": "rectangle"}]
        outlines = to_outlines(shape)
        if len(outlines) > 1:
            lost.add(t("a shape of several parts becomes several shapes"))
        return [one | {"points": points.tolist(), "shape_type": "polygon"} for points in outlines]

    def close(self) -> None:
        write_whole(self.target / "classes.txt", "".join(f"{one}\n" for one in self.classes))
