"""Which files of a folder are COCO's, of which split, and where their pictures lie."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tandem.data.faults import Faults
from tandem.data.reading.file_names import FileNames, forward, is_folder
from tandem.data.reading.files import inside
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.split_names import split_of
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

FOLDERS = ("annotations", "Annotations")
OTHERS = ("person_keypoints", "captions", "panoptic", "stuff", "image_info", "unlabeled")
"""Files that COCO publishes beside those of instances."""
LOOSE = ("_annotations.coco", "annotations", "instances", "coco", "labels", "result")
"""Names without a split, of files that lie beside their pictures: Roboflow's, Label Studio's."""
_YEAR = re.compile(r"[_-]?(?:19|20)\d\d$")
_LIST = re.compile(rb'"(?:images|annotations|categories)"\s*:\s*\[')
_FOREIGN = re.compile(r"^(?:/|[A-Za-z]:/)")


@dataclass(frozen=True)
class CocoPath:
    """One file of instances."""

    file: Path
    split: str
    subset: str
    """The split as its name has it: Train, default, train2017."""


def split_in(name: str) -> str | None:
    """The split that a name means, with COCO's year behind it or without."""
    return split_of(_YEAR.sub("", name))


def is_here(folder: FolderListing) -> bool:
    """Whether there are files of COCO, by their names or by how they begin."""
    for place in FOLDERS:
        for name in folder.names(place):
            stem = _stem(name)
            if stem is not None and (
                _is_named(stem) or _begins_so(folder.head(f"{place}/{name}", 65536))
            ):
                return True
    places = ["", *(one for one in folder.folders() if split_in(Path(one).name) is not None)]
    return any(
        stem in LOOSE[:1] or _begins_so(folder.head(f"{place}/{name}" if place else name, 65536))
        for place in places
        for name in folder.names(place)
        if (stem := _stem(name)) is not None and _is_loose(stem)
    )


def _stem(name: str) -> str | None:
    return name[:-5] if name.lower().endswith(".json") and name != "meta.json" else None


def _is_named(stem: str) -> bool:
    low = stem.lower()
    return low.startswith(("instances", *OTHERS)) or split_in(stem) is not None


def _is_loose(stem: str) -> bool:
    return stem in LOOSE or stem.lower().startswith("instances") or split_in(stem) is not None


def _begins_so(head: bytes) -> bool:
    """An object that has one of COCO's lists; LabelMe's has shapes, Label Studio's is a list."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and _LIST.search(head) is not None


def find(path: Path, faults: Faults, notes: list[str]) -> list[CocoPath]:
    """The files to be read; what lies beside them is told. DataError where there is none."""
    listing = FolderListing(path)
    named: list[tuple[Path, str]] = []
    others: list[Path] = []
    for place in FOLDERS:
        for name in listing.names(place):
            stem = _stem(name)
            if stem is None:
                continue
            file = path / place / name
            if stem.lower().startswith(OTHERS):
                others.append(file)
            elif _is_named(stem) or _begins_so(listing.head(f"{place}/{name}", 65536)):
                named.append((file, _subset(stem)))
            else:
                others.append(file)
    if not named:
        named = _loose(path, listing)
    if not named:
        raise DataError(
            "The data set {path} has no COCO file of instances.",
            path=path,
            got=[one.name for one in others],
            fix="Put it into {path}/annotations/instances_train.json.",
        )
    for file in others:
        faults.add(os.path.relpath(file, path), 0, "it holds no instances of COCO and is not read",
                   warning=True)  # fmt: skip
    return _with_splits(path, named, faults, notes)


def _subset(stem: str) -> str:
    found = re.sub(r"^instances[_-]?", "", stem, flags=re.IGNORECASE)
    return "" if found in LOOSE else found


def _loose(path: Path, listing: FolderListing) -> list[tuple[Path, str]]:
    """Beside the pictures of each split, as Roboflow writes them, or at the top."""
    found = []
    splits = [one for one in listing.folders() if split_in(Path(one).name) is not None]
    for place in [*splits, ""]:
        for name in listing.names(place):
            stem = _stem(name)
            whole = f"{place}/{name}" if place else name
            if stem is None or not _is_loose(stem):
                continue
            if stem in LOOSE[:1] or _begins_so(listing.head(whole, 65536)):
                found.append((path / whole, place or _subset(stem)))
    return found


def _with_splits(
    path: Path, named: list[tuple[Path, str]], faults: Faults, notes: list[str]
) -> list[CocoPath]:
    """CVAT's `default` and names of nobody's split are train, but where another file is that."""
    found = [CocoPath(file, split, subset) for file, subset in named
             if (split := split_in(subset)) is not None]  # fmt: skip
    is_taken = any(one.split == "train" for one in found)
    for file, subset in named:
        if split_in(subset) is not None:
            continue
        name = os.path.relpath(file, path)
        if is_taken:
            faults.add(name, 0, "its name is no split's, and it is not read", warning=True)
            continue
        if subset:
            notes.append(t("{file} is read as train.", file=name))
        found.append(CocoPath(file, "train", subset))
    return found


class ImagePlaces:
    """Finds the pictures that one file names."""

    def __init__(self, root: Path, names: FileNames, coco: CocoPath, notes: list[str]) -> None:
        self.root, self.names, self.notes = root, names, notes
        self.is_told = False
        own = coco.file.parent
        below = [own] if own.name not in FOLDERS else []
        wanted = {coco.subset.casefold(), coco.split}
        for above in (root / "images", root):
            below += [above / one for one in _folders(above)
                      if one.casefold() in wanted or split_in(one) == coco.split]  # fmt: skip
        # As before: where the folders' names say nothing.
        self.bases = list(dict.fromkeys([*below, root / "images", root, own]))

    def find(self, name: str) -> Path | None:
        """The picture's file; DataError where it is there, but outside of the data set."""
        for said in dict.fromkeys((name, forward(name))):
            if _FOREIGN.match(said):
                return self._foreign(said)
            for base in self.bases:
                found = self.names.find(base / said)
                if found is not None:
                    if not inside(self.root, found):
                        raise DataError("{file} leads out of the data set", file=name)
                    return found
        return None

    def _foreign(self, said: str) -> Path | None:
        """The longest end of another machine's path that is here."""
        parts = [one for one in said.split("/") if one not in ("", ".", "..")]
        for start in range(len(parts)):
            for base in (self.root, *self.bases):
                found = self.names.find(base.joinpath(*parts[start:]))
                if found is not None and inside(self.root, found):
                    self._tell(said, found)
                    return found
        return None

    def _tell(self, said: str, found: Path) -> None:
        if not self.is_told:
            self.is_told = True
            self.notes.append(
                t(
                    "Pictures are named by paths of another machine; for {said}, {found} is meant.",
                    said=said[:200],
                    found=found.relative_to(self.root).as_posix(),
                )
            )


def _folders(path: Path) -> list[str]:
    if not is_folder(path):
        return []
    return sorted(one.name for one in path.iterdir() if one.is_dir())
