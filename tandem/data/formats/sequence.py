"""`train/<class>/<clip>/*.jpg` in name order, or `train/<class>/*.mp4`; `val/`, `test/` alike.

Without a folder for any split the class folders may lie at the top: all of them are train then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item
from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.reading.folder_listing import MOST_FOLDERS, FolderListing
from tandem.data.reading.split_names import split_folders, split_of
from tandem.data.reading.top_folders import BESIDE, NOT_CLASSES, class_folders, told
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.video import is_video
from tandem.data.writing.files import check_class_names, placed, put_image, write_whole
from tandem.spec.errors import DataError
from tandem.spec.i18n import t


@register.format(
    "sequence",
    files="[{train,val,test}/]<class>/<clip>/*.jpg or [{train,val,test}/]<class>/*.mp4",
    lists_classes=False,
    kinds={"sequence"},
    holds={"label", "frames"},
    zh="片段放在以类别命名的文件夹中：每个片段是一个帧文件夹或一个视频。",
)
class ClipFolders:
    """Clips in folders named by their class: each a folder of frames, or a video."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether the class folders hold clips, and none of them loose pictures."""
        splits = [one for one in folder.folders() if split_of(one) is not None]
        classes = [one for split in splits for one in folder.folders(split)[:MOST_FOLDERS]]
        if not splits:
            classes = class_folders(folder)[:MOST_FOLDERS]
        if any(Path(one).name.casefold() in NOT_CLASSES for one in classes):
            return False
        if any(is_video(name) for one in classes for name in folder.names(one)):
            return True
        if any(is_image(name) for one in classes for name in folder.names(one)):
            return False
        clips = next((found for one in classes if (found := folder.folders(one))), [])
        several = (folder.names(clip) for clip in clips[:MOST_FOLDERS])
        return any(is_image(name) for clip in several for name in clip)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every clip with its frames' names; no video is opened here."""
        walk = Walk(path)
        folders = split_folders(path) or {"train": [""]}
        names = {split: [(below, name) for below in several for name in walk.folders(path / below)
                         if below or name.casefold() not in BESIDE]
                 for split, several in folders.items()}  # fmt: skip
        first = next((found for found in names.values() if found), [])
        classes = tuple(sorted({name for _, name in first}))
        if not classes:
            raise DataError(
                "The data set {path} has no class folder.",
                path=path,
                fix="Put clips into {path}/train/<class>/.",
            )
        found: dict[str, list[Item]] = {}
        for split, there in names.items():
            found[split] = []
            for below, name in there:
                folder = path / below / name
                if name not in classes:
                    faults.add(os.path.relpath(folder, path), 0, "no class of train has this name")
                    continue
                found[split] += _clips(walk, folder, classes.index(name), faults)
        return Content(path, "sequence", "sequence", classes, found.get("train", []),
                       found.get("val"), _notes(walk, folders), found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """Clips in their class folders; those without a label in `unlabeled/`."""
        return ClipWriter(target, classes)


def _notes(walk: Walk, folders: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What was read where, as far as a person may have meant it otherwise."""
    path = walk.root
    if folders == {"train": [""]}:
        return (t("The class folders lie at the top of {path}, in no split's folder: all of them "
                  "are read as train.", path=path),)  # fmt: skip
    notes = [
        t("{split} is read from several folders: {names}.", split=split, names=", ".join(several))
        for split, several in folders.items() if len(several) > 1
    ]  # fmt: skip
    beside = [one for one in walk.folders(path)
              if split_of(one) is None and one.casefold() not in BESIDE]  # fmt: skip
    if beside:
        notes.append(t("Beside the splits' folders of {path} lie {names}, which are not read.",
                       path=path, names=told(beside)))  # fmt: skip
    return tuple(notes)


def _clips(walk: Walk, folder: Path, label: int, faults: Faults) -> list[Item]:
    items = []
    for name in walk.folders(folder):
        frames = tuple(walk.images(folder / name))
        path = os.fsencode(os.path.relpath(folder / name, walk.root))
        if not frames:
            faults.add(os.fsdecode(path), 0, "the clip holds no frame")
            continue
        if len(frames) == 1:
            faults.add(os.fsdecode(path), 0, "the clip has one frame only", warning=True)
        items.append(Item(path, label=label, frames=frames))
    for entry in _entries(folder):
        if entry.is_file() and is_video(entry.name):
            walk.check(Path(entry.path))
            path = os.fsencode(os.path.relpath(entry.path, walk.root))
            items.append(Item(path, label=label))
    return items


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as found:
        return sorted((one for one in found if one.name[0] != "."), key=lambda one: one.name)


class ClipWriter:
    """`<split>/<class>/<clip>`: linked or copied, frame by frame."""

    def __init__(self, target: Path, classes: tuple[str, ...]) -> None:
        check_class_names(classes)  # each becomes a folder
        self.target, self.classes = target, classes

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        folder = self.target / "unlabeled"
        if item.label != UNLABELLED:
            folder = self.target / split / self.classes[item.label]
        name = Path(placed(item)).name
        if source is None:
            write_whole(folder / f"{name}.json", json.dumps({"clip": item.name}))
        elif item.frames:
            for frame in item.frames:
                file = source / Path(os.fsdecode(frame)).name
                put_image(file, folder / name / file.name)
        else:
            put_image(source, folder / name)
        return []

    def close(self) -> None:
        """Nothing: an empty class folder would be an error of whoever reads it."""
