"""`images/{train,val}/*`, `labels/{train,val}/*.txt`, `data.yaml` (Ultralytics' layout)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from tandem.data.content import BACKGROUND, Content, Item, Shape
from tandem.data.faults import Fault, Faults
from tandem.data.masks import to_outlines
from tandem.data.reading import data_yaml
from tandem.data.reading.file_names import FileNames, tell_unread
from tandem.data.reading.files import JsonObject, measure
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.label_files import Labels, tell_alone
from tandem.data.reading.split_names import SPLITS, split_of
from tandem.data.reading.texts import (
    CLASS_LISTS,
    class_list,
    has_labels_beside,
    lines_of,
    read_label_text,
)
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

MOST_CLASSES = 100_000
MOST_KEYPOINTS = 10_000
BELOW, ABOVE = -1e-6, 1 + 1e-6
"""What rounding to six digits may leave outside 0 to 1."""
_Numbers = list[float]


@register.format(
    "yolo",
    files="images/{train,val,test}/*, labels/{train,val,test}/*.txt, data.yaml",
    kinds={"detection", "segmentation"},
    holds={"boxes", "outlines", "confidence"},
    zh="每张图片一个文本文件，每个框或轮廓一行：先是类别，再是 0 到 1 的坐标。",
)
class Yolo:
    """A text file for each picture, a line for each box or outline: class, then 0 to 1."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there is a data.yaml, or texts in labels beside images, or beside pictures."""
        if data_yaml.find(folder.root) is not None or folder.has_file("obj.names"):
            return True
        if folder.has_folder("images") and folder.has_folder("labels"):
            return not folder.has_folder("masks") and _holds_texts(folder, "labels")
        both = [one for one in folder.folders() if split_of(one) is not None
                and folder.has_folder(f"{one}/images") and folder.has_folder(f"{one}/labels")
                and _holds_texts(folder, f"{one}/labels")]  # fmt: skip
        return bool(both) or has_labels_beside(folder)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every picture with its lines; no label file, or an empty one: background."""
        notes: list[str] = []
        told = data_yaml.read(path, faults)
        walk, names = Walk(path), FileNames(path)
        places = data_yaml.sources(path, told, notes, faults)
        classes = _classes(path, told, faults, notes)
        labels = Labels(walk, names, ".txt")
        reading = _Reading(walk, labels, len(classes), _keypoints(told, faults), faults)
        found, listed = {}, set()
        for split, sources in places.items():
            images = list(dict.fromkeys(data_yaml.images(walk, sources, names, faults)))
            listed.update(images)
            found[split] = list(reading.items(images))
        if not listed:
            raise DataError("The data set {path} has no folder images/train.", path=path,
                            fix="Put pictures into {path}/images/train/.")  # fmt: skip
        reading.tell()
        if reading.bare:
            notes.append(t("{count} pictures have no label file, such as {file}, and are read as "
                           "background.", count=len(reading.bare),
                           file=reading.bare[0]))  # fmt: skip
        tell_alone(walk, labels, faults)
        tell_unread(walk, [path], listed, faults)
        items = [one for several in found.values() for one in several]
        masks = kind == "segmentation"
        if masks:
            classes = with_background(classes, items)
        return Content(path, "yolo", "segmentation" if masks else "detection", classes,
                       found.get("train", []), found.get("val"), tuple(notes),
                       found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:
        """Boxes for detection, polygons for segmentation."""
        return YoloWriter(target, classes, kind)


def _holds_texts(folder: FolderListing, place: str) -> bool:
    """Whether labels are texts: pictures and JSON in a folder of that name are other layouts'."""
    others = (".json", ".xml", ".png")
    return bool(folder.below(place, ".txt")) or not any(folder.below(place, one) for one in others)


def with_background(classes: tuple[str, ...], items: list[Item]) -> tuple[str, ...]:
    """Classes whose number is a mask's value: background is 0 unless one is named so first."""
    if classes and classes[0].casefold() == BACKGROUND:
        return classes
    for item in items:
        for shape in item.shapes or []:
            shape.label += 1
    return (BACKGROUND, *classes)


def _classes(path: Path, told: JsonObject, faults: Faults, notes: list[str]) -> tuple[str, ...]:
    file = data_yaml.find(path)
    names = told.get("names")
    if isinstance(names, dict):
        keys = sorted(key for name in names if (key := data_yaml.whole(name)) is not None)
        if keys != list(range(len(names))):
            faults.add(file, 0, "names must be numbered from 0 on without a gap")
        by_key = {data_yaml.whole(name): value for name, value in names.items()}
        names = [by_key[key] for key in keys]
    listed = class_list(path, faults, ("", "images", "train", "labels"))
    if isinstance(names, list):
        classes = tuple(map(str, names))
        if any(not isinstance(one, str) or not one.strip() for one in names):
            faults.add(file, 0, "a class has no name")
        if listed is not None and listed != [one.strip() for one in classes]:
            faults.add(file, 0, "its names are others than those of classes.txt; it counts",
                       warning=True)  # fmt: skip
    elif names not in (None, ""):
        faults.add(file, 0, "names is neither a list nor numbered names")
        classes = _counted(path, told)
    elif listed is not None:
        classes = tuple(listed)
    else:
        classes = _counted(path, told)
        notes.append(t("There are no names of classes; they are called by their numbers."))
    if told.get("nc") not in (None, "") and data_yaml.whole(told["nc"]) != len(classes):
        faults.add(file, 0, "nc is {nc}, but names has {names}", nc=told["nc"], names=len(classes))
    if len(set(classes)) != len(classes):
        faults.add(file, 0, "a class is named twice")
    return classes


