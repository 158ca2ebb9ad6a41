"""COCO JSON: `annotations/{train,val}.json` or `instances_*.json`, pictures in `images/`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from tandem.data.content import BACKGROUND, Content, Item, Points, Shape
from tandem.data.faults import Faults
from tandem.data.formats.coco import files
from tandem.data.formats.coco.files import CocoPath, ImagePlaces
from tandem.data.formats.coco.rows import STANDARD, CocoLists, CocoRows, is_id
from tandem.data.formats.yolo import with_background
from tandem.data.reading.file_names import FileNames, tell_unread
from tandem.data.reading.files import JsonObject
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.split_names import SPLITS
from tandem.data.reading.texts import read_label_json
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import Parts, placed, put_image, writing_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

LISTS = ("images", "categories", "annotations")


@register.format(
    "coco",
    files="annotations/{train,val,test}.json or instances_*.json, images/ flat or by split",
    kinds={"detection", "segmentation"},
    holds={"boxes", "outlines", "rle", "crowd", "confidence", "attributes"},
    zh="每个划分一个 JSON 文件：图片、类别和标注。",
)
class Coco:
    """One JSON file a split: pictures, categories and annotations."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there are files of COCO's names or form in annotations, or beside pictures."""
        return files.is_here(folder)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every picture with its annotations; a picture without any is background."""
        notes: list[str] = []
        walk, names = Walk(path), FileNames(path)
        told: list[tuple[CocoPath, CocoLists]] = []
        for one in files.find(path, faults, notes):
            walk.check(one.file)
            told.append((one, _told(path, one.file, faults)))
        classes, numbers = _categories(path, told, faults, notes)
        found: dict[str, dict[Path, Item]] = {}
        for (one, lists), numbers_here in zip(told, numbers, strict=True):
            places = ImagePlaces(path, names, one, notes)
            reading = CocoRows(path, one.file, places, numbers_here, faults)
            reading.read(lists, found.setdefault(one.split, {}))
        tell_unread(walk, _folders_of(path, found), _paths_of(found), faults)
        items = [one for several in found.values() for one in several.values()]
        masks = kind == "segmentation"
        if masks:
            classes = with_background(classes, items)
        lists_of = {split: list(several.values()) for split, several in found.items()}
        return Content(path, "coco", "segmentation" if masks else "detection", classes,
                       lists_of.get("train", []), lists_of.get("val"), tuple(notes),
                       lists_of.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """Boxes, polygons and run lengths as they are."""
        return CocoWriter(target, classes)


def _told(root: Path, file: Path, faults: Faults) -> CocoLists:
    told = read_label_json(root, file, faults)
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
    path: Path, told: list[tuple[CocoPath, CocoLists]], faults: Faults, notes: list[str]
) -> tuple[tuple[str, ...], list[dict[int, int]]]:
    """The classes in the order of their ids, and for each file the class of each of its ids."""
    found: dict[int, str] = {}
    named: list[dict[int, str]] = []
    for one, lists in told:
        file, seen = os.path.relpath(one.file, path), dict[int, str]()
        for row in lists["categories"]:
            key, name = (row.get("id"), row.get("name")) if isinstance(row, dict) else (None, None)
            if not is_id(key) or isinstance(key, str) or not isinstance(name, str) or not name:
                faults.add(file, 0, "a category has no id or no name")
                continue
            assert isinstance(key, int)
            if key in seen:
                faults.add(file, 0, "the category id {id} comes twice", id=key)
            elif name in seen.values():
                faults.add(file, 0, "the category {name} comes twice, the second time as {id}",
                           name=name, id=key)  # fmt: skip
            seen.setdefault(key, name)
            if found.setdefault(key, name) != name:
                faults.add(file, 0, "category {id} is {one} here and {other} in train",
                           id=key, one=name, other=found[key])  # fmt: skip
        named.append(seen)
    _drop_grouping(told, found, notes)
    # One class for one name, whatever its id is in each file.
    others = {name for seen in named for key, name in seen.items() if key in found}
    classes = tuple(dict.fromkeys([*(name for _, name in sorted(found.items())), *sorted(others)]))
    places = {name: place for place, name in enumerate(classes)}
    return classes, [{key: places[name] for key, name in seen.items() if name in places}
                     for seen in named]  # fmt: skip


def _drop_grouping(
    told: list[tuple[CocoPath, CocoLists]], found: dict[int, str], notes: list[str]
) -> None:
    """Roboflow's category 0 only names the others' group: it has no annotation."""
    if 0 not in found:
        return
    used = [row.get("category_id") for _, lists in told for row in lists["annotations"]
            if isinstance(row, dict)]  # fmt: skip
    groups = [row.get("supercategory") for _, lists in told for row in lists["categories"]
              if isinstance(row, dict) and row.get("id") != 0]  # fmt: skip
    if 0 not in used and found[0] in groups:
        notes.append(t("The category {name} only groups the others, as Roboflow writes it; it is "
                       "left out.", name=found.pop(0)))  # fmt: skip


def _paths_of(found: dict[str, dict[Path, Item]]) -> Iterator[bytes]:
    """The pictures that are read, by the paths they have."""
    return (item.path for several in found.values() for item in several.values())


def _folders_of(path: Path, found: dict[str, dict[Path, Item]]) -> list[Path]:
    """Where their pictures lie: what else is there is told."""
    tops = {one.relative_to(path).parts[0] for several in found.values() for one in several
            if len(one.relative_to(path).parts) > 1}  # fmt: skip
    return [path / one for one in sorted(tops)]


class CocoWriter:
    """Annotations as they come in a hidden file; both JSON files in `close`."""

    def __init__(self, target: Path, classes: tuple[str, ...]) -> None:
        self.target = target
        self.shift = 1 if classes[:1] == (BACKGROUND,) else 0
        self.classes = classes[self.shift :]
        self.parts = {split: Parts(target / f".parts-{split}.jsonl") for split in SPLITS}

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        if item.shapes is None and item.mask_pixels is None:
            return [t("nobody has annotated it; COCO would call it background")]
        name = placed(item)
        put_image(source, self.target / "images" / split / name)
        rows = [_row(one, self.shift) for one in item.shapes or [] if one.label >= self.shift]
        shown = name if source is not None else item.name
        self.parts[split].add({
            "key": name, "file_name": shown, "width": item.width, "height": item.height,
            "annotations": rows,
        })  # fmt: skip
        return []

    def close(self) -> None:
        for split, parts in self.parts.items():
            if split == "train" or next(parts.rows(), None) is not None:
                self._assemble(split, parts)

    def _assemble(self, split: str, parts: Parts) -> None:
        """The split's file, row by row: it may be larger than memory."""
        categories = [{"id": n, "name": name} for n, name in enumerate(self.classes, 1)]
        with writing_whole(self.target / "annotations" / f"{split}.json") as out:
            out.write('{"images": [')
            for key, row in enumerate(parts.rows(), 1):
                image = {"id": key, **{k: row[k] for k in ("file_name", "width", "height")}}
                out.write(", " * (key > 1) + json.dumps(image, ensure_ascii=False))
            out.write('], "categories": ' + json.dumps(categories, ensure_ascii=False))
            out.write(', "annotations": [')
            count = 0
            for key, row in enumerate(parts.rows(), 1):
                annotations = row["annotations"]
                assert isinstance(annotations, list), "as `add` has put it there"
                for one in annotations:
                    count += 1
                    told = {"id": count, "image_id": key, **one}
                    out.write(", " * (count > 1) + json.dumps(told, ensure_ascii=False))
            out.write("]}")


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
        row["area"] = _area(shape.outlines)
    if shape.confidence is not None:
        row["score"] = shape.confidence
    return row | {key: value for key, value in shape.attributes.items() if key not in STANDARD}


def _area(outlines: tuple[Points, ...]) -> float:
    """Square pixels within one outline, or within any of several."""
    if len(outlines) == 1:
        x, y = outlines[0][:, 0], outlines[0][:, 1]
        area = abs(float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())) / 2
        if area:
            return area
    low = np.concatenate(outlines).min(0)
    high = np.concatenate(outlines).max(0)
    width, height = (int(one) for one in np.ceil(high - low) + 1)
    rings = [(points - low).flatten().tolist() for points in outlines]
    return float(coco_mask.area(coco_mask.merge(coco_mask.frPyObjects(rings, height, width))))
