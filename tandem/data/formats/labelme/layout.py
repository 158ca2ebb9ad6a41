"""LabelMe: pictures with a JSON of the same name beside them, by split."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.formats.labelme import shapes
from tandem.data.formats.labelme.writer import LabelMeWriter
from tandem.data.formats.yolo import with_background
from tandem.data.images import is_image
from tandem.data.reading.file_names import FileNames, forward, tell_unread
from tandem.data.reading.files import JsonObject, inside, measure, measure_against, number
from tandem.data.reading.folder_listing import HEAD_BYTES, FolderListing
from tandem.data.reading.label_files import is_of
from tandem.data.reading.split_names import split_folders, split_of
from tandem.data.reading.texts import give_shapes, ordered_names, read_label_json
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

_SHAPES = re.compile(rb'"shapes"\s*:\s*\[')
_LabelledItem = tuple[Item, list[tuple[str, Shape]] | None, str | None]


@register.format(
    "labelme",
    files="{train,val,test}/*, and a .json of the same name beside each picture",
    kinds={"classification", "detection", "segmentation"},
    holds={"label", "boxes", "outlines", "confidence", "attributes"},
    zh="每张图片旁有一个 JSON：按名称给出矩形和多边形；flags 给出图片的类别。",
)
class LabelMe:
    """A JSON beside each picture: rectangles and polygons by name; flags name the picture."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether a JSON of LabelMe's lies in a split's folder, or anywhere."""
        splits = [one for one in folder.folders() if split_of(one) is not None]
        files = (file for one in [*splits, "images", ""] for file in folder.below(one, ".json"))
        return any(_is_labelme(folder.head(file)) for file in files)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every picture; one without a JSON has not been looked at."""
        walk = Walk(path)
        notes: list[str] = []
        listed = {
            split: list(dict.fromkeys(one for folder in folders for one in walk.images(folder)))
            for split, folders in _places(path).items()
        }
        reading = _Reading(walk, faults, [one for several in listed.values() for one in several])
        drawn = {split: list(reading.items(several)) for split, several in listed.items()}
        reading.tell(notes, kind)
        everything = [one for several in drawn.values() for one in several]
        by_flag = kind == "classification" or (
            kind is None and not any(shapes for _, shapes, _ in everything)
        )
        names = {flag for _, _, flag in everything if flag} if by_flag else {
            name for _, shapes, _ in everything for name, _ in shapes or []
        }  # fmt: skip
        classes = ordered_names(path, names, faults)
        numbers = {name: number for number, name in enumerate(classes)}
        found = {split: [_named(one, numbers, by_flag) for one in several]
                 for split, several in drawn.items()}  # fmt: skip
        masks = kind == "segmentation"
        if masks:
            classes = with_background(classes, [i for several in found.values() for i in several])
        learnt = "classification" if by_flag else "segmentation" if masks else "detection"
        return Content(path, "labelme", learnt, classes, found.get("train", []),
                       found.get("val"), tuple(notes), found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:
        """Rectangles for detection, polygons for segmentation, a flag for a picture's class."""
        return LabelMeWriter(target, classes, kind)


def _places(path: Path) -> dict[str, list[Path]]:
    """The folders of each split's pictures; without any, all of them are train."""
    for above in (path, path / "images"):
        found = split_folders(above) if above.is_dir() else {}
        if found:
            return {split: [above / one for one in names] for split, names in found.items()}
    return {"train": [path]}


