"""`train/<class>/*`, `val/<class>/*`, `unlabeled/*`: a class is a folder's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item
from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.reading.files import SPLITS, measure
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.labelled_paths import LabelledPaths, LabelledSplits
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import check_class_names, placed, put_image
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

NAMED = 5
"""Names told in one sentence; the rest are counted."""


@register.format(
    "classification",
    files="train/<class>/*, val/<class>/*, unlabeled/*",
    kinds={"classification"},
    holds={"label"},
    zh="图片放在以类别命名的文件夹中；类别文件夹里还可以有子文件夹。",
)
class ImageFolder:
    """Pictures in folders named by their class; a class folder may hold folders of its own."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there is a split with class folders, or with pictures that should have them."""
        return any(
            folder.folders(split) or any(map(is_image, folder.names(split))) for split in SPLITS
        )

    def read(self, path: Path) -> LabelledSplits:
        """Every picture's name and class; DataError for a layout that cannot be meant."""
        walk = Walk(path)
        train_by_class = _by_class(walk, "train")
        val_by_class = _by_class(walk, "val")
        unlabelled = _unlabelled(walk)
        labelled = any(train_by_class.values())
        if not train_by_class and unlabelled:
            # Nobody has labelled anything to learn from; val still says what the classes are.
            classes = tuple(sorted(val_by_class))
        else:
            classes = tuple(sorted(train_by_class))
            _check_classes(path, train_by_class, labelled or not unlabelled)
        _check_count(path, classes)
        _check_val(path, classes, val_by_class)
        train = _labelled(classes, train_by_class)
        train.paths.extend(unlabelled)
        train.labels.extend([UNLABELLED] * len(unlabelled))
        val = _labelled(classes, val_by_class)
        notes = _notes(walk, path, classes, val_by_class)
        return LabelledSplits(
            path, "classification", classes, train, val if len(val) else None, notes
        )

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """The same as items; a fault of the layout is one fault."""
        listing = self.read(path)
        splits = {"train": listing.train} | ({"val": listing.val} if listing.val else {})
        found: dict[str, list[Item]] = {}
        for split, listed in splits.items():
            rows = zip(listed.paths, listed.labels, strict=True)
            items = [Item(one, label=label) for one, label in rows]
            found[split] = [one for one in items if measure(path, one, faults)]
        return Content(path, "classification", "classification", listing.classes,
                       found["train"], found.get("val"), listing.notes)  # fmt: skip

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
        name = placed(item, source)
        if item.label == UNLABELLED:
            put_image(source, self.target / "unlabeled" / name)
            return []
        of_class = self.classes[item.label]
        below = name.removeprefix(f"{of_class}/").replace("/", "__")
        put_image(source, self.target / split / of_class / below)
        return [] if item.confidence is None else [t("confidences are left out")]

    def close(self) -> None:
        for one in self.classes:
            (self.target / "train" / one).mkdir(parents=True, exist_ok=True)


def _by_class(walk: Walk, split: str) -> dict[str, list[bytes]]:
    folder = walk.root / split
    if not folder.is_dir():
        return {}
    found = {name: walk.images(folder / name) for name in walk.folders(folder)}
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


def _check_val(path: Path, classes: tuple[str, ...], by_class: dict[str, list[bytes]]) -> None:
    extra = sorted(name for name in by_class if name not in classes)
    if extra:
        raise DataError(
            "{path}/val has the class {names}, which train lacks.",
            path=path,
            names=told(extra),
            allowed=classes[:20],
            fix="Add it to train, or take it out of val.",
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
) -> tuple[str, ...]:
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
    return tuple(notes)


def told(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    shown = ", ".join(names[:NAMED])
    more = len(names) - NAMED
    return t("{names} and {more} more", names=shown, more=more) if more > 0 else shown
