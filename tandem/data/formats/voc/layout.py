"""Pascal VOC: `JPEGImages/`, `Annotations/*.xml`, `ImageSets/Main/{train,val}.txt`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.formats.voc import objects
from tandem.data.formats.voc.places import ImageAndXml, VocPlaces, is_beside
from tandem.data.formats.voc.writer import VocWriter
from tandem.data.reading.file_names import forward, tell_unread
from tandem.data.reading.files import measure, measure_against
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.label_files import is_of
from tandem.data.reading.texts import give_shapes, ordered_names
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.spec.errors import DataError

_LabelledItem = tuple[Item, list[tuple[str, Shape]] | None]


@register.format(
    "voc",
    files="JPEGImages/*, Annotations/*.xml, ImageSets/Main/{train,val,test}.txt",
    flat=True,
    kinds={"detection"},
    holds={"boxes", "confidence", "attributes"},
    zh="每张图片一个 XML 文件，按名称给出各个框。",
)
class Voc:
    """An XML file for each picture, with its boxes by name."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether both folders are there, or a VOC file beside a picture."""
        if folder.has_folder("Annotations") and folder.has_folder("JPEGImages"):
            return True
        return is_beside(folder)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every picture of the sets; the classes are the names, sorted."""
        notes: list[str] = []
        walk = Walk(path)
        places = VocPlaces(walk, faults, notes)
        sets = places.sets()
        reading = _Reading(walk, places, faults, objects.LeftOut())
        owners = places.owners(sets)
        drawn = {split: list(reading.items(pairs, owners)) for split, pairs in sets.items()}
        reading.left_out.tell(faults)
        places.tell_alone(owners)
        listed = [image for pairs in sets.values() for image, _ in pairs]
        tell_unread(walk, places.image_folders, listed, faults)
        names = {name for several in drawn.values() for _, shapes in several
                 for name, _ in shapes or []}  # fmt: skip
        classes = ordered_names(path, names, faults)
        numbers = {name: number for number, name in enumerate(classes)}
        found = {split: [give_shapes(item, shapes, numbers) for item, shapes in several]
                 for split, several in drawn.items()}  # fmt: skip
        return Content(path, "voc", "detection", classes, found.get("train", []),
                       found.get("val"), tuple(notes), found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """Boxes only."""
        return VocWriter(target, classes)


@dataclass
class _Reading:
    walk: Walk
    places: VocPlaces
    faults: Faults
    left_out: objects.LeftOut

    def items(
        self, pairs: list[ImageAndXml], owners: dict[Path, list[bytes]]
    ) -> Iterator[_LabelledItem]:
        for image, file in pairs:
            item = Item(image)
            self.walk.check(self.walk.root / item.name)
            if file is None:
                if measure(self.walk.root, item, self.faults):
                    yield item, None
                continue
            self.walk.check(file)
            yield from self._labelled(item, file, owners[file])

    def _labelled(self, item: Item, file: Path, images: list[bytes]) -> Iterator[_LabelledItem]:
        faults, name = self.faults, os.path.relpath(file, self.walk.root)
        try:
            told = objects.parsed(self.walk.root, file, faults)
        except DataError as error:
            faults.add(name, 0, "{reason}", reason=error.sentence())
            item.faulty = True
            if measure(self.walk.root, item, faults):
                yield item, None
            return
        if len(images) > 1 and not is_of(told.image, item, images, name, faults):
            if measure(self.walk.root, item, faults):
                yield item, None
            return
        other = self._other(told.image, item)
        if other is not None:
            faults.add(name, 0, "it says that it is of {other}; it is read as that of {file}",
                       warning=True, other=other, file=item.name)  # fmt: skip
        if measure_against(self.walk.root, item, told.size, faults, name):
            yield item, objects.shapes(told.objects, item, name, faults, self.left_out)

    def _other(self, said: str, item: Item) -> str | None:
        """Another picture beside the item's, whose name the file says."""
        own, wanted = Path(item.name), Path(forward(said)).name
        if not wanted or Path(wanted).stem == own.stem:
            return None
        found = self.places.names.find(self.walk.root / own.parent / wanted)
        if found is None or Path(found).name == own.name:
            return None
        return found.relative_to(self.walk.root).as_posix()
