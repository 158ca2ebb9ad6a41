"""Where the pictures and the XML files of a VOC data set lie, and which set each is of."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.reading.file_names import FileNames, forward, is_folder
from tandem.data.reading.files import is_there
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.split_names import SPLITS, split_folders, split_of
from tandem.data.reading.texts import lines_of, read_label_text
from tandem.data.reading.walk import Walk
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

ImageAndXml = tuple[bytes, Path | None]
SETS = "ImageSets/Main"
XML_FOLDERS = ("Annotations", "annotations")
IMAGE_FOLDERS = ("JPEGImages", "images", "Images", "jpegimages")
_FLAG = re.compile(r"\s+-?[01]$")
"""What ends a line of a class's own set: whether the picture holds it."""
_OF_CLASS = re.compile(r".+_(train|val|trainval|test)")


def is_beside(folder: FolderListing) -> bool:
    """Whether a VOC file lies beside pictures, or in a folder of its own beside theirs."""
    splits = [one for one in folder.folders() if split_of(one) is not None]
    folders = [one for one in XML_FOLDERS if folder.has_folder(one)]
    places = ["images", *folders, *splits]
    files = [file for one in places for file in folder.below(one, ".xml")]
    files += [one for one in folder.names() if one.endswith(".xml")]
    return any(b"<annotation" in folder.head(one, 4096) for one in files)


