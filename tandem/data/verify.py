"""What has to hold of a data set in whatever layout: looked at once, after its reader.

`registry.read` calls it, so that check, convert, split, train, annotate and the service all stop
at the same errors, and tell the same warnings.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tandem.data.content import IGNORED, Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.outlines import clipped
from tandem.data.progress import OnProgress
from tandem.data.reading.file_names import tell_alike, tell_alike_classes
from tandem.data.reading.turned import is_outside
from tandem.data.verification.masks import verify_masks
from tandem.data.verification.support import verify_support

BEYOND = 1e-6
"""The part of the picture's side: what rounding to six digits may leave outside."""


def verify(
    content: Content, faults: Faults, *, masks: bool = True, progress: OnProgress | None = None
) -> None:
    """Tell what is wrong, and put right what has one right reading: items are changed in place.

    A shape that reaches out of its picture is cut at the edge and told; one of which nothing lies
    in the picture is taken out, and told; the second of two equal shapes likewise. An item of
    whose label nothing is left is unlabelled. Every mask's file is opened, unless `masks` is
    False, for pages that only list; `progress` hears how many are done.
    """
    tell_alike(content, faults)
    tell_alike_classes(content.classes, faults)
    if content.kind == "segmentation" and len(content.classes) > IGNORED:
        faults.add("classes", 0, "there are {count} classes, and a mask has {most} at the most: "
                   "they can be neither learnt nor written as masks", warning=True,
                   count=len(content.classes), most=IGNORED)  # fmt: skip
    for _, items in content.splits():
        for item in items:
            if item.shapes:
                _cut_at_edges(item, faults)
                _drop_doubles(item, faults)
                if content.kind == "segmentation":
                    _tell_boxes(item, faults)
            if item.faulty and not item.shapes:
                item.shapes = None  # nobody knows what is in it
    if masks:
        verify_masks(content, faults, progress)
    verify_support(content, faults)
    if not any(items for _, items in content.splits()) and not faults.errors:
        faults.add(content.root.name, 0, "it holds nothing to learn from")


def _cut_at_edges(item: Item, faults: Faults) -> None:
    if not item.width or not item.height:
        return
    kept = []
    for shape in item.shapes or []:
        left, top, right, bottom = shape.bounds()
        wide, high = item.width * (1 + BEYOND), item.height * (1 + BEYOND)
        if left >= -wide + item.width and top >= -high + item.height and right <= wide \
                and bottom <= high:  # fmt: skip
            kept.append(shape)
            continue
        shown = f"{left:g} {top:g} {right:g} {bottom:g}"
        if is_outside((left, top, right, bottom), item.width, item.height):
            faults.add(item.name, item.line, "the box {box} lies outside the picture of {width} x "
                       "{height} and is left out", warning=True, box=shown, width=item.width,
                       height=item.height)  # fmt: skip
            continue
        faults.add(item.name, item.line, "the box {box} reaches out of the picture of {width} x "
                   "{height} and is cut at its edge", warning=True, box=shown, width=item.width,
                   height=item.height)  # fmt: skip
        part = _cut(shape, item)
        if not shape.outlines or part.outlines:  # else only the box around it touches the picture
            kept.append(part)
    if not kept:
        item.faulty = True
    item.shapes = kept


def _cut(shape: Shape, item: Item) -> Shape:
    box = shape.box
    if box is not None:
        left, top, right, bottom = box
        box = (max(0.0, left), max(0.0, top), min(float(item.width), right),
               min(float(item.height), bottom))  # fmt: skip
    cut = (clipped(points, item.width, item.height) for points in shape.outlines)
    return replace(shape, box=box, outlines=tuple(points for points in cut if len(points)))


def _tell_boxes(item: Item, faults: Faults) -> None:
    count = sum(not one.outlines and one.rle is None for one in item.shapes or [])
    if count:
        faults.add(item.name, item.line, "{count} shapes are boxes without an outline: all of each "
                   "box is read as the thing", warning=True, count=count)  # fmt: skip


def _drop_doubles(item: Item, faults: Faults) -> None:
    seen: Counter[object] = Counter(one.key() for one in item.shapes or [])
    if len(seen) == len(item.shapes or []):
        return
    kept: dict[object, Shape] = {}
    for shape in item.shapes or []:
        kept.setdefault(shape.key(), shape)
    doubled = sum(seen.values()) - len(seen)
    faults.add(item.name, item.line, "{count} shapes are there twice and are read once",
               warning=True, count=doubled)  # fmt: skip
    item.shapes = list(kept.values())