def _is_labelme(head: bytes) -> bool:
    if _SHAPES.search(head) is None:
        return False
    if len(head) == HEAD_BYTES:  # its picture is in it, as base64, and its shapes come before
        return True
    try:
        told = json.loads(head.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and isinstance(told.get("shapes"), list)


@dataclass
class _Reading:
    walk: Walk
    faults: Faults
    images: list[bytes]
    """All that any split has."""
    owners: dict[Path, list[bytes]] = field(default_factory=dict)
    """The pictures of each JSON."""
    flagged: int = 0
    """Pictures that have flags and shapes."""

    def __post_init__(self) -> None:
        self.root, self.names = self.walk.root, FileNames(self.walk.root)
        self.files: dict[bytes, Path] = {}
        for image in self.images:
            beside = (self.root / os.fsdecode(image)).with_suffix(".json")
            file = self.names.find(beside)
            if file is not None:
                self.files[image] = file
                self.owners.setdefault(file, []).append(image)
        self._find_elsewhere()

    def _find_elsewhere(self) -> None:
        """JSON files that are beside no picture of their name, but say whose they are."""
        faults, known = self.faults, set(self.images)
        for file in self._others():
            self.walk.check(file)
            name = os.path.relpath(file, self.root)
            said = _image_path(self.root, file)
            if said is None and not any(part == "images" or split_of(part) for part in
                                        Path(name).parts) and file.parent != self.root:  # fmt: skip
                continue  # another tool's, in a folder of its own
            found = self.names.find(file.parent / forward(said)) if said else None
            image = None
            if found is not None and is_image(found.name) and inside(self.root, found):
                image = os.fsencode(os.path.relpath(found.resolve(), self.root.resolve()))
            if image in known and image not in self.files:
                assert image is not None
                self.files[image] = file
                self.owners[file] = [image]
            else:
                faults.add(name, 0, "there is no picture of this label file", warning=True)

    def _others(self) -> Iterator[Path]:
        for here, folders, files in os.walk(self.root):
            folders[:] = sorted(one for one in folders if one[0] != ".")
            for one in sorted(files):
                file = Path(here) / one
                is_json = one.lower().endswith(".json") and one[0] != "." and one != "meta.json"
                if is_json and file not in self.owners:
                    yield file

    def items(self, images: list[bytes]) -> Iterator[_LabelledItem]:
        for image in images:
            item = Item(image)
            file = self.files.get(image)
            if file is not None:
                self.walk.check(file)
                yield from self._labelled(item, file)
            elif measure(self.root, item, self.faults):
                yield item, None, None

    def _labelled(self, item: Item, file: Path) -> Iterator[_LabelledItem]:
        faults, name = self.faults, os.path.relpath(file, self.root)
        told = self._told(file, name)
        if told is None:
            item.faulty = True
        elif not self._is_of(told, item, file, name):
            told = None
        if told is None:
            if measure(self.root, item, faults):
                yield item, None, None
            return
        stated = (told.get("imageWidth"), told.get("imageHeight"))
        if not measure_against(self.root, item, stated, faults, name):
            return
        if told.get("tandem_predicted"):
            item.attributes["predicted"] = told["tandem_predicted"]
        flag = self._flag(told, item, name)
        drawn = shapes.read(told["shapes"], item, name, faults)
        self.flagged += bool(flag and drawn)
        yield item, drawn, flag

    def _told(self, file: Path, name: str) -> JsonObject | None:
        faults = self.faults
        try:
            told = read_label_json(self.root, file, faults)
        except DataError as error:
            faults.add(name, 0, "{reason}", reason=error.sentence())
            return None
        if not isinstance(told, dict) or not isinstance(told.get("shapes"), list):
            faults.add(name, 0, "it has no list of shapes")
            return None
        return told

    def _is_of(self, told: JsonObject, item: Item, file: Path, name: str) -> bool:
        """Whether the picture is the one that the JSON names, where that is there."""
        faults, said = self.faults, told.get("imagePath")
        wanted = Path(forward(said)).name if isinstance(said, str) else ""
        images = self.owners[file]
        if len(images) > 1:
            return is_of(wanted, item, images, name, faults)
        own = Path(item.name)
        if not wanted or Path(wanted).stem == own.stem or not is_image(wanted):
            return True
        other = self.names.find(file.parent / wanted)
        if other is None or other == self.root / item.name:
            return True
        faults.add(name, 0, "it says that it is of {other}, and lies beside {file}",
                   other=wanted, file=own.name)  # fmt: skip
        item.faulty = True
        return False

    def _flag(self, told: JsonObject, item: Item, name: str) -> str | None:
        faults = self.faults
        flags = told.get("flags") if isinstance(told.get("flags"), dict) else {}
        assert isinstance(flags, dict)
        raised = [str(one) for one, value in flags.items() if value]
        if len(raised) > 1:
            faults.add(name, 0, "several flags are set: {flags}; the first counts",
                       warning=True, flags=", ".join(raised))  # fmt: skip
        if raised:
            item.confidence = number(told.get("flag_score"))
        return raised[0] if raised else None

    def tell(self, notes: list[str], kind: str | None) -> None:
        """What of all of it is not read."""
        tell_unread(self.walk, [self.root], self.images, self.faults)
        if self.flagged and kind is None:
            notes.append(t("{count} pictures with shapes have flags too, which --kind "
                           "classification reads.", count=self.flagged))  # fmt: skip


def _image_path(root: Path, file: Path) -> str | None:
    """What a JSON of LabelMe's says of its picture; None for another JSON."""
    try:
        told = read_label_json(root, file, Faults())
    except DataError:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("shapes"), list):
        return None
    said = told.get("imagePath")
    return said if isinstance(said, str) else ""


def _named(drawn: _LabelledItem, numbers: dict[str, int], by_flag: bool) -> Item:
    item, shapes, flag = drawn
    if by_flag:
        item.label = numbers[flag] if flag else UNLABELLED
        return item
    return give_shapes(item, shapes, numbers)
