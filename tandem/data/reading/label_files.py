"""Each picture's label file: beside it, or in `labels`, in any Unicode form of its name."""

from __future__ import annotations

import os
from pathlib import Path

from tandem.data.content import Item
from tandem.data.faults import Faults
from tandem.data.reading.data_yaml import label_file
from tandem.data.reading.file_names import FileNames, forward
from tandem.data.reading.texts import CLASS_LISTS, is_label_line
from tandem.data.reading.walk import Walk

_KEPT_BY_OTHERS = (".cache", ".npy", ".yaml", ".yml")
"""What trainers leave among the labels."""


class Labels:
    """Finds label files, and remembers whose they were."""

    def __init__(self, walk: Walk, names: FileNames, suffix: str) -> None:
        self.walk, self.names, self.suffix = walk, names, suffix
        self.images: dict[Path, list[bytes]] = {}
        """The pictures of each label file."""
        self.unused: list[Path] = []
        """Those that lie beside a picture whose labels are in `labels`."""

    def of(self, image: bytes) -> Path | None:
        """The picture's label file, by Ultralytics' rule, else the one right beside it."""
        name = os.fsdecode(image)
        by_rule = self.walk.root / label_file(name, self.suffix)
        beside = (self.walk.root / name).with_suffix(self.suffix)
        found = self.names.find(by_rule)
        if beside != by_rule:
            near = self.names.find(beside)
            if found is not None and near is not None:
                self.unused.append(near)
            found = found or near
        if found is not None:
            self.images.setdefault(found, []).append(image)
        return found


def is_of(said: str, item: Item, images: list[bytes], name: str, faults: Faults) -> bool:
    """Whether a label file names this one of several pictures that differ in their suffix alone.

    Where it names none of them, that is a fault, and each of them is faulty.
    """
    wanted = Path(forward(said)).name
    among = [one for one in images if Path(os.fsdecode(one)).name == wanted]
    if not among:
        faults.add(name, 0, "it is the label file of several pictures, and names none of them")
        item.faulty = True
    return among == [item.path]


def tell_alone(walk: Walk, labels: Labels, faults: Faults) -> None:
    """Label files that are no picture's, that are several pictures', and other files of labels."""
    root = walk.root
    for file in labels.unused:
        faults.add(os.path.relpath(file, root), 0, "it is not read: the label file of its picture "
                   "is in the folder labels", warning=True)  # fmt: skip
    for file, images in labels.images.items():
        if len(images) > 1:
            faults.add(os.path.relpath(file, root), 0, "it is the label file of several pictures: "
                       "{images}", warning=True,
                       images=", ".join(os.fsdecode(one) for one in images[:3]))  # fmt: skip
    other: dict[str, list[str]] = {}
    for file in _files(root, labels):
        if file in labels.images or file in labels.unused or file.name in CLASS_LISTS:
            continue
        name = os.path.relpath(file, root)
        if file.suffix == ".txt":
            if "labels" in Path(name).parts[:-1] or _is_label(file):
                faults.add(name, 0, "there is no picture of this label file", warning=True)
        elif file.suffix not in _KEPT_BY_OTHERS and "labels" in Path(name).parts[:-1]:
            other.setdefault(os.path.dirname(name), []).append(name)  # noqa: PTH120
    for names in other.values():
        faults.add(names[0], 0, "it is no .txt and is not read; so with {count} files of its "
                   "folder", warning=True, count=len(names))  # fmt: skip


def _files(root: Path, labels: Labels) -> list[Path]:
    """What lies in folders of labels, and beside the label files that were read."""
    found = {one for file in labels.images for one in _shown(file.parent)}
    tops = [root / "labels", *(one / "labels" for one in root.iterdir() if one.is_dir())]
    for top in tops:
        for here, folders, _ in os.walk(top):
            folders[:] = [one for one in folders if one[0] != "."]
            found.update(_shown(Path(here)))
    return sorted(found)


def _shown(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            return [Path(one.path) for one in found if one.name[0] != "." and one.is_file()]
    except OSError:
        return []


def _is_label(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = next((line for line in lines if line.strip()), "")
    except OSError:
        return False
    return is_label_line(first)