def _keypoints(told: JsonObject, faults: Faults) -> int:
    """How many numbers of each line are keypoints, by `kpt_shape`; 0: none."""
    shape = told.get("kpt_shape")
    if shape in (None, ""):
        return 0
    several = [data_yaml.whole(one) for one in shape] if isinstance(shape, list) else []
    if len(several) == 2 and several[0] and several[1] in (2, 3) and several[0] < MOST_KEYPOINTS:
        return several[0] * several[1]
    faults.add("data.yaml", 0, "kpt_shape must be a number of keypoints, and 2 or 3 numbers each")
    return 0


def _counted(path: Path, told: JsonObject) -> tuple[str, ...]:
    count = data_yaml.whole(told.get("nc"))
    if count is not None:
        return _numbered(count)
    highest = -1
    labels = path / "labels"
    for file in (labels if labels.is_dir() else path).rglob("*.txt"):
        if file.is_symlink() or not file.is_file() or file.name in CLASS_LISTS:
            continue
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            first = data_yaml.whole((line.split(maxsplit=1) or [""])[0])
            if first is not None and first < MOST_CLASSES:
                highest = max(highest, first)
    return _numbered(highest + 1)


def _numbered(count: int) -> tuple[str, ...]:
    if not 0 <= count <= MOST_CLASSES:
        raise DataError("There cannot be {count} classes.", count=count, fix="Mend data.yaml.")
    return tuple(str(one) for one in range(count))


@dataclass
class _Reading:
    walk: Walk
    labels: Labels
    classes: int
    keypoints: int
    """Numbers of each line behind its box that are keypoints."""
    faults: Faults
    posed: list[tuple[str, int]] = field(default_factory=list)
    """File and line of each box whose keypoints were left out."""
    bare: list[str] = field(default_factory=list)
    """Pictures without a label file."""

    def items(self, images: list[bytes]) -> Iterator[Item]:
        for image in images:
            item = Item(image, shapes=[])
            file = self.labels.of(image)
            if not measure(self.walk.root, item, self.faults):
                continue
            if file is not None:
                self.walk.check(file)
                item.shapes = list(self._shapes(file, item))
            else:
                self.bare.append(item.name)
            yield item

    def _shapes(self, file: Path, item: Item) -> Iterator[Shape]:
        faults = self.faults
        name = os.path.relpath(file, self.walk.root)
        try:
            text = read_label_text(self.walk.root, file, faults)
        except DataError as error:
            faults.add(name, 0, "{reason}", reason=error.sentence())
            item.faulty = True
            return
        seen: dict[tuple[float, ...], int] = {}
        for line, words in enumerate((one.split() for one in lines_of(text)), 1):
            if not words:
                continue
            numbers = _numbers(words)
            problem = _problem(words, numbers, self.classes, self.keypoints)
            if problem is not None:
                faults.keep(Fault(name, line, *problem))
                item.faulty = True
                continue
            assert numbers is not None
            first = seen.setdefault(tuple(numbers), line)
            if first != line:
                faults.add(name, line, "it says the same as line {first} and is read once",
                           warning=True, first=first)  # fmt: skip
                continue
            if self.keypoints and len(numbers) > 6:
                self.posed.append((name, line))
                # The confidence of a predicted pose comes last.
                numbers = numbers[:5] + numbers[5 + self.keypoints :]
            yield _shape(numbers, item)

    def tell(self) -> None:
        """Once for all lines: what was left out of them."""
        faults = self.faults
        if self.posed:
            name, line = self.posed[0]
            faults.add(name, line, "its keypoints are not read, but its box is; so with {count} "
                       "lines in all", warning=True, count=len(self.posed))  # fmt: skip


def _numbers(words: list[str]) -> _Numbers | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None


def _problem(
    words: list[str], numbers: _Numbers | None, classes: int, keypoints: int
) -> tuple[str, JsonObject] | None:
    if numbers is None or not np.isfinite(numbers).all():
        return "it holds something else than numbers", {}
    label, places = numbers[0], numbers[1:]
    if len(places) < 4:
        return "a box is class cx cy w h; here are {count} numbers", {"count": len(words)}
    if label != int(label) or not 0 <= label < classes:
        return "there is no class {label}; the classes are 0 to {last}", {
            "label": words[0],
            "last": classes - 1,
        }
    if keypoints and len(places) > 5:
        if len(places) not in (4 + keypoints, 5 + keypoints):
            return "kpt_shape wants class cx cy w h and {more} numbers; here are {count}", {
                "more": keypoints,
                "count": len(words),
            }
        places = places[:4] + places[4 + keypoints :]
    if len(places) > 5 and len(places) % 2:
        return "an outline is class x y x y x y ...; here are {count} numbers", {
            "count": len(words)
        }
    outside = [one for one in places if not BELOW <= one <= ABOVE]
    if outside:
        return "{value} lies outside 0 to 1", {"value": f"{outside[0]:g}"}
    if len(places) <= 5 and (places[2] <= 0 or places[3] <= 0):
        return "the box has no area", {}
    if len(places) > 5 and (np.ptp(places[0::2]) == 0 or np.ptp(places[1::2]) == 0):
        return "the outline has no area", {}
    return None


