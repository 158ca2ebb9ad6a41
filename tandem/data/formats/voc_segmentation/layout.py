"""`JPEGImages/*`, `SegmentationClass/*.png`, `ImageSets/Segmentation/{train,val}.txt`; CVAT's too.

What a mask's colour means stands in `labelmap.txt`, as CVAT writes it; a data set without one has
VOC's own 21 classes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.formats.voc.places import ImageAndXml, VocPlaces
from tandem.data.formats.voc_segmentation.colours import LABELMAP, Labelmap, read_labelmap
from tandem.data.formats.voc_segmentation.numbered import NumberedMasks
from tandem.data.formats.voc_segmentation.writer import IMAGES, MASKS, SETS, VocMaskWriter
from tandem.data.reading.file_names import tell_unread
from tandem.data.reading.files import measure
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register


@register.format(
    "voc_segmentation",
    files=f"{IMAGES}/*, {MASKS}/*.png, {SETS}/{{train,val,test}}.txt, {LABELMAP}",
    flat=True,
    kinds={"segmentation"},
    holds={"masks"},
    zh="VOC 与 CVAT 的彩色掩膜；labelmap.txt 写明每种颜色是哪个类别。",
    zh_more={
        "the colour {colour} of the pixel at {x}, {y} is no class of labelmap.txt":
            "坐标 {x}, {y} 处像素的颜色 {colour} 不是 labelmap.txt 中的类别",
        "the line is no name:red,green,blue": "该行不是“名称:红,绿,蓝”",
        "two classes have the colour {colour}": "两个类别的颜色都是 {colour}",
    },
)  # fmt: skip
class VocSegmentation:
    """VOC's and CVAT's masks in colours; labelmap.txt says which class each is."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether masks lie beside the pictures."""
        return folder.has_folder(IMAGES) and folder.has_folder(MASKS)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every picture of the sets; one without a mask has not been looked at."""
        notes: list[str] = []
        walk = Walk(path)
        labelmap = read_labelmap(path, faults)
        places = VocPlaces(walk, faults, notes, SETS, (MASKS,), ".png")
        sets = places.sets()
        owners = places.owners(sets)
        numbered = NumberedMasks(path, labelmap, [os.path.relpath(one, path) for one in owners])
        found = {split: list(_items(walk, pairs, numbered, faults))
                 for split, pairs in sets.items()}  # fmt: skip
        places.tell_alone(owners)
        listed = [image for pairs in sets.values() for image, _ in pairs]
        tell_unread(walk, places.image_folders, listed, faults)
        return Content(path, "voc_segmentation", "segmentation", labelmap.classes,
                       found.get("train", []), found.get("val"), tuple(notes),
                       found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """A mask of each picture, in VOC's colours."""
        return VocMaskWriter(target, Labelmap.of_classes(classes))


def _items(
    walk: Walk, pairs: list[ImageAndXml], numbered: NumberedMasks, faults: Faults
) -> Iterator[Item]:
    for image, mask in pairs:
        item = Item(image)
        walk.check(walk.root / item.name)
        if mask is not None:
            walk.check(mask)
            item.mask = numbered.of(os.path.relpath(mask, walk.root), faults)
            item.faulty = item.mask is None
        if measure(walk.root, item, faults):
            yield item
