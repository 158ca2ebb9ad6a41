"""Files by the names that other files give them: any Unicode form, any case of the suffix."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from tandem.data.content import Content
from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.reading.files import is_there
from tandem.data.reading.walk import Walk

_Names = dict[str, list[str]]


class FileNames:
    """What lies in the folders of a data set; each is listed once, when it is first asked for.

    macOS writes é as two letters (NFD), others as one (NFC): a label file may name a picture in
    the other form, or have its own name in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_name: dict[Path, _Names] = {}
        self._images: dict[Path, _Names] = {}

    def find(self, path: Path) -> Path | None:
        """The file of that path; else the one that differs in form or in its suffix's case alone.

        None where there is none, or where two are as near.
        """
        if is_there(path):
            return path
        found = self._folder(path.parent)
        if found is None:
            return None
        near = self._listed(found)[0].get(_key(path.name), [])
        return found / near[0] if len(near) == 1 and is_there(found / near[0]) else None

    def images(self, folder: Path, stem: str) -> list[Path]:
        """The pictures of that name without suffix, in that very form if there are such."""
        found = self._folder(folder)
        if found is None:
            return []
        near = self._listed(found)[1].get(unicodedata.normalize("NFC", stem), [])
        same = [one for one in near if os.path.splitext(one)[0] == stem]  # noqa: PTH122
        return [found / one for one in same or near]

    def _folder(self, path: Path) -> Path | None:
        """A folder below the root, in whatever form its name is written."""
        if path == self.root or is_folder(path):
            return path
        if not path.is_relative_to(self.root):
            return None
        above = self._folder(path.parent)
        if above is None:
            return None
        near = self._listed(above)[0].get(_key(path.name), [])
        return above / near[0] if len(near) == 1 and is_folder(above / near[0]) else None

    def _listed(self, folder: Path) -> tuple[_Names, _Names]:
        if folder not in self._by_name:
            names: _Names = {}
            images: _Names = {}
            for one in _names(folder):
                names.setdefault(_key(one), []).append(one)
                if is_image(one):
                    stem = os.path.splitext(one)[0]  # noqa: PTH122  as fast as it goes
                    images.setdefault(unicodedata.normalize("NFC", stem), []).append(one)
            self._by_name[folder], self._images[folder] = names, images
        return self._by_name[folder], self._images[folder]


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return sorted(one.name for one in found if one.name[0] != ".")
    except OSError:
        return []


def is_folder(path: Path) -> bool:
    """Whether it is a folder; a name that no folder could have is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _key(name: str) -> str:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122  as fast as it goes
    return unicodedata.normalize("NFC", stem) + suffix.lower()


def forward(name: str) -> str:
    """A path as Windows may have written it, with the slashes of everybody else."""
    return name.replace("\\", "/")


def tell_alike(content: Content, faults: Faults) -> None:
    """Warn of two items whose names differ in their Unicode form alone: on a Mac they are one."""
    first: dict[str, str] = {}
    for _, items in content.splits():
        for item in items:
            name = item.name
            other = first.setdefault(unicodedata.normalize("NFC", name), name)
            if other != name:
                faults.add(name, item.line, "its name and that of another file differ in their "
                           "Unicode form alone (NFC and NFD)", warning=True)  # fmt: skip


def tell_alike_classes(classes: Iterable[str], faults: Faults) -> None:
    """Warn of two classes that look the same: they are learnt as two."""
    first: dict[str, str] = {}
    for name in classes:
        other = first.setdefault(unicodedata.normalize("NFC", name).strip(), name)
        if other is not name and other != name:
            faults.add("classes", 0, "two classes have the name {name}, but for spaces or their "
                       "Unicode form (NFC and NFD)", warning=True, name=name)  # fmt: skip


def tell_unread(walk: Walk, folders: Iterable[Path], read: Iterable[bytes], faults: Faults) -> None:
    """Warn, once, of the pictures below these folders that no split holds."""
    known = set(read)
    there = {one for folder in folders if is_folder(folder) for one in walk.images(folder)}
    left = sorted(there - known)
    if left:
        faults.add(os.fsdecode(left[0]), 0, "it is in no split and is not read; so with {count} "
                   "pictures in all", warning=True, count=len(left))  # fmt: skip