class VocPlaces:
    """Finds pictures by the lines of the sets, and XML files by the pictures."""

    def __init__(
        self,
        walk: Walk,
        faults: Faults,
        notes: list[str],
        sets_folder: str = SETS,
        label_folders: Sequence[str] = XML_FOLDERS,
        suffix: str = ".xml",
    ) -> None:
        self.walk, self.faults, self.notes = walk, faults, notes
        self.root, self.sets_folder, self.suffix = walk.root, sets_folder, suffix
        self.names = FileNames(walk.root)
        self.xmls = next((self.root / one for one in label_folders
                          if is_folder(self.root / one)), None)  # fmt: skip
        images = next((self.root / one for one in IMAGE_FOLDERS
                       if is_folder(self.root / one)), None)  # fmt: skip
        self.images = images
        self.image_folders = [images or self.root]

    def sets(self) -> dict[str, list[ImageAndXml]]:
        """The pictures of each split and their XML files, in the order that they are listed."""
        if self.xmls is not None and self.images is not None:
            if self.suffix == ".xml":
                self._tell_masks()
            lines = self._lines()
            found = {split: list(dict.fromkeys(self._of_lines(file, lines_of_set)))
                     for split, (file, lines_of_set) in lines.items()}  # fmt: skip
            if "train" not in found:
                listed = {one for several in found.values() for one, _ in several}
                splits = {} if found else self._by_folder(self.images)
                rest = [(one, self._xml(one)) for one in self.walk.images(self.images)
                        if one not in listed]  # fmt: skip
                found = splits or {"train": rest, **found}
            return {split: found[split] for split in SPLITS if split in found}
        base = self.images if self.images is not None else self.root
        whole = self._by_folder(self.root) or self._by_folder(base)
        return whole or {"train": [(one, self._xml(one)) for one in self.walk.images(base)]}

    def owners(self, sets: dict[str, list[ImageAndXml]]) -> dict[Path, list[bytes]]:
        """The pictures of each XML file."""
        found: dict[Path, list[bytes]] = {}
        for pairs in sets.values():
            for image, file in pairs:
                if file is not None and image not in found.setdefault(file, []):
                    found[file].append(image)
        return found

    def tell_alone(self, owners: dict[Path, list[bytes]]) -> None:
        """XML files of no picture that is there."""
        faults = self.faults
        top = self.xmls or (self.images or self.root)
        for here, folders, files in os.walk(top):
            folders[:] = sorted(one for one in folders if one[0] != ".")
            for one in sorted(files):
                file = Path(here) / one
                if not one.endswith(self.suffix) or one[0] == "." or file in owners:
                    continue
                if self._has_image(file):
                    continue  # of a picture in no set, which is told
                faults.add(os.path.relpath(file, self.root), 0,
                           "there is no picture of this label file", warning=True)  # fmt: skip

    def _has_image(self, file: Path) -> bool:
        folder = file.parent
        if self.xmls is not None and self.images is not None:
            folder = self.images / file.parent.relative_to(self.xmls)
        return bool(self.names.images(folder, file.stem))

    def _by_folder(self, base: Path) -> dict[str, list[ImageAndXml]]:
        return {
            split: [(one, self._xml(one)) for name in several
                    for one in self.walk.images(base / name)]
            for split, several in split_folders(base).items()
        }  # fmt: skip

    def _xml(self, image: bytes) -> Path | None:
        """Beside the picture, or at its place in the folder of annotations."""
        path = self.root / os.fsdecode(image)
        if self.xmls is None:
            return self.names.find(path.with_suffix(self.suffix))
        inner = path.relative_to(self.images) if self.images is not None else path
        found = self.names.find(self.xmls / inner.with_suffix(self.suffix))
        flat = self.names.find(self.xmls / f"{path.stem}{self.suffix}") if found is None else None
        if found or flat or self.suffix != ".xml":  # a mask beside its picture has its name
            return found or flat
        return self.names.find(path.with_suffix(self.suffix))

    def _lines(self) -> dict[str, tuple[str, list[str]]]:
        """Each split's file and lines: its own set, else trainval, else the classes' sets."""
        folder = self.root / self.sets_folder
        files = {one.stem: one for one in sorted(folder.glob("*.txt"))} if is_folder(folder) else {}
        found: dict[str, tuple[str, list[str]]] = {}
        for stem, file in files.items():
            split = split_of(stem)
            if split is not None:
                self._put(found, split, file, self._read(file))
        both = files.get("trainval")
        if both is not None:
            self._take_both(found, both)
        rest = [stem for stem in files if split_of(stem) is None and stem != "trainval"]
        if not found:
            for stem in rest:
                self._take_class(found, files[stem])
        self._tell_rest(found, [one for one in rest if _OF_CLASS.fullmatch(one) is None], files)
        return found

    def _read(self, file: Path) -> list[str]:
        self.walk.check(file)
        try:
            return lines_of(read_label_text(self.root, file, self.faults))
        except DataError as error:
            faults = self.faults
            faults.add(f"{self.sets_folder}/{file.name}", 0, "{reason}", reason=error.sentence())
            return []

    def _put(
        self, found: dict[str, tuple[str, list[str]]], split: str, file: Path, lines: list[str]
    ) -> None:
        name, before = found.get(split, (f"{self.sets_folder}/{file.name}", []))
        found[split] = (name, [*before, *lines])

    def _take_both(self, found: dict[str, tuple[str, list[str]]], file: Path) -> None:
        faults = self.faults
        known = {one for _, lines in found.values() for one in lines}
        left = [one for one in self._read(file) if one not in known and one.strip()]
        if "train" not in found:
            self.notes.append(t("{file} is read as train.", file=f"{self.sets_folder}/{file.name}"))
            found["train"] = (f"{self.sets_folder}/{file.name}", left)
        elif left:
            faults.add(f"{self.sets_folder}/{file.name}", 0, "{count} of its pictures are in no "
                       "other set and are not read", warning=True,
                       count=len(left))  # fmt: skip

    def _take_class(self, found: dict[str, tuple[str, list[str]]], file: Path) -> None:
        """`cat_train.txt` and the like, whose lines end in whether the picture holds a cat."""
        named = _OF_CLASS.fullmatch(file.stem)
        split = split_of(named[1].removeprefix("trainval") or "train") if named else None
        if split is not None:
            self._put(found, split, file, [_FLAG.sub("", one) for one in self._read(file)])

    def _tell_rest(
        self, found: dict[str, tuple[str, list[str]]], rest: list[str], files: dict[str, Path]
    ) -> None:
        """Sets of other names: CVAT's `default` is train where nothing else is."""
        faults = self.faults
        for stem in rest:
            name = f"{self.sets_folder}/{files[stem].name}"
            if found and not (stem.casefold() == "default" and "train" not in found):
                faults.add(name, 0, "its name is no split's, and it is not read", warning=True)
                continue
            self.notes.append(t("{file} is read as train.", file=name))
            self._put(found, "train", files[stem], self._read(files[stem]))

    def _of_lines(self, file: str, lines: list[str]) -> list[ImageAndXml]:
        faults, found = self.faults, []
        for line, said in enumerate(lines, 1):
            if not said.strip():
                continue
            parts = forward(said.strip()).split("/")
            if any(one in ("", "..") or one[0] == "." for one in parts):
                faults.add(file, line, "{name} is no name of a picture", name=said.strip()[:200])
                continue
            several = self._images_of(said)
            if not several:
                faults.add(file, line, "the picture {file} is not there", file=said.strip()[:200])
            found += [(one, self._xml(one)) for one in several]
        return found

    def _images_of(self, said: str) -> list[bytes]:
        """The whole line is the name, without its suffix or with it."""
        assert self.images is not None
        for name in dict.fromkeys((said, said.strip(), forward(said.strip()))):
            path = self.images / name
            several = self.names.images(path.parent, path.name)
            if not several and is_image(name) and (whole := self.names.find(path)) is not None:
                several = [whole]
            if several:
                return [os.fsencode(os.path.relpath(one, self.root)) for one in several]
        return []

    def _tell_masks(self) -> None:
        faults = self.faults
        for name in ("SegmentationClass", "SegmentationObject"):
            if is_folder(self.root / name) or is_there(self.root / name):
                faults.add(name, 0, "its masks are not read; the boxes are: choose the masks by "
                           "--type voc_segmentation", warning=True)  # fmt: skip
