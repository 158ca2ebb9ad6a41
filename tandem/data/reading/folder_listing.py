"""The names in a data set's folder, as far as it takes to tell what its layout is."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

MOST_NAMES = 2000
"""Names read in one folder. A layout shows in any of its files; millions say no more."""
MOST_FOLDERS = 50
"""Folders of one folder that a `sniff` looks into."""
MOST_FILES = 20
"""Files that it opens."""
HEAD_BYTES = 2**20


class FolderListing:
    """What `sniff` is given: it never reads on without end, and never raises.

    Names are those directly in a folder, sorted and without the hidden ones, of the first 2,000
    that the disk gives; each folder is read once. What is not there, or may not be read, is empty.
    Paths are relative to `root`, their parts joined by `/`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, dict[str, bool]] = {}

    def names(self, folder: str = "") -> list[str]:
        """The names of files and folders in it."""
        return list(self._entries(folder))

    def folders(self, folder: str = "") -> list[str]:
        """The paths of the folders in it."""
        return [_joined(folder, name) for name, is_one in self._entries(folder).items() if is_one]

    def below(self, folder: str, suffix: str) -> list[str]:
        """The paths of files with that suffix in it and in the folders below, some of many."""
        found: list[str] = []
        waiting = [folder]
        for _ in range(MOST_FOLDERS):
            if not waiting or len(found) >= MOST_FILES:
                break
            here = waiting.pop(0)
            waiting += self.folders(here)
            found += [_joined(here, one) for one in self.names(here) if one.endswith(suffix)]
        return sorted(found)[:MOST_FILES]

    def has_folder(self, path: str) -> bool:
        """Whether there is a folder of that path, links followed."""
        try:
            return (self.root / path).is_dir()
        except (OSError, ValueError):
            return False

    def has_file(self, path: str) -> bool:
        """Whether there is a regular file of that path, links followed."""
        try:
            return (self.root / path).is_file()
        except (OSError, ValueError):
            return False

    def head(self, path: str, most_bytes: int = HEAD_BYTES) -> bytes:
        """The beginning of a file."""
        # Only of a regular file: to open a pipe would wait for somebody who writes into it.
        if not self.has_file(path):
            return b""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(most_bytes)
        except OSError:
            return b""

    def _entries(self, folder: str) -> dict[str, bool]:
        """Each name in it, and whether it is a folder's."""
        if folder not in self._known:
            self._known[folder] = _read(self.root / folder)
        return self._known[folder]


def _read(folder: Path) -> dict[str, bool]:
    try:
        with os.scandir(folder) as found:
            shown = (one for one in found if not one.name.startswith("."))
            return dict(sorted((one.name, one.is_dir()) for one in islice(shown, MOST_NAMES)))
    except (OSError, ValueError):
        return {}


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
