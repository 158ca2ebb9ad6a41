"""`images/{train,val}/*` and `masks/{train,val}/*.png` of the same stem; `classes.txt`."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.images import MASK_FORMATS
from tandem.data.masks import class_mask
from tandem.data.reading.files import measure
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif")


@register.format(
    "segmentation",
    files="images/{train,val}/*, masks/{train,val}/*.png, classes.txt",
    kinds={"segmentation"},
    holds={"masks"},
    zh="图片及其掩膜；掩膜每像素一个字节，即该像素的类别。",
)
class MaskFolder:
    """Pictures, and a mask of each with one byte a pixel: its class."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there are pictures and masks."""
        both = folder.has_folder("images") and folder.has_folder("masks")
        return both and not folder.has_file("data.yaml")

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every picture with its mask; one without a mask has not been looked at."""
        classes = _classes(path)
        walk = Walk(path)
        split = [name for name in ("train", "val") if (path / "images" / name).is_dir()]
        found = {name: _split(walk, path, name, faults) for name in (split or [""])}
        train = found.get("train", found.get("", []))
        return Content(path, "segmentation", "segmentation", classes, train, found.get("val"))

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """A mask of each picture."""
        return MaskWriter(target, classes)


def _classes(path: Path) -> tuple[str, ...]:
    file = path / "classes.txt"
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            "{file} is missing or not readable: it names the classes of the masks.",
            file=file,
            fix="Write one name a line, from value 0.",
        ) from error
    return tuple(line.strip() for line in lines if line.strip())


def _split(walk: Walk, root: Path, split: str, faults: Faults) -> list[Item]:
    by_stem = {
        Path(os.fsdecode(one)).stem: one
        for one in walk.images(root / "masks" / split)
        if Path(os.fsdecode(one)).suffix.lower() in MASK_SUFFIXES
    }
    items = []
    for image in walk.images(root / "images" / split):
        item = Item(image, mask=by_stem.pop(Path(os.fsdecode(image)).stem, None))
        if measure(root, item, faults):
            items.append(item)
    for mask in by_stem.values():
        faults.add(os.fsdecode(mask), 0, "there is no picture of this mask", warning=True)
    return items


class MaskWriter:
    """`masks/<split>/<stem>.png`, and the pictures beside where they are given."""

    def __init__(self, target: Path, classes: tuple[str, ...]) -> None:
        self.target, self.classes = target, classes

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item, source)
        put_image(source, self.target / "images" / split / name)
        lost = []
        if item.mask_pixels is not None:
            mask = item.mask_pixels
        elif item.mask is not None:
            mask = None
            if source is not None:  # beside its picture lies the data set that it is from
                mask = _read_mask(_root_of(source, item) / os.fsdecode(item.mask))
        elif item.shapes is not None:
            mask = class_mask(item, item.height, item.width, offset=0)
            lost.append(t("shapes of one class that touch become one"))
        else:
            return []
        if mask is None:
            return [t("its mask is not there")]
        hidden = io.BytesIO()
        Image.fromarray(mask).save(hidden, "PNG")
        file = self.target / "masks" / split / Path(name).with_suffix(".png")
        write_whole(file, hidden.getvalue())
        return lost

    def close(self) -> None:
        write_whole(self.target / "classes.txt", "".join(f"{one}\n" for one in self.classes))


def _root_of(source: Path, item: Item) -> Path:
    parts = len(Path(item.name).parts)
    return source.parents[parts - 1]


def _read_mask(file: Path) -> NDArray[np.uint8]:
    with Image.open(file, formats=MASK_FORMATS) as image:
        return np.array(image)