def _shape(numbers: _Numbers, item: Item) -> Shape:
    label, places = int(numbers[0]), numbers[1:]
    if len(places) > 5:
        points = np.array(places).reshape(-1, 2).clip(0, 1) * (item.width, item.height)
        return Shape(label, outlines=(points,))
    # The fifth number is a prediction's, how sure it is.
    confidence = min(max(places[4], 0.0), 1.0) if len(places) == 5 else None
    x, y, width, height = places[:4]
    sides = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    left, top, right, bottom = (_rounded(one) for one in sides)
    box = (left * item.width, top * item.height, right * item.width, bottom * item.height)
    return Shape(label, box, confidence=confidence)


def _rounded(side: float) -> float:
    """At the edge, where rounding alone has put it beyond; what reaches out is told later."""
    return min(max(side, 0.0), 1.0) if BELOW <= side <= ABOVE else side


class YoloWriter:
    """`labels/<split>/<name>.txt`, and pictures beside where they are given."""

    def __init__(self, target: Path, classes: tuple[str, ...], kind: str) -> None:
        self.target, self.kind = target, kind
        self.shift = 1 if kind == "segmentation" and classes[:1] == (BACKGROUND,) else 0
        self.classes = classes[self.shift :]

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        if item.shapes is None and item.mask_pixels is None:
            return [t("nobody has annotated it; YOLO would call it background")]
        name = placed(item)
        lines, lost = [], []
        for shape in item.shapes or []:
            line, problem = self._line(shape, item)
            lines += line
            lost += problem
        if lost and not lines:
            return sorted({*lost, t("nothing of it can be written; YOLO would call it background")})
        put_image(source, self.target / "images" / split / name)
        # By the rule that finds it again: names may have folders called images in them.
        file = self.target / data_yaml.label_file(f"images/{split}/{name}")
        write_whole(file, "".join(f"{line}\n" for line in lines))
        return sorted(set(lost))

    def _line(self, shape: Shape, item: Item) -> tuple[list[str], list[str]]:
        lost = [t("a crowd is left out")] if shape.crowd else []
        label = shape.label - self.shift
        if shape.crowd or label < 0:
            return [], lost
        size = np.array([item.width, item.height], np.float64)
        end = [] if shape.confidence is None else [shape.confidence]
        if self.kind == "segmentation":
            outlines = shape.outlines or to_outlines(shape)
            several = [np.clip(points / size, 0, 1) for points in outlines]
            whole = [one for one in several if len(one) > 2 and np.ptp(one, 0).all()]
            rows = [one.flatten().tolist() for one in whole]
            if len(several) > 1:
                lost.append(t("a shape of several parts becomes several shapes"))
            if end:
                lost.append(t("confidences of outlines are left out"))
        else:
            rows = [[*one, *end] for one in _box_rows(shape, size)]
            if shape.outlines or shape.rle:
                lost.append(t("outlines become boxes"))
        if not rows:
            lost.append(t("a shape of which nothing lies in the picture is left out"))
        if shape.attributes:
            lost.append(t("attributes are left out: {names}", names=", ".join(shape.attributes)))
        return [" ".join([str(label), *(f"{one:.10g}" for one in row)]) for row in rows], lost

    def close(self) -> None:
        names = "".join(f"  {n}: {_quoted(name)}\n" for n, name in enumerate(self.classes))
        there = [one for one in SPLITS if (self.target / "labels" / one).is_dir()
                 or (self.target / "images" / one).is_dir()]  # fmt: skip
        # Ultralytics wants train and val, whatever there is.
        places = {"train": "train", "val": "val" if "val" in there else "train"}
        places |= {"test": "test"} if "test" in there else {}
        if (self.target / "images").is_dir():
            (self.target / "images" / "train").mkdir(exist_ok=True)
        told = "".join(f"{split}: images/{place}\n" for split, place in places.items())
        text = f"{told}nc: {len(self.classes)}\nnames:\n{names}"
        write_whole(self.target / "data.yaml", text)


def _box_rows(shape: Shape, size: NDArray[np.float64]) -> list[_Numbers]:
    """Centre and size of what lies in the picture, 0 to 1: a reader refuses all else."""
    box = np.array(shape.bounds(), np.float64).reshape(2, 2)
    low, high = np.clip(box / size, 0, 1)
    if (high <= low).any():
        return []
    return [[*((low + high) / 2).tolist(), *(high - low).tolist()]]


def _quoted(name: str) -> str:
    return str(yaml.safe_dump(name, allow_unicode=True, default_style='"', width=10**9)).strip()
