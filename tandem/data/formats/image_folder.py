"""`train/<class>/*`, `val/<class>/*`, `test/<class>/*`, `unlabeled/*`: a class is a folder's name.

Without a folder for any split the class folders may lie at the top: all of them are train then.
"""

from __future__ import annotations

from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item
from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.reading.files import measure
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.labelled_paths import LabelledPaths, LabelledSplits
from tandem.data.reading.split_names import split_folders, split_of
from tandem.data.reading.top_folders import BESIDE, NOT_CLASSES, class_folders, holds_images, told
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import check_class_names, placed, put_image
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

LABEL_SUFFIXES = (".json", ".xml", ".txt")
"""Files beside pictures that are another layout's labels."""


@register.format(
    "classification",
    files="[{train,val,test}/]<class>/*, unlabeled/*",
    lists_classes=False,
    kinds={"classification"},
    holds={"label"},
    zh="图片放在以类别命名的文件夹中；类别文件夹里还可以有子文件夹。",
)
class ImageFolder:
    """Pictures in folders named by their class; a class folder may hold folders of its own."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether class folders lie in a split's folder, or at the top; or pictures that should.

        A folder of pictures beside one of masks or labels is no class: that is another layout.
        """
        splits = [one for one in folder.folders() if split_of(one) is not None]
        if not splits:
            tops = class_folders(folder)
            return len(tops) > 1 and any(holds_images(folder, one) for one in tops)
        inner = [one for split in splits for one in folder.folders(split)]
        if any(Path(one).name.casefold() in NOT_CLASSES for one in inner):
            return False
        # Loose pictures are claimed to say where they belong; with labels beside, others read them.
        loose = [name for one in splits for name in folder.names(one)]
        labels = any(name.lower().endswith(LABEL_SUFFIXES) for name in loose)
        return bool(inner) or (not labels and any(map(is_image, loose)))

    def read(self, path: Path) -> LabelledSplits:
        """Every picture's name and class; DataError for a layout that cannot be meant."""
        walk = Walk(path)
        notes: list[str] = []
        found = _by_split(walk, notes)
        train_by_class = found.get("train", {})
        unlabelled = _unlabelled(walk)
        labelled = any(train_by_class.values())
        # Where nobody has labelled anything to learn from, the others say what the classes are.
        first = next((one for one in found.values() if one), {})
        classes = tuple(sorted(train_by_class or first))
        if train_by_class or not unlabelled:
            _check_classes(path, train_by_class, labelled or not unlabelled)
        if train_by_class or unlabelled or not classes:
            _check_count(path, classes)
        else:
            notes.append(t("{path} has no train split: it can validate, but nothing can be learnt "
                           "from it.", path=path))  # fmt: skip
        for split in ("val", "test"):
            _check_others(path, split, classes, found.get(split, {}))
        train = _labelled(classes, train_by_class)
        train.paths.extend(unlabelled)
        train.labels.extend([UNLABELLED] * len(unlabelled))
        others = {split: _labelled(classes, found.get(split, {})) for split in ("val", "test")}
        notes += _notes(walk, path, classes, found.get("val", {}))
        return LabelledSplits(
            path, "classification", classes, train, others["val"] if others["val"] else None,
            tuple(notes), others["test"] if others["test"] else None,
        )  # fmt: skip

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """The same as items; a fault of the layout is one fault."""
        listing = self.read(path)
        found: dict[str, list[Item]] = {}
        for split, listed in listing.splits():
            rows = zip(listed.paths, listed.labels, strict=True)
            items = [Item(one, label=label) for one, label in rows]
            found[split] = [one for one in items if measure(path, one, faults)]
        return Content(path, "classification", "classification", listing.classes,
                       found["train"], found.get("val"), listing.notes,
                       found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """Pictures in the folder of their class."""
        return FolderWriter(target, classes)


class FolderWriter:
    """`<split>/<class>/<name>`, `unlabeled/<name>`: linked or copied."""

    def __init__(self, target: Path, classes: tuple[str, ...]) -> None:
        check_class_names(classes)  # each becomes a folder
        self.target, self.classes = target, classes

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        if source is None:
            return [t("an image folder is nothing but its pictures")]
        name = placed(item)
        if item.label == UNLABELLED:
            put_image(source, self.target / "unlabeled" / name)
            return [] if split == "train" else [t("what nobody has labelled leaves its split")]
        of_class = self.classes[item.label]
        below = name.removeprefix(f"{of_class}/").replace("/", "__")
        put_image(source, self.target / split / of_class / below)
        return [] if item.confidence is None else [t("confidences are left out")]

    def close(self) -> None:
        """Nothing: an empty class folder would be an error of whoever reads it."""


def _by_split(walk: Walk, notes: list[str]) -> dict[str, dict[str, list[bytes]]]:
    """The pictures of each class of each split that is there."""
    splits = split_folders(walk.root)
    if not splits:
        found = _by_class(walk, "")
        if found:
            notes.append(
                t("The class folders lie at the top of {path}, in no split's folder: all of them "
                  "are read as train.", path=walk.root)
            )  # fmt: skip
        return {"train": found}
    beside = [one for one in walk.folders(walk.root)
              if split_of(one) is None and one.casefold() not in BESIDE]  # fmt: skip
    if beside:
        notes.append(t("Beside the splits' folders of {path} lie {names}, which are not read.",
                       path=walk.root, names=told(beside)))  # fmt: skip
    loose = len(walk.images(walk.root, deep=False))
    if loose:
        notes.append(t("{count} pictures lie at the top of {path}, in no class folder, and are not "
                       "read.", count=loose, path=walk.root))  # fmt: skip
    found_by_split: dict[str, dict[str, list[bytes]]] = {}
    for split, folders in splits.items():
        of_split = found_by_split.setdefault(split, {})
        for folder in folders:
            for name, images in _by_class(walk, folder).items():
                of_split.setdefault(name, []).extend(images)
        if len(folders) > 1:
            notes.append(t("{split} is read from several folders: {names}.", split=split,
                           names=", ".join(folders)))  # fmt: skip
    return found_by_split


def _by_class(walk: Walk, below: str) -> dict[str, list[bytes]]:
    folder = walk.root / below
    names = [one for one in walk.folders(folder) if below or one.casefold() not in BESIDE]
    strange = [one for one in names if one.casefold() in NOT_CLASSES]
    if strange:
        raise DataError(
            "The folder {folder} is named like a part of another layout, not like a class.",
            folder=folder / strange[0],
            fix="Lay the data set out as that layout asks, or rename the folder if it is a class.",
        )
    found = {name: walk.images(folder / name) for name in names}
    loose = walk.images(folder, deep=False)
    if loose and not found:
        raise DataError(
            "{folder} holds pictures, but no folder for each class.",
            folder=folder,
            fix="Put them into {folder}/<class>/, or those without a label into {root}/unlabeled/.",
            root=walk.root,
        )
    if loose:
        raise DataError(
            "{count} pictures lie in {folder} itself, outside the class folders: {names}.",
            count=len(loose),
            folder=folder,
            names=told([Path(one.decode(errors="replace")).name for one in loose]),
            fix="Put them into {folder}/<class>/, or those without a label into {root}/unlabeled/.",
            root=walk.root,
        )
    return found


def _unlabelled(walk: Walk) -> list[bytes]:
    folder = walk.root / "unlabeled"
    return walk.images(folder) if folder.is_dir() else []


def _check_classes(path: Path, by_class: dict[str, list[bytes]], want_images: bool) -> None:
    empty = [name for name, files in by_class.items() if not files]
    if want_images and by_class and len(empty) == len(by_class):
        raise DataError(
            "The data set {path} is empty: no class folder of train holds a picture.",
            path=path,
            fix="Put pictures into {path}/train/<class>/.",
        )
    if want_images and empty:
        raise DataError(
            "In {path}/train the class folder {names} holds no picture.",
            path=path,
            names=told(empty),
            fix="Put pictures into it, or take it away.",
        )


def _check_count(path: Path, classes: tuple[str, ...]) -> None:
    if not classes:
        raise DataError(
            "The data set {path} has no class folder.",
            path=path,
            fix="Put pictures into {path}/train/<class>/.",
        )
    if len(classes) == 1:
        raise DataError(
            "The data set {path} has only one class, {name}; two are the least.",
            path=path,
            name=classes[0],
            fix="Add a folder of pictures of something else: {path}/train/<class>/.",
        )


def _check_others(
    path: Path, split: str, classes: tuple[str, ...], by_class: dict[str, list[bytes]]
) -> None:
    extra = sorted(name for name in by_class if name not in classes)
    if extra:
        raise DataError(
            "{path}/{split} has the class {names}, which train lacks.",
            path=path,
            split=split,
            names=told(extra),
            allowed=classes[:20],
            fix="Add it to train, or take it out of {split}.",
        )


def _labelled(classes: tuple[str, ...], by_class: dict[str, list[bytes]]) -> LabelledPaths:
    listed = LabelledPaths([], [])
    for label, name in enumerate(classes):
        files = by_class.get(name, [])
        listed.paths.extend(files)
        listed.labels.extend([label] * len(files))
    return listed


def _notes(
    walk: Walk, path: Path, classes: tuple[str, ...], val_by_class: dict[str, list[bytes]]
) -> list[str]:
    notes = []
    if walk.other_files:
        notes.append(
            t(
                "{count} files in {path} are no pictures by their names and were left out.",
                count=walk.other_files,
                path=path,
            )
        )
    missing = [name for name in classes if not val_by_class.get(name)]
    if missing and any(val_by_class.values()):
        notes.append(
            t(
                "val has no picture of {names}; scores of that class will say nothing.",
                names=told(missing),
            )
        )
    return notes
