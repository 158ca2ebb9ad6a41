"""One XML file of VOC: its objects as shapes."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from tandem.data.content import Box, Item, Shape
from tandem.data.faults import Faults
from tandem.data.reading.encodings import SHOWN, decoded
from tandem.data.reading.files import number
from tandem.data.reading.turned import is_outside, turned_box
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

FLAGS = ("difficult", "truncated", "occluded")
CORNERS = ("xmin", "ymin", "xmax", "ymax")
NOT_SET = ("", "0", "false", "no", "unspecified")
_DECLARED = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]{1,40})"
)
CODECS = {
    **dict.fromkeys(("gbk", "gb2312", "gb18030", "cp936"), "gb18030"),
    "big5": "big5",
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "cp932"), "cp932"),
    "euc-jp": "euc_jp",
    **dict.fromkeys(("euc-kr", "cp949"), "cp949"),
}
"""Encodings of more than a byte a letter, which the parser does not know."""
PARTS = ("polygon", "segmentation", "part", "mask")
"""What an object may hold beside its box."""


@dataclass(frozen=True)
class ParsedXml:
    """What one file says of its picture."""

    image: str
    """The file name in it; empty: none."""
    size: tuple[object, object]
    """Width and height, as they stand there."""
    objects: list[Element]


@dataclass
class LeftOut:
    """What of the objects is not read, told once for all files."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, file: str) -> None:
        """Count one, and remember the first file."""
        self.counts[what] += 1
        self.first.setdefault(what, file)

    def tell(self, faults: Faults) -> None:
        """A warning for each sort."""
        for what, count in self.counts.items():
            faults.add(self.first[what], 0, "an object has a {what} beside its box, which is not "
                       "read; so with {count} in all", warning=True, what=what,
                       count=count)  # fmt: skip


def parsed(root: Path, file: Path, faults: Faults) -> ParsedXml:
    """DataError for what is no XML of VOC, in no encoding that is known, or hostile."""
    try:
        raw = file.read_bytes()
        told = fromstring(_text(raw, os.path.relpath(file, root), faults), forbid_dtd=True)
    except DefusedXmlException as error:
        raise DataError("it declares entities or a document type, which are never read") from error
    except (ParseError, OSError, ValueError, LookupError) as error:
        raise DataError("it is no XML: {reason}", reason=str(error)[:120]) from error
    if told.tag != "annotation":
        raise DataError("it is no annotation of VOC")
    size = (told.findtext("size/width"), told.findtext("size/height"))
    return ParsedXml((told.findtext("filename") or "").strip(), size, list(told.iter("object")))


def _text(raw: bytes, name: str, faults: Faults) -> str | bytes:
    """As the parser takes it: bytes in what it knows, else the text."""
    declared = _DECLARED.match(raw)
    encoding = declared[1].decode().lower() if declared else "utf-8"
    if encoding in CODECS:
        return raw.decode(CODECS[encoding])
    if encoding not in ("utf-8", "utf8", "ascii", "us-ascii"):
        return raw
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        text, found = decoded(raw)
        if found in SHOWN:
            faults.add(name, 0, "it is not UTF-8; it was read as {encoding}", warning=True,
                       encoding=SHOWN[found])  # fmt: skip
        return text
    return raw


def shapes(
    objects: list[Element], item: Item, name: str, faults: Faults, left_out: LeftOut
) -> list[tuple[str, Shape]]:
    """The shapes with their classes' names; what is wrong is told, and the item is faulty then."""
    found: list[tuple[str, Shape]] = []
    seen: dict[object, int] = {}
    for place, one in enumerate(objects, 1):
        shape = _shape(one, item)
        if isinstance(shape, str):
            faults.add(name, 0, "object {place}: {problem}", place=place, problem=t(shape))
            item.faulty = True
            continue
        for part in PARTS:
            if one.find(part) is not None:
                left_out.add(part, name)
        first = seen.setdefault((shape[0], shape[1].key()), place)
        if first != place:
            faults.add(name, 0, "object {place} is the same as object {first} and is read once",
                       warning=True, place=place, first=first)  # fmt: skip
            continue
        found.append(shape)
    return found


def _shape(one: Element, item: Item) -> tuple[str, Shape] | str:
    name = (one.findtext("name") or "").strip()
    if not name:
        return "it has no name"
    box = one.find("bndbox")
    if box is None:
        if one.find("robndbox") is not None:
            return "its box is turned (robndbox), and such boxes are not read"
        return "it has no box"
    corners = [number((box.findtext(part) or "").strip()) for part in CORNERS]
    left, top, right, bottom = corners
    if left is None or top is None or right is None or bottom is None:
        return "its box is not four numbers"
    if right <= left or bottom <= top:
        return "its box has no area"
    shape = Shape(-1, (left, top, right, bottom))
    problem = _attributes(one, shape, (left, top, right, bottom))
    if problem is not None:
        return problem
    if is_outside(shape.bounds(), item.width, item.height):
        return "its box lies outside the picture"
    shape.confidence = number((one.findtext("confidence") or "").strip() or None)
    return name, shape


def _attributes(one: Element, shape: Shape, box: Box) -> str | None:
    """Flags, the pose, and CVAT's list, in which a box may be turned; what is wrong, else None."""
    for flag in FLAGS:
        if (one.findtext(flag) or "").strip().lower() not in NOT_SET:
            shape.attributes[flag] = True
    pose = (one.findtext("pose") or "").strip()
    if pose and pose != "Unspecified":
        shape.attributes["pose"] = pose
    for said in one.findall("attributes/attribute"):
        key, value = (said.findtext("name") or "").strip(), (said.findtext("value") or "").strip()
        if key == "rotation":
            degrees = number(value)
            if degrees is None:
                return "its rotation is no number"
            points = turned_box(box, degrees)
            if points is not None:
                shape.outlines, shape.box = (points,), None
        elif key and key not in shape.attributes:
            shape.attributes[key] = value
    return None
