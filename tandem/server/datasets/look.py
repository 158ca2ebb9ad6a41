"""What a folder holds, from a bounded look: full validation is another matter."""

from __future__ import annotations

from dataclasses import dataclass
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

    @property
    def description(self) -> str:
        """A line for people."""
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
    from tandem.data.registry import recognise

    try:
        entry = recognise(folder)
    except (DataError, OSError):
        return Look(UNKNOWN)
    listing = FolderListing(folder)
    if entry.kinds <= TEXTS:
        return Look(entry.name, files=sum(name.endswith(TABLES) for name in listing.names()))
    return _counted(listing) if entry.name == "classification" else Look(entry.name)


def _counted(listing: FolderListing) -> Look:
    """An image folder's classes and pictures; counting ends with the class that is one too many."""
    from tandem.data.images import is_image
    from tandem.data.reading.folder_listing import MOST_NAMES

    classes = listing.folders("train")
    files = seen = 0
    for one in classes:
        found = listing.names(one) if seen < MOST_NAMES else []
        seen += len(found)
        files += sum(map(is_image, found))
    return Look("classification", len(classes), files, more=seen >= MOST_NAMES)
