"""What a folder holds, from a bounded look: full validation is another matter."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tandem.spec.i18n import t

MOST_ENTRIES = 2000
"""Names read in one folder; beyond, a count is said to be more."""
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
TEXTS = (".jsonl", ".csv", ".tsv")
SPLITS = ("train", "val", "test")
INSTRUCTION_KEYS = {"instruction", "conversations", "messages"}
MOST_LOOKED_INTO = 20
"""Folders whose names are read to tell layouts apart."""
MOST_LINE_BYTES = 2**20


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
    known = _by_top(folder, names)
    if known:
        return Look(known)
    tables = [name for name in names if name.endswith(TEXTS)]
    if tables and "train" not in names:
        return Look("instruction" if _is_instruction(folder) else "text", files=len(tables))
    inner = folder / "train" if "train" in names else folder
    paired = _by_pairs(inner)
    return Look(paired) if paired else _by_classes(inner)


def _by_top(folder: Path, names: set[str]) -> str | None:
    """Layouts that the names at the top give away."""
    if {"data.yaml", "data.yml"} & names:
        return "yolo"
    if {"Annotations", "JPEGImages"} <= names:
        return "voc"
    if any(name.endswith(".json") for name in _names(folder / "annotations")):
        return "coco"
    if "masks" in names or "masks" in _names(folder / "train"):
        return "segmentation"
    if {"images", "labels"} <= names:
        return "yolo"
    return "caption" if {"metadata.csv", "metadata.jsonl"} & names else None


def _is_instruction(folder: Path) -> bool:
    """By the first line of train.jsonl, or of another split's."""
    for split in SPLITS:
        file = folder / f"{split}.jsonl"
        if not file.is_file():  # a pipe would hold the look up
            continue
        try:
            with file.open("rb") as opened:
                row = json.loads(opened.readline(MOST_LINE_BYTES))
        except (OSError, ValueError, RecursionError):
            continue
        return isinstance(row, dict) and bool(INSTRUCTION_KEYS & row.keys())
    return False


def _by_pairs(folder: Path) -> str | None:
    """What lies beside the pictures, by the same names: a JSON or a text for each."""
    for one in (folder, *_folders(folder)[:MOST_LOOKED_INTO]):
        stems: dict[str, set[str]] = {}
        for name in _names(one):
            stem, suffix = os.path.splitext(name.lower())  # noqa: PTH122  thousands of them
            stems.setdefault(suffix, set()).add(stem)
        pictures = set().union(*(stems.get(suffix, set()) for suffix in PICTURES))
        if pictures & stems.get(".json", set()):
            return "labelme"
        if one == folder and pictures & stems.get(".txt", set()):
            return "caption"
    return None


def _by_classes(folder: Path) -> Look:
    """Folders of pictures, or of clips: frames one folder deeper, or videos."""
    clips = 0
    for one in _folders(folder)[:MOST_LOOKED_INTO]:
        names = _names(one)
        if any(name.lower().endswith(PICTURES) for name in names):
            break
        clips += sum(name.lower().endswith(VIDEOS) for name in names)
        clips += sum(any(n.lower().endswith(PICTURES) for n in _names(two))
                     for two in _folders(one)[:MOST_LOOKED_INTO])  # fmt: skip
        if clips:
            return Look("sequence")
    return _classification(folder)


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
