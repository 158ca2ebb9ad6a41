"""Pascal VOC: `JPEGImages/`, `Annotations/*.xml`, `ImageSets/Main/{train,val}.txt`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.reading.files import measure, number, read_text, with_suffix_of_image
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.split_names import SPLITS
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.i18n import t

FLAGS = ("difficult", "truncated", "occluded")
_FLAG = re.compile(r"\s+-?[01]$")
"""What ends a line of a class's own set: whether the picture holds it. Names may hold spaces."""
CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LabelledItem = tuple[Item, list[tuple[str, Shape]] | None]


@register.format(
    "voc",
    files="JPEGImages/*, Annotations/*.xml, ImageSets/Main/{train,val}.txt",
    flat=True,
    kinds={"detection"},
    holds={"boxes", "confidence", "attributes"},
    zh="每张图片一个 XML 文件，按名称给出各个框。",
)
class Voc:
    """An XML file for each picture, with its boxes by name."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether both folders are there."""
        return folder.has_folder("Annotations") and folder.has_folder("JPEGImages")

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every picture of the sets; the classes are the names, sorted."""
        walk = Walk(path)
        sets = {split: _set(path, split) for split in SPLITS}
        known = {one for several in sets.values() for one in several or []}
        if sets["train"] is None:
            stems = sorted(Path(os.fsdecode(one)).stem for one in
                           walk.images(path / "JPEGImages"))  # fmt: skip
            sets["train"] = [one for one in stems if one not in known]
        drawn = {
            split: list(_drawn(walk, split, stems, faults))
            for split, stems in sets.items()
            if stems is not None
        }
        names = {name for several in drawn.values() for _, shapes in several
                 for name, _ in shapes or []}  # fmt: skip
        classes = _order(path, names)
        found = {split: [_named(one, classes) for one in several]
                 for split, several in drawn.items()}  # fmt: skip
        return Content(
            path,
            "voc",
            "detection",
            classes,
            found["train"],
            found.get("val"),
            test=found.get("test"),
        )

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """Boxes only."""
        return VocWriter(target, classes)


def _order(path: Path, names: set[str]) -> tuple[str, ...]:
    """As a classes.txt says where it names them all; else sorted."""
    file = path / "classes.txt"
    if file.is_file():
        listed = [line.strip() for line in read_text(file).splitlines() if line.strip()]
        if names <= set(listed):
            return tuple(dict.fromkeys(listed))
    return tuple(sorted(names))


def _set(path: Path, split: str) -> list[str] | None:
    file = path / "ImageSets" / "Main" / f"{split}.txt"
    if not file.is_file():
        return None
    return [_FLAG.sub("", line.strip()) for line in read_text(file).splitlines()]


def _drawn(walk: Walk, split: str, stems: list[str], faults: Faults) -> Iterator[_LabelledItem]:
    path = walk.root
    for line, stem in enumerate(stems, 1):
        if not stem:
            continue
        where = f"ImageSets/Main/{split}.txt"
        if "/" in stem or "\\" in stem or stem.startswith("."):
            faults.add(where, line, "{name} is no name of a picture", name=stem)
            continue
        image = with_suffix_of_image(path / "JPEGImages", stem)
        if image is None:
            faults.add(where, line, "the picture {file} is not there", file=stem)
            continue
        walk.check(image)
        item = Item(os.fsencode(os.path.relpath(image, path)))
        if not measure(path, item, faults):
            continue
        file = path / "Annotations" / f"{stem}.xml"
        walk.check(file)
        yield item, _shapes(file, item, faults) if file.is_file() else None


def _named(drawn: _LabelledItem, classes: tuple[str, ...]) -> Item:
    item, shapes = drawn
    if shapes is not None:
        item.shapes = []
        for name, shape in shapes:
            shape.label = classes.index(name)
            item.shapes.append(shape)
    return item


def _shapes(file: Path, item: Item, faults: Faults) -> list[tuple[str, Shape]]:
    name = f"Annotations/{file.name}"
    try:
        root = fromstring(file.read_bytes(), forbid_dtd=True)
    except DefusedXmlException:
        faults.add(name, 0, "it declares entities or a document type, which are never read")
        return []
    except (ParseError, OSError, ValueError, LookupError) as error:
        faults.add(name, 0, "it is no XML: {reason}", reason=str(error)[:120])
        return []
    found = []
    for place, one in enumerate(root.iter("object"), 1):
        shape = _shape(one, item)
        if isinstance(shape, str):
            faults.add(name, 0, "object {place}: {problem}", place=place, problem=t(shape))
        else:
            found.append(shape)
    return found


def _shape(one: Element, item: Item) -> tuple[str, Shape] | str:
    name = (one.findtext("name") or "").strip()
    if not name:
        return "it has no name"
    box = one.find("bndbox")
    if box is None:
        return "it has no box"
    corners = [number((box.findtext(part) or "").strip()) for part in CORNERS]
    if any(part is None for part in corners):
        return "its box is not four numbers"
    left, top, right, bottom = (part for part in corners if part is not None)
    if right <= left or bottom <= top:
        return "its box has no area"
    if right <= 0 or bottom <= 0 or left > item.width or top > item.height:
        return "its box lies outside the picture"
    shape = Shape(-1, (left, top, right, bottom))
    shape.confidence = number((one.findtext("confidence") or "").strip() or None)
    for flag in FLAGS:
        if (one.findtext(flag) or "0").strip() not in ("", "0"):
            shape.attributes[flag] = True
    pose = (one.findtext("pose") or "").strip()
    if pose and pose != "Unspecified":
        shape.attributes["pose"] = pose
    return name, shape


class VocWriter:
    """`Annotations/<stem>.xml`; the sets and classes.txt in `close`."""

    def __init__(self, target: Path, classes: tuple[str, ...]) -> None:
        self.target, self.classes = target, classes
        self.sets = {
            split: dict.fromkeys(one for one in _set(target, split) or [] if one)
            for split in SPLITS
        }

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item, source).replace("/", "__")  # its folders are flat
        put_image(source, self.target / "JPEGImages" / name)
        lost: set[str] = set()
        root = Element("annotation")
        SubElement(root, "folder").text = "JPEGImages"
        SubElement(root, "filename").text = name if source is not None else item.name
        size = SubElement(root, "size")
        for part, value in (("width", item.width), ("height", item.height), ("depth", 3)):
            SubElement(size, part).text = str(value)
        for shape in item.shapes or []:
            lost |= _write(root, shape, self.classes)
        stem = Path(name).stem
        if item.shapes is not None:
            indent(root)
            file = self.target / "Annotations" / f"{stem}.xml"
            write_whole(file, tostring(root, encoding="unicode") + "\n")
        if stem not in self.sets[split]:
            self.sets[split][stem] = None
            file = self.target / "ImageSets" / "Main" / f"{split}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="utf-8") as out:
                out.write(f"{stem}\n")
        return sorted(lost)

    def close(self) -> None:
        for split, stems in self.sets.items():
            if stems or split == "train":
                text = "".join(f"{stem}\n" for stem in stems)
                write_whole(self.target / "ImageSets" / "Main" / f"{split}.txt", text)
        write_whole(self.target / "classes.txt", "".join(f"{one}\n" for one in self.classes))


def _write(root: Element, shape: Shape, classes: tuple[str, ...]) -> set[str]:
    if shape.crowd:
        return {t("a crowd is left out")}
    one = SubElement(root, "object")
    SubElement(one, "name").text = classes[shape.label]
    if "pose" in shape.attributes:
        SubElement(one, "pose").text = str(shape.attributes["pose"])
    for flag in FLAGS:
        if flag in shape.attributes:
            SubElement(one, flag).text = "1" if shape.attributes[flag] else "0"
    if shape.confidence is not None:
        SubElement(one, "confidence").text = repr(float(shape.confidence))
    box = SubElement(one, "bndbox")
    for part, value in zip(CORNERS, shape.bounds(), strict=True):
        SubElement(box, part).text = f"{value:.10g}"
    lost = set()
    if shape.outlines or shape.rle is not None:
        lost.add(t("outlines become boxes"))
    rest = [key for key in shape.attributes if key not in (*FLAGS, "pose")]
    if rest:
        lost.add(t("attributes are left out: {names}", names=", ".join(rest)))
    return lost
