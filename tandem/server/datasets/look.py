"""What a folder holds, from a bounded look: full validation is another matter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.spec.errors import DataError
from tandem.spec.i18n import t

if TYPE_CHECKING:
    from tandem.data.reading.folder_listing import FolderListing

UNKNOWN = "unknown"
TABLES = (".jsonl", ".csv", ".tsv")
TEXTS = {"text", "instruction"}


@dataclass(frozen=True)
class Look:
    """What was seen."""

    type: str
    """The layout's name; `unknown` where no layout claims the folder."""
    classes: int = 0
    files: int = 0
    more: bool = False
    """There are more files than were counted."""
    could_be: tuple[str, ...] = ()
    """Other layouts that the folder can be read as."""
    problem: str = ""
    """Why nothing can be trained on it, as far as a look tells."""

    @property
    def description(self) -> str:
        """A line for people."""
        if self.problem:
            return t("cannot be trained on: {reason}", reason=self.problem)
        more = "+" if self.more else ""
        if self.classes:
            return t(
                "{classes} classes, {files} training pictures",
                classes=self.classes,
                files=f"{self.files}{more}",
            )
        return t("{files} files", files=f"{self.files}{more}") if self.files else ""


def look(folder: Path) -> Look:
    """The layout by the registry's own `sniff`; never raises on a folder that cannot be read."""
    # Imported here: the layouts bring numpy and Pillow, without which the service starts sooner.
    from tandem.data.reading.folder_listing import FolderListing
    from tandem.data.registry import readings

    try:
        entry, *others = readings(folder)
    except DataError as error:
        return Look(UNKNOWN, problem=error.sentence())
    except OSError as error:
        return Look(UNKNOWN, problem=error.strerror or str(error))
    listing = FolderListing(folder)
    seen = Look(entry.name)
    if entry.kinds <= TEXTS:
        seen = Look(entry.name, files=sum(name.endswith(TABLES) for name in listing.names()))
    elif entry.name == "classification":
        seen = _counted(listing)
    return replace(seen, could_be=tuple(one.name for one in others))


def _counted(listing: FolderListing) -> Look:
    """An image folder's classes and pictures; counting ends with the class that is one too many."""
    from tandem.data.images import is_image
    from tandem.data.reading.folder_listing import MOST_NAMES
    from tandem.data.reading.split_names import split_of
    from tandem.data.reading.top_folders import class_folders

    splits = {one: split_of(one) for one in listing.folders() if split_of(one) is not None}
    inner = [one for folder, split in splits.items() if split == "train"
             for one in listing.folders(folder)]  # fmt: skip
    classes = inner if splits else class_folders(listing)
    if splits and "train" not in splits.values():
        return Look("classification", problem=t("it has no train split; it can validate"))
    files = seen = 0
    for one in classes:
        found = listing.names(one) if seen < MOST_NAMES else []
        seen += len(found)
        files += sum(map(is_image, found))
    names = {Path(one).name for one in classes}
    if len(names) < 2 and not listing.has_folder("unlabeled"):
        return Look("classification", problem=t("it has {count} class folders, and two are the "
                                                "least", count=len(names)))  # fmt: skip
    return Look("classification", len(names), files, more=seen >= MOST_NAMES)
