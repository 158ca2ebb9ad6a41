"""Class folders that lie at the top of a data set, in no split's folder."""

from __future__ import annotations

from collections.abc import Sequence

from tandem.data.images import is_image
from tandem.data.reading.folder_listing import MOST_FOLDERS, FolderListing
from tandem.spec.i18n import t

NOT_CLASSES = frozenset({"images", "masks", "labels", "annotations", "jpegimages", "imagesets",
                         "segmentationclass", "segmentationobject"})  # fmt: skip
"""Folders that are a part of a layout in every case: no class is named so, in lower case."""
NAMED = 5
"""Names told in one sentence; the rest are counted."""
BESIDE = frozenset({"unlabeled", "predictions"})
"""Folders beside those of splits or classes that are neither: the second is what models said."""


def class_folders(folder: FolderListing) -> list[str]:
    """The folders at the top that may be classes; none where one is a part of another layout."""
    found = folder.folders()
    if any(one.casefold() in NOT_CLASSES for one in found):
        return []
    return [one for one in found if one.casefold() not in BESIDE]


def holds_images(folder: FolderListing, path: str) -> bool:
    """Whether pictures lie in the folder or in one directly in it, as far as is looked."""
    looked = [path, *folder.folders(path)[:MOST_FOLDERS]]
    return any(is_image(name) for one in looked for name in folder.names(one))


def told(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    shown = ", ".join(names[:NAMED])
    more = len(names) - NAMED
    return t("{names} and {more} more", names=shown, more=more) if more > 0 else shown
