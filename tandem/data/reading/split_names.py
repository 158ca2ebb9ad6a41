"""The names that the world gives the splits of a data set, in folders and in file names."""

from __future__ import annotations

from pathlib import Path

SPLITS = ("train", "val", "test")
SPLIT_NAMES: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval"),
    "test": ("test", "testing"),
}
"""Each split's names in lower case, Tandem's own first: Roboflow writes valid, Keras and Hugging
Face validation, GLUE dev."""
_BY_NAME = {name: split for split, names in SPLIT_NAMES.items() for name in names}


def split_of(name: str) -> str | None:
    """The split that a folder's or a file's name means, in any case; None where it means none."""
    return _BY_NAME.get(name.casefold())


def split_folders(path: Path) -> dict[str, list[str]]:
    """The names of the folders directly in `path` that are a split's, by split.

    Several where, say, both val/ and valid/ are there: a reader reads all of them.
    """
    found: dict[str, list[str]] = {}
    for one in sorted(path.iterdir()):
        split = split_of(one.name)
        if split is not None and one.is_dir():
            found.setdefault(split, []).append(one.name)
    return {split: found[split] for split in SPLITS if split in found}


def split_files(path: Path, suffixes: tuple[str, ...]) -> dict[str, list[Path]]:
    """The files directly in `path` whose stem is a split's name, by split, by their suffixes."""
    found: dict[str, list[Path]] = {}
    for one in sorted(path.iterdir()):
        split = split_of(one.stem)
        if split is not None and one.suffix.lower() in suffixes and one.is_file():
            found.setdefault(split, []).append(one)
    return {split: found[split] for split in SPLITS if split in found}
