"""The files of a data set by name only: found, sorted and kept inside its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tandem.data.images import is_image
from tandem.spec.errors import DataError

_NOT_DATA = frozenset({"__MACOSX", "$RECYCLE.BIN", "System Volume Information", "@eaDir"})


@dataclass
class Walk:
    """Goes through folders of a data set; counts what it leaves out."""

    root: Path
    other_files: int = 0
    _real_root: Path = field(init=False)
    _within: set[Path] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._real_root = self.root.resolve()

    def folders(self, folder: Path) -> list[str]:
        """Names of the folders directly in it, sorted; hidden ones are skipped."""
        self._check_folder(folder)
        return [entry.name for entry in self._entries(folder) if entry.is_dir()]

    def images(self, folder: Path, *, deep: bool = True) -> list[bytes]:
        """Pictures in it, at any depth if `deep`: relative to the data set's root, sorted."""
        self._check_folder(folder)
        return sorted(self._images(folder, deep, ()))

    def check(self, file: Path) -> None:
        """DataError where a link in the file's path leads out of the data set."""
        self._check_folder(file.parent)
        if file.is_symlink():
            self._check_link(file)

    def _check_folder(self, folder: Path) -> None:
        if folder not in self._within and folder.exists():
            self._check_link(folder)
            self._within.add(folder)

    def _images(self, folder: Path, deep: bool, above: tuple[str, ...]) -> Iterator[bytes]:
        here = os.path.realpath(folder)
        if here in above:
            raise DataError(
                "The link {path} leads back to a folder that it lies in.",
                path=folder,
                fix="Take the link away.",
            )
        for entry in self._entries(folder):
            if entry.is_dir():
                if deep:
                    yield from self._images(folder / entry.name, deep, (*above, here))
            elif is_image(entry.name) and entry.is_file():
                yield os.fsencode(os.path.relpath(entry.path, self.root))
            else:
                self.other_files += 1

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(
                "The folder {path} cannot be read: {reason}.",
                path=folder,
                reason=error.strerror,
                fix="Check that it is a folder and that you may read it.",
            ) from error
        kept = [one for one in entries if one.name[0] != "." and one.name not in _NOT_DATA]
        for entry in kept:
            if entry.is_symlink():
                self._check_link(Path(entry.path))
        return kept

    def _check_link(self, link: Path) -> None:
        target = Path(os.path.realpath(link))
        if not target.is_relative_to(self._real_root):
            raise DataError(
                "The link {path} leads out of the data set, to {target}.",
                path=link,
                target=target,
                fix="Copy the files into the data set in place of the link.",
            )
        if not target.exists():
            raise DataError(
                "The link {path} leads nowhere.", path=link, fix="Take it away or mend it."
            )
