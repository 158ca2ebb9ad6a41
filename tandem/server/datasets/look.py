"""What a folder holds, from a bounded look: full validation is another matter."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tandem.spec.words import t

MOST_ENTRIES = 2000
"""Names read in one folder; beyond, a count is said to be more."""
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")
TEXTS = (".jsonl", ".csv", ".tsv")


@dataclass(frozen=True)
class Look:
    """What was seen."""

    type: str
    classes: int = 0
    files: int = 0
    more: bool = False

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
    """The type by what lies where; never raises on a folder that cannot be read."""
    names = _names(folder)
    if {"data.yaml", "data.yml"} & names:
        return Look("yolo")
    if any(name.endswith(".json") for name in _names(folder / "annotations")):
        return Look("coco")
    if "masks" in names or "masks" in _names(folder / "train"):
        return Look("segmentation")
    if any(name.endswith(TEXTS) for name in names):
        return Look("text", files=sum(name.endswith(TEXTS) for name in names))
    return _classification(folder / "train" if "train" in names else folder)


def _classification(folder: Path) -> Look:
    classes = files = seen = 0
    for one in _folders(folder):
        classes += 1
        found = _names(one) if seen < MOST_ENTRIES else set()
        seen += len(found)
        files += sum(name.lower().endswith(PICTURES) for name in found)
    if not classes:
        return Look("unknown")
    return Look("classification", classes, files, more=seen >= MOST_ENTRIES)


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            first = islice((e for e in entries if not e.name.startswith(".")), MOST_ENTRIES)
            return sorted(Path(e.path) for e in first if e.is_dir())
    except OSError:
        return []


def _names(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in islice(entries, MOST_ENTRIES)}
    except OSError:
        return set()
