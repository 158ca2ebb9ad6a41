"""`images/{train,val,test}/*` and `masks/{train,val,test}/*.png` of the same path; `classes.txt`.

A split's folder may also hold both: `train/images/*` and `train/masks/*.png`.
"""

from __future__ import annotations

import io
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePath

from PIL import Image

from tandem.data.content import IGNORED, Content, Item
from tandem.data.faults import Faults
from tandem.data.masks import (
    MaskPixels,
    check_mask_classes,
    overlap_and_empty,
    painted,
    read_mask,
    shape_masks,
)
from tandem.data.reading.files import measure
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.split_names import SPLITS, split_folders, split_of
from tandem.data.reading.texts import lines_of, read_label_text
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

_Folders = dict[str, list[tuple[str, str]]]
"""By split: where its pictures lie and where their masks, relative to the root."""


@register.format(
    "segmentation",
    files="images/{train,val,test}/*, masks/{train,val,test}/*.png, classes.txt",
    kinds={"segmentation"},
    holds={"masks"},
    zh="图片及其掩膜；掩膜每像素一个字节，即该像素的类别。",
)
class MaskFolder:
    """Pictures, and a mask of each with one byte a pixel: its class."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there are pictures and masks, at the top or in a split's folder."""
        splits = [one for one in folder.folders() if split_of(one) is not None]
        both = any(
            folder.has_folder(f"{one}images") and folder.has_folder(f"{one}masks")
            for one in ("", *(f"{split}/" for split in splits))
        )
        return both and not folder.has_file("data.yaml")

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every picture with its mask; one without a mask has not been looked at."""
        classes = _classes(path, faults)
        walk = Walk(path)
        found: dict[str, list[Item]] = {}
        for split, several in _folders(path, faults).items():
            found[split] = [item for images, masks in several
                            for item in _items(walk, images, masks, faults)]  # fmt: skip
        notes: tuple[str, ...] = ()
        if walk.other_files:
            notes = (t("{count} files in {path} are no pictures by their names and were left out.",
                       count=walk.other_files, path=path),)  # fmt: skip
        return Content(path, "segmentation", "segmentation", classes, found.get("train", []),
                       found.get("val"), notes, found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """A mask of each picture."""
        return MaskWriter(target, classes)


def _classes(path: Path, faults: Faults) -> tuple[str, ...]:
    """A name on each line: the first is value 0."""
    file = path / "classes.txt"
    try:
        lines = lines_of(read_label_text(path, file, faults).rstrip())
    except DataError as error:
        raise DataError(
            "{file} is missing or not readable: it names the classes of the masks.",
            file=file,
            fix="Write one name a line, from value 0.",
        ) from error
    names = [line.strip() for line in lines]
    for number, name in enumerate(names, 1):
        if not name:
            faults.add(file.name, number, "the line is empty: the values of the masks count lines")
        elif name in names[: number - 1]:
            faults.add(file.name, number, "the class {name} is named twice", name=name)
    if len(names) > IGNORED:
        faults.add(file.name, IGNORED + 1, "{count} classes are named; the values of masks end at "
                   "{last}, as {ignored} says that nobody is asked", count=len(names),
                   last=IGNORED - 1, ignored=IGNORED)  # fmt: skip
    return tuple(names)


def _folders(root: Path, faults: Faults) -> _Folders:
    """Both ways may be mixed; without a folder for a split all is train."""
    found: _Folders = defaultdict(list)
    for split, names in split_folders(root).items():
        found[split] += [(f"{one}/images", f"{one}/masks") for one in names
                         if (root / one / "images").is_dir()]  # fmt: skip
    if not (root / "images").is_dir():
        return found
    splits = split_folders(root / "images")
    masks = split_folders(root / "masks") if (root / "masks").is_dir() else {}
    if not splits:
        found["train"].append(("images", "masks"))
        return found
    for split, names in splits.items():
        for name in names:
            of_split = masks.get(split, [])
            of_name = name if name in of_split or len(of_split) != 1 else of_split[0]
            found[split].append((f"images/{name}", f"masks/{of_name}"))
    read = {one for names in splits.values() for one in names}
    for folder in ("images", "masks"):
        beside = _beside(root / folder, read | {one for names in masks.values() for one in names})
        if beside:
            faults.add(folder, 0, "{name} lies beside the splits' folders and is not read",
                       warning=True, name=", ".join(beside))  # fmt: skip
    return {split: found[split] for split in SPLITS if split in found}


def _beside(folder: Path, read: set[str]) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(one.name for one in folder.iterdir() if one.name not in read
                  and not one.name.startswith("."))[:5]  # fmt: skip


def _items(walk: Walk, images: str, masks: str, faults: Faults) -> Iterator[Item]:
    by_key = defaultdict(list)
    for mask in walk.images(walk.root / masks) if (walk.root / masks).is_dir() else []:
        by_key[_key(mask, masks)].append(mask)
    by_stem = defaultdict(list)
    for image in walk.images(walk.root / images):
        by_stem[_key(image, images)].append(image)
    for key, several in by_stem.items():
        for image in several:
            item = Item(image)
            # Two pictures that differ in their suffix only: `a.jpg.png` is the mask of `a.jpg`.
            own = by_key.pop(f"{key}{PurePath(item.name).suffix}", None)
            item.mask = _mask_of(item, own or by_key.get(key, []), len(several) > 1 and not own,
                                 faults)  # fmt: skip
            if measure(walk.root, item, faults):
                yield item
        by_key.pop(key, None)
    for rest in by_key.values():
        for mask in rest:
            faults.add(os.fsdecode(mask), 0, "there is no picture of this mask", warning=True)


def _key(file: bytes, folder: str) -> str:
    """The path below its folder, without the suffix, however its letters are composed."""
    below = PurePath(os.fsdecode(file)).relative_to(folder).with_suffix("")
    return unicodedata.normalize("NFC", below.as_posix())


def _mask_of(item: Item, masks: list[bytes], is_shared: bool, faults: Faults) -> bytes | None:
    """Its only mask; where several could be meant, it has none and is faulty."""
    if not masks:
        return None
    names = ", ".join(os.fsdecode(one) for one in masks)
    if is_shared:
        faults.add(item.name, 0, "another picture has the same name but for its suffix, and "
                   "{masks} could be of either", masks=names)  # fmt: skip
    elif len(masks) > 1:
        faults.add(item.name, 0, "it has several masks: {masks}", masks=names)
    else:
        return masks[0]
    item.faulty = True
    return None


class MaskWriter:
    """`masks/<split>/<stem>.png`, and the pictures beside where they are given."""

    def __init__(self, target: Path, classes: tuple[str, ...]) -> None:
        check_mask_classes(classes)
        self.target, self.classes = target, classes

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item)
        put_image(source, self.target / "images" / split / name)
        mask, lost = masked(item, source)
        if mask is not None:
            hidden = io.BytesIO()
            Image.fromarray(mask).save(hidden, "PNG")
            file = self.target / "masks" / split / Path(name).with_suffix(".png")
            write_whole(file, hidden.getvalue())
        return lost

    def close(self) -> None:
        (self.target / "masks").mkdir(parents=True, exist_ok=True)  # by which it is recognised
        write_whole(self.target / "classes.txt", "".join(f"{one}\n" for one in self.classes))


def masked(item: Item, source: Path | None) -> tuple[MaskPixels | None, list[str]]:
    """(height, width) of an item's classes, and what of it no mask can hold.

    The mask is None where nobody has looked at the picture, and where shapes were drawn of which
    no pixel would be left.
    """
    if item.mask_pixels is not None:
        return item.mask_pixels, []
    if item.mask is not None:
        if source is None:
            return None, [t("its mask is not there")]
        # Beside its picture lies the data set that it is from.
        return _kept(_root_of(source, item) / os.fsdecode(item.mask)), []
    if item.shapes is None:
        return None, []
    masks = shape_masks(item, item.height, item.width)
    mask = painted(item, masks, item.height, item.width, 0)
    lost, empty = _lost(item, masks)
    if item.shapes and empty == len(item.shapes):
        return None, lost  # something was drawn: it is no background
    return mask, lost


def _kept(file: Path) -> MaskPixels:
    found = read_mask(file, file.name, Faults())
    assert found is not None, "faulty masks are no item's"
    return found


def _lost(item: Item, masks: list[MaskPixels]) -> tuple[list[str], int]:
    """What a mask cannot hold of the shapes, and how many of them have no pixel in it."""
    shapes = item.shapes or []
    labels = [one.label for one in shapes if not one.crowd]
    lost = []
    if len(set(labels)) < len(labels):
        lost.append(t("shapes of one class that touch become one"))
    if any(one.crowd for one in shapes):
        lost.append(t("a crowd becomes pixels that nobody is asked about"))
    twice, empty = overlap_and_empty(masks)
    if twice:
        lost.append(t("where shapes lie over each other, the smaller one alone is kept"))
    if empty:
        lost.append(t("a shape that the centre of no pixel lies in is left out"))
    return lost, empty


def _root_of(source: Path, item: Item) -> Path:
    parts = len(Path(item.name).parts)
    return source.parents[parts - 1]
