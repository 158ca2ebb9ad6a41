"""COCO JSON: `annotations/{train,val}.json` or `instances_*.json`, pictures in `images/`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from tandem.data.content import BACKGROUND, Content, Item, Points, Rle, Shape
from tandem.data.faults import Fault, Faults
from tandem.data.formats.yolo import with_background
from tandem.data.masks import is_whole
from tandem.data.reading.files import (
    SPLITS,
    JsonObject,
    inside,
    is_there,
    measure,
    number,
    read_json,
)
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import Parts, placed, put_image, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

LISTS = ("images", "categories", "annotations")
_Id = int | str
_CocoFile = dict[str, list[object]]
"""The lists of one file, by name."""
STANDARD = {"id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd", "score"}
LARGEST_SIDE = 100_000


@register.format(
    "coco",
    files="annotations/{train,val}.json or instances_*.json, images/ flat or by split",
    kinds={"detection", "segmentation"},
    holds={"boxes", "outlines", "rle", "crowd", "confidence", "attributes"},
    zh="每个划分一个 JSON 文件：图片、类别和标注。",
)
class Coco:
    """One JSON file a split: pictures, categories and annotations."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there are annotations/*.json that go by a split's name."""
        names = [one for one in folder.names("annotations") if one.endswith(".json")]
        return any(
            one == f"{split}.json" or one.startswith(f"instances_{split}")
            for one in names
            for split in SPLITS
        )

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every picture with its annotations; a picture without any is background."""
        files = {split: file for split in SPLITS if (file := _file(path, split)) is not None}
        walk = Walk(path)
        told = {}
        for split, file in files.items():
            walk.check(file)
            told[split] = _told(file)
        categories = _categories(told, files, faults)
        classes = tuple(name for _, name in categories)
        numbers = {key: place for place, (key, _) in enumerate(categories)}
        found = {
            split: list(_items(path, files[split], split, one, numbers, faults))
            for split, one in told.items()
        }
        items = [one for several in found.values() for one in several]
        masks = kind == "segmentation"
        if masks:
            classes = with_background(classes, items)
        return Content(path, "coco", "segmentation" if masks else "detection", classes,
                       found.get("train", []), found.get("val"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """Boxes, polygons and run lengths as they are."""
        return CocoWriter(target, classes)


def _file(path: Path, split: str) -> Path | None:
    folder = path / "annotations"
    exact = folder / f"{split}.json"
    if exact.is_file():
        return exact
    found = sorted(folder.glob(f"instances_{split}*.json")) if folder.is_dir() else []
    return found[0] if found else None


def _told(file: Path) -> _CocoFile:
    told = read_json(file)
    told = told if isinstance(told, dict) else {}
    lists = {name: one for name in LISTS if isinstance(one := told.get(name), list)}
    if len(lists) < len(LISTS):
        raise DataError(
            "{file} is no COCO file: it needs lists of images, categories and annotations.",
            file=file,
            fix="Mend it or take it away.",
        )
    return lists


def _categories(
    told: dict[str, _CocoFile], files: dict[str, Path], faults: Faults
) -> list[tuple[int, str]]:
    """(id, name) in the order of the ids; the same in every split."""
    found: dict[int, str] = {}
    for split, one in told.items():
        seen: set[_Id] = set()
        for row in one["categories"]:
            key, name = (row.get("id"), row.get("name")) if isinstance(row, dict) else (None, None)
            if not isinstance(key, int) or not isinstance(name, str):
                faults.add(files[split], 0, "a category has no id or no name")
                continue
            if key in seen:
                faults.add(files[split], 0, "the category id {id} comes twice", id=key)
            seen.add(key)
            if found.setdefault(key, name) != name:
                faults.add(files[split], 0, "category {id} is {one} here and {other} in train",
                           id=key, one=name, other=found[key])  # fmt: skip
    return sorted(found.items())


def _items(
    path: Path, file: Path, split: str, told: _CocoFile, numbers: dict[int, int], faults: Faults
) -> Iterator[Item]:
    name = os.path.relpath(file, path)
    images: dict[_Id, Item] = {}
    for place, row in enumerate(told["images"], 1):
        if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
            faults.add(name, 0, "images[{place}] has no file_name", place=place)
            continue
        key = row.get("id")
        if not isinstance(key, int | str):
            faults.add(name, 0, "images[{place}] has no id", place=place)
        elif key in images:
            faults.add(name, 0, "the image id {id} comes twice", id=key)
        else:
            item = _image(path, split, row, name, faults)
            if item is not None:
                images[key] = item
    listed = {row["id"] for row in told["images"]
              if isinstance(row, dict) and isinstance(row.get("id"), int | str)}  # fmt: skip
    missing = listed - set(images)
    seen: set[_Id] = set()
    for place, row in enumerate(told["annotations"], 1):
        problem = _add(row, place, images, missing, numbers, seen)
        if problem is not None:
            faults.keep(Fault(name, 0, *problem))
    yield from images.values()


def _image(path: Path, split: str, row: JsonObject, name: str, faults: Faults) -> Item | None:
    given = Path(str(row["file_name"]))
    for base in (f"images/{split}", "images", split, f"images/{split}2017", "."):
        found = path / base / given
        if is_there(found):
            if given.is_absolute() or not inside(path, found):
                faults.add(name, 0, "{file} leads out of the data set", file=str(given))
                return None
            item = Item(os.fsencode(os.path.relpath(found, path)), shapes=[])
            width, height = _side(row.get("width")), _side(row.get("height"))
            if width and height:
                item.width, item.height = width, height
                return item
            return item if measure(path, item, faults) else None
    faults.add(name, 0, "the picture {file} is not there", file=str(given))
    return None


def _side(value: object) -> int:
    """Pixels; 0 for what cannot be."""
    return value if isinstance(value, int) and 0 < value < LARGEST_SIDE else 0


def _add(
    row: object,
    place: int,
    images: dict[_Id, Item],
    missing: set[_Id],
    numbers: dict[int, int],
    seen: set[_Id],
) -> tuple[str, JsonObject] | None:
    """Put one annotation to its picture, or say what is wrong with it."""
    if not isinstance(row, dict):
        return "annotations[{place}] is no object", {"place": place}
    # An id of another type than these might not even be compared.
    key, image, category = (
        one if isinstance(one, int | str) else None
        for one in (row.get("id"), row.get("image_id"), row.get("category_id"))
    )
    known = f"[{place}]" if key is None else key
    where: JsonObject = {"id": known}
    if known in seen:
        return "the annotation id {id} comes twice", where
    seen.add(known)
    item = None if image is None else images.get(image)
    if item is None:
        if image in missing:
            return None  # its picture is told already
        return "annotation {id} is of image {image}, which is not listed", {
            **where, "image": image}  # fmt: skip
    label = numbers.get(category) if isinstance(category, int) else None
    if label is None:
        return "annotation {id} is of category {category}, which is not listed", {
            **where, "category": category}  # fmt: skip
    shape = _shape(row, label, item)
    if isinstance(shape, str):
        return "annotation {id}: {problem}", {**where, "problem": t(shape)}
    assert item.shapes is not None
    item.shapes.append(shape)
    return None


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
    if row.get("bbox") is not None:
        box = [number(one) for one in row["bbox"]] if isinstance(row["bbox"], list) else []
        if len(box) != 4 or any(one is None for one in box):
            return "its box is not four numbers"
        left, top, width, height = (one for one in box if one is not None)
        if width <= 0 or height <= 0:
            return "its box has no area"
        if left + width <= 0 or top + height <= 0 or left >= item.width or top >= item.height:
            return "its box lies outside the picture"
        shape.box = (left, top, left + width, top + height)
    elif not shape.outlines and shape.rle is None:
        return "it has neither a box nor a segmentation"
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


class CocoWriter:
    """Annotations as they come in a hidden file; both JSON files in `close`."""

    def __init__(self, target: Path, classes: tuple[str, ...]) -> None:
        self.target = target
        self.shift = 1 if classes[:1] == (BACKGROUND,) else 0
        self.classes = classes[self.shift :]
        self.parts = {split: Parts(target / f".parts-{split}.jsonl") for split in SPLITS}

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item, source)
        put_image(source, self.target / "images" / split / name)
        rows = [_row(one, self.shift) for one in item.shapes or [] if one.label >= self.shift]
        self.parts[split].add({
            "key": item.name, "file_name": name, "width": item.width, "height": item.height,
            "annotations": rows,
        })  # fmt: skip
        if item.shapes is None and item.mask_pixels is None:
            return [t("nobody has annotated it; COCO would call it background")]
        return []

    def close(self) -> None:
        categories = [{"id": n, "name": name} for n, name in enumerate(self.classes, 1)]
        for split, parts in self.parts.items():
            rows = parts.rows()
            if not rows and split == "val":
                continue
            images: list[JsonObject] = []
            annotations: list[JsonObject] = []
            for key, row in enumerate(rows, 1):
                images.append({"id": key, **{k: row[k] for k in ("file_name", "width", "height")}})
                rest = row["annotations"]
                assert isinstance(rest, list), "as `add` has put it there"
                for one in rest:
                    annotations.append({"id": len(annotations) + 1, "image_id": key, **one})
            whole = {"images": images, "categories": categories, "annotations": annotations}
            text = json.dumps(whole, ensure_ascii=False)
            write_whole(self.target / "annotations" / f"{split}.json", text)


def _row(shape: Shape, shift: int) -> JsonObject:
    left, top, right, bottom = shape.bounds()
    row: JsonObject = {
        "category_id": shape.label + 1 - shift,
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "iscrowd": int(shape.crowd),
    }
    if shape.rle is not None:
        size = [shape.rle.height, shape.rle.width]
        row["segmentation"] = {"size": size, "counts": shape.rle.counts.decode("latin-1")}
        row["area"] = float(coco_mask.area({"size": size, "counts": shape.rle.counts}))
    elif shape.outlines:
        row["segmentation"] = [points.flatten().tolist() for points in shape.outlines]
    if shape.confidence is not None:
        row["score"] = shape.confidence
    return row | {key: value for key, value in shape.attributes.items() if key not in STANDARD}
