"""Writes VOC's masks: palette PNGs in VOC's colours, the sets, and CVAT's labelmap.txt."""

from __future__ import annotations

import io
import re
from pathlib import Path

from PIL import Image

from tandem.data.content import Item
from tandem.data.formats.segmentation import masked
from tandem.data.formats.voc.written_sets import WrittenSets
from tandem.data.formats.voc_segmentation.colours import LABELMAP, Labelmap, voc_palette
from tandem.data.masks import check_mask_classes
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.errors import DataError

IMAGES, MASKS, SETS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"
_BREAKS = re.compile(r"[\x00-\x1f\x7f]")


class VocMaskWriter:
    """`SegmentationClass/<stem>.png`; the sets and labelmap.txt in `close`."""

    def __init__(self, target: Path, labelmap: Labelmap) -> None:
        check_mask_classes(labelmap.classes)
        for name in labelmap.classes:
            if _BREAKS.search(name) or name != name.strip() or name.startswith("#") or not name:
                raise DataError(
                    "The class {name!r} cannot be written: labelmap.txt has one name a line.",
                    name=name,
                    fix="Rename it.",
                )
        self.target, self.labelmap = target, labelmap
        self.sets = WrittenSets(target / SETS)

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        # Its folders are flat, and a set is lines.
        name = _BREAKS.sub("_", placed(item).replace("/", "__"))
        stem = Path(name).stem
        put_image(source, self.target / IMAGES / name)
        mask, lost = masked(item, source)
        if mask is not None:
            image = Image.fromarray(mask)
            image.putpalette(voc_palette())
            hidden = io.BytesIO()
            image.save(hidden, "PNG")
            write_whole(self.target / MASKS / f"{stem}.png", hidden.getvalue())
        self.sets.add(split, stem)
        return lost

    def close(self) -> None:
        for folder in (IMAGES, MASKS):
            (self.target / folder).mkdir(parents=True, exist_ok=True)  # by which it is recognised
        self.sets.close()
        lines = ["# label:color_rgb:parts:actions"]
        for name, colour in zip(self.labelmap.classes, self.labelmap.colours, strict=True):
            lines.append(f"{name}:{','.join(map(str, colour))}::")
        write_whole(self.target / LABELMAP, "".join(f"{one}\n" for one in lines))
