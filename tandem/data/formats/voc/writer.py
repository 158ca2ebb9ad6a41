"""Writes VOC: a file of XML for each picture, and the sets."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tandem.data.content import Item, Shape
from tandem.data.formats.voc.objects import CORNERS, FLAGS
from tandem.data.formats.voc.places import SETS
from tandem.data.formats.voc.written_sets import WrittenSets
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 may hold."""
_BREAKS = re.compile(r"[\x00-\x1f\x7f]")


class VocWriter:
    """`Annotations/<stem>.xml`; the sets and classes.txt in `close`."""

    def __init__(self, target: Path, classes: tuple[str, ...]) -> None:
        for name in classes:
            if _ILLEGAL.search(name):
                raise DataError(
                    "The class {name!r} cannot be written: XML cannot hold its letters.",
                    name=name,
                    fix="Rename it.",
                )
        self.target, self.classes = target, classes
        self.sets = WrittenSets(target / SETS)

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        # Its folders are flat, and a set is lines.
        name = _BREAKS.sub("_", placed(item).replace("/", "__"))
        put_image(source, self.target / "JPEGImages" / name)
        lost: set[str] = set()
        root = Element("annotation")
        SubElement(root, "folder").text = "JPEGImages"
        shown = name if source is not None else item.name
        SubElement(root, "filename").text = _ILLEGAL.sub("\ufffd", shown)
        size = SubElement(root, "size")
        for part, value in (("width", item.width), ("height", item.height), ("depth", 3)):
            SubElement(size, part).text = str(value)
        for shape in item.shapes or []:
            lost |= _write(root, shape, self.classes)
        stem = Path(name).stem
        # Of a picture that only a crowd is in, nothing is said: it is no background.
        if item.shapes is not None and (root.find("object") is not None or not item.shapes):
            indent(root)
            file = self.target / "Annotations" / f"{stem}.xml"
            write_whole(file, tostring(root, encoding="unicode") + "\n")
        self.sets.add(split, stem)
        return sorted(lost)

    def close(self) -> None:
        self.sets.close()
        write_whole(self.target / "classes.txt", "".join(f"{one}\n" for one in self.classes))


def _write(root: Element, shape: Shape, classes: tuple[str, ...]) -> set[str]:
    if shape.crowd:
        return {t("a crowd is left out")}
    one = SubElement(root, "object")
    SubElement(one, "name").text = classes[shape.label]
    if "pose" in shape.attributes:
        SubElement(one, "pose").text = _ILLEGAL.sub("\ufffd", str(shape.attributes["pose"]))
    for flag in FLAGS:
        if flag in shape.attributes:
            SubElement(one, flag).text = "1" if shape.attributes[flag] else "0"
    if shape.confidence is not None:
        SubElement(one, "confidence").text = repr(float(shape.confidence))
    box = SubElement(one, "bndbox")
    for part, side in zip(CORNERS, shape.bounds(), strict=True):
        SubElement(box, part).text = f"{side:.10g}"
    lost = set()
    if shape.outlines or shape.rle is not None:
        lost.add(t("outlines become boxes"))
    rest = {key: value for key, value in shape.attributes.items() if key not in (*FLAGS, "pose")}
    plain: dict[str, str] = {key: value for key, value in rest.items() if isinstance(value, str)
             and key.strip() == key != "rotation" and value.strip() == value
             and not _ILLEGAL.search(key + value)}  # fmt: skip
    if plain:
        several = SubElement(one, "attributes")
        for key, said in plain.items():
            beside = SubElement(several, "attribute")
            SubElement(beside, "name").text = key
            SubElement(beside, "value").text = said
    if len(plain) < len(rest):
        names = ", ".join(key for key in rest if key not in plain)
        lost.add(t("attributes are left out: {names}", names=names))
    return lost
