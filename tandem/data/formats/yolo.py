"""`images/{train,val}/*`, `labels/{train,val}/*.txt`, `data.yaml` (Ultralytics' layout)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from tandem.data.content import BACKGROUND, Content, Item, Shape
from tandem.data.faults import Fault, Faults
from tandem.data.masks import to_outlines
from tandem.data.reading import data_yaml
from tandem.data.reading.files import JsonObject, measure, read_text
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

MOST_CLASSES = 100_000
BELOW, ABOVE = -1e-6, 1 + 1e-6
"""What rounding to six digits may leave outside 0 to 1."""
_Numbers = list[float]


@register.format(
    "yolo",
    files="images/{train,val}/*, labels/{train,val}/*.txt, data.yaml",
    kinds={"detection", "segmentation"},
    holds={"boxes", "outlines", "confidence"},
    zh="每张图片一个文本文件，每个框或轮廓一行：先是类别，再是 0 到 1 的坐标。",
)
class Yolo:
    """A text file for each picture, a line for each box or outline: class, then 0 to 1."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there is a data.yaml, or labels beside images."""
        both = folder.has_folder("images") and folder.has_folder("labels")
        return data_yaml.find(folder.root) is not None or (both and not folder.has_folder("masks"))

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every picture with its lines; no label file, or an empty one: background."""
        notes: list[str] = []
        told = data_yaml.read(path)
        classes = _classes(path, told, faults, notes)
        walk = Walk(path)
        found = {}
        seen: set[Path] = set()
        for split, sources in data_yaml.sources(path, told, notes).items():
            found[split] = list(_items(walk, sources, len(classes), faults, seen))
        _check_alone(path, seen, faults)
        if not found:
            raise DataError("The data set {path} has no folder images/train.", path=path,
                            fix="Put pictures into {path}/images/train/.")  # fmt: skip
        items = [one for several in found.values() for one in several]
        masks = kind == "segmentation"
        if masks:
            classes = with_background(classes, items)
        return Content(path, "yolo", "segmentation" if masks else "detection", classes,
                       found.get("train", []), found.get("val"), tuple(notes))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:
        """Boxes for detection, polygons for segmentation."""
        return YoloWriter(target, classes, kind)


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
        keys = sorted(int(key) for key in names if str(key).isdecimal())
        if keys != list(range(len(names))):
            faults.add(file, 0, "names must be numbered from 0 on without a gap")
        names = [names.get(key, names.get(str(key))) for key in keys]
    if isinstance(names, list):
        classes = tuple(str(one) for one in names)
    elif (path / "classes.txt").is_file():
        lines = read_text(path / "classes.txt").splitlines()
        classes = tuple(line.strip() for line in lines if line.strip())
    else:
        classes = _counted(path, told)
        notes.append(t("There are no names of classes; they are called by their numbers."))
    count = told.get("nc")
    if isinstance(count, int) and count != len(classes):
        faults.add(file, 0, "nc is {nc}, but names has {names}", nc=count, names=len(classes))
    if len(set(classes)) != len(classes):
        faults.add(file, 0, "a class is named twice")
    return classes


def _counted(path: Path, told: JsonObject) -> tuple[str, ...]:
    count = told.get("nc")
    if isinstance(count, int):
        return _numbered(count)
    highest = -1
    for file in (path / "labels").rglob("*.txt"):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            first = line.split(maxsplit=1)[:1]
            if first and first[0].isdecimal():
                highest = max(highest, int(first[0]))
    return _numbered(highest + 1)


def _numbered(count: int) -> tuple[str, ...]:
    if not 0 <= count <= MOST_CLASSES:
        raise DataError("There cannot be {count} classes.", count=count, fix="Mend data.yaml.")
    return tuple(str(one) for one in range(count))


def _items(
    walk: Walk, sources: list[Path], classes: int, faults: Faults, seen: set[Path]
) -> Iterator[Item]:
    for image in dict.fromkeys(data_yaml.images(walk, sources, faults)):
        item = Item(image, shapes=[])
        file = walk.root / data_yaml.label_file(os.fsdecode(image))
        seen.add(file)
        if not measure(walk.root, item, faults):
            continue
        if file.is_file():
            walk.check(file)
            item.shapes = list(_shapes(walk.root, file, item, classes, faults))
        yield item


def _check_alone(root: Path, seen: set[Path], faults: Faults) -> None:
    """Label files without a picture, in the folders where labels are."""
    for folder in sorted({file.parent for file in seen}):
        for file in sorted(folder.glob("*.txt")) if "labels" in folder.parts else []:
            if file not in seen and file.name != "classes.txt":
                name = os.path.relpath(file, root)
                faults.add(name, 0, "there is no picture of this label file", warning=True)


def _shapes(root: Path, file: Path, item: Item, classes: int, faults: Faults) -> Iterator[Shape]:
    name = os.path.relpath(file, root)
    try:
        text = read_text(file)
    except DataError as error:
        faults.add(name, 0, "{reason}", reason=error.sentence())
        return
    for line, words in enumerate((one.split() for one in text.splitlines()), 1):
        if not words:
            continue
        numbers = _numbers(words)
        problem = _problem(words, numbers, classes)
        if problem is not None:
            faults.keep(Fault(name, line, *problem))
            continue
        assert numbers is not None
        yield _shape(numbers, item)


def _numbers(words: list[str]) -> _Numbers | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None


def _problem(
    words: list[str], numbers: _Numbers | None, classes: int
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
    places = places[:4] if len(places) == 5 else places[: len(places) // 2 * 2]
    outside = [one for one in places if not BELOW <= one <= ABOVE]
    if outside:
        return "{value} lies outside 0 to 1", {"value": f"{outside[0]:g}"}
    if len(places) == 4 and (places[2] <= 0 or places[3] <= 0):
        return "the box has no area", {}
    if len(places) > 4 and (np.ptp(places[0::2]) == 0 or np.ptp(places[1::2]) == 0):
        return "the outline has no area", {}
    return None


def _shape(numbers: _Numbers, item: Item) -> Shape:
    label, places = int(numbers[0]), numbers[1:]
    confidence = None
    if len(places) > 4 and len(places) % 2:  # a prediction's last number
        confidence = min(max(places[-1], 0.0), 1.0)
        places = places[:-1]
    if len(places) == 4:
        x, y, width, height = places
        box = (
            max(0.0, x - width / 2) * item.width,
            max(0.0, y - height / 2) * item.height,
            min(1.0, x + width / 2) * item.width,
            min(1.0, y + height / 2) * item.height,
        )
        return Shape(label, box, confidence=confidence)
    points = np.array(places).reshape(-1, 2) * (item.width, item.height)
    return Shape(label, outlines=(points,), confidence=confidence)


class YoloWriter:
    """`labels/<split>/<name>.txt`, and pictures beside where they are given."""

    def __init__(self, target: Path, classes: tuple[str, ...], kind: str) -> None:
        self.target, self.kind = target, kind
        self.shift = 1 if kind == "segmentation" and classes[:1] == (BACKGROUND,) else 0
        self.classes = classes[self.shift :]

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        if item.shapes is None and item.mask_pixels is None:
            return [t("nobody has annotated it; YOLO would call it background")]
        name = placed(item, source)
        lines, lost = [], []
        for shape in item.shapes or []:
            line, problem = self._line(shape, item)
            lines += line
            lost += problem
        put_image(source, self.target / "images" / split / name)
        file = self.target / "labels" / split / Path(name).with_suffix(".txt")
        write_whole(file, "".join(f"{line}\n" for line in lines))
        return sorted(set(lost))

    def _line(self, shape: Shape, item: Item) -> tuple[list[str], list[str]]:
        lost = [t("a crowd is left out")] if shape.crowd else []
        label = shape.label - self.shift
        if shape.crowd or label < 0:
            return [], lost
        size = np.array([item.width, item.height], np.float64)
        if self.kind == "segmentation":
            outlines = shape.outlines or to_outlines(shape)
            several = [np.clip(points / size, 0, 1).flatten().tolist() for points in outlines]
            if len(several) > 1:
                lost.append(t("a shape of several parts becomes several shapes"))
        else:
            left, top, right, bottom = shape.bounds()
            several = [[(left + right) / 2 / size[0], (top + bottom) / 2 / size[1],
                        (right - left) / size[0], (bottom - top) / size[1]]]  # fmt: skip
            if shape.outlines or shape.rle:
                lost.append(t("outlines become boxes"))
        if shape.attributes:
            lost.append(t("attributes are left out: {names}", names=", ".join(shape.attributes)))
        end = [] if shape.confidence is None else [shape.confidence]
        return [" ".join([str(label), *(f"{one:.10g}" for one in [*numbers, *end])])
                for numbers in several], lost  # fmt: skip

    def close(self) -> None:
        names = "".join(f"  {n}: {_quoted(name)}\n" for n, name in enumerate(self.classes))
        val = "images/val" if (self.target / "labels" / "val").is_dir() else "images/train"
        text = f"train: images/train\nval: {val}\nnc: {len(self.classes)}\nnames:\n{names}"
        write_whole(self.target / "data.yaml", text)


def _quoted(name: str) -> str:
    return str(yaml.safe_dump(name, allow_unicode=True, default_style='"', width=10**9)).strip()
