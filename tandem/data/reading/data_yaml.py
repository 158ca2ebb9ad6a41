"""Ultralytics' data.yaml: read with care, and its paths, also another machine's, found here."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterator
from pathlib import Path

import yaml

from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.reading.file_names import FileNames, forward, is_folder
from tandem.data.reading.files import JsonObject, inside, is_there
from tandem.data.reading.split_names import SPLITS, split_folders, split_of
from tandem.data.reading.texts import lines_of, read_label_text
from tandem.data.reading.walk import Walk
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml")
LARGEST_YAML_BYTES = 1_000_000
MOST_BRACKETS = 2000
LONGEST_NUMBER = 15
"""Digits."""
NOTHING = ("", "~", "null", "none")
"""What stands for a path that is not given."""
_NESTED = re.compile(r"(?:[-?][ \t]+){20}")


class _PlainLoader(yaml.BaseLoader):
    """Every value as the text that stands there: `no`, `007`, `12:30` and `null` are names.

    Without tags and aliases: one may stand for another without end, and names and paths need none.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        event: object = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None) not in (None, "!", "tag:yaml.org,2002:str"):
            raise yaml.YAMLError("tags are not read")
        return super().compose_node(parent, index)

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        found: dict[Hashable, object] = super().construct_mapping(node, deep=deep)
        if len(found) != len(node.value):
            raise yaml.YAMLError("a key comes twice")
        return found


def find(path: Path) -> Path | None:
    """The file, by the names that are used for it."""
    return next((path / name for name in YAML_NAMES if (path / name).is_file()), None)


def read(path: Path, faults: Faults) -> JsonObject:
    """What it says, every value a text; {} without one.

    DataError for what is no YAML, or hostile.
    """
    file = find(path)
    if file is None:
        return {}
    if file.stat().st_size > LARGEST_YAML_BYTES:
        raise DataError("{file} is too large to be a data.yaml.", file=file)
    text = read_label_text(path, file, faults)
    try:
        # PyYAML takes time by the square of the depth, and its C loader has no end of it.
        if text.count("[") + text.count("{") > MOST_BRACKETS or _NESTED.search(text):
            raise yaml.YAMLError("it is nested too deep")
        told = yaml.load(text, Loader=_PlainLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(
            "{file} is no YAML: {reason}.",
            file=file,
            reason=" ".join(str(error).split())[:120],
            fix="Mend it.",
        ) from error
    if not isinstance(told, dict):
        raise DataError("{file} holds no names and paths.", file=file, fix="Mend it.")
    return {str(key): value for key, value in told.items()}


def whole(value: object) -> int | None:
    """A whole number of the YAML, whose values are texts; None for what is none."""
    text = str(value).strip()
    plain = isinstance(value, str | int) and text.isascii() and text.isdecimal()
    return int(text) if plain and len(text) <= LONGEST_NUMBER else None


def sources(
    path: Path, told: JsonObject, notes: list[str], faults: Faults
) -> dict[str, list[Path]]:
    """The folders of each split's pictures, or files that list them, where the split is there."""
    found = {split: _of_split(path, told, split, notes, faults) for split in SPLITS}
    if not any(found.values()):
        found["train"] = _without_splits(path)
    if found["val"] and found["val"] == found["train"]:
        notes.append(t("data.yaml gives train and val the same pictures; val is left out."))
        found["val"] = []
    for other in ("train", "val"):
        if found["test"] and found["test"] == found[other]:
            notes.append(t("data.yaml gives test the same pictures as {split}; test is left out.",
                           split=other))  # fmt: skip
            found["test"] = []
    return {split: several for split, several in found.items() if several}


def _said(told: JsonObject, split: str) -> list[str]:
    """What the YAML names for a split, under whatever name it has there."""
    found: list[str] = []
    for key, value in told.items():
        if split_of(key) == split:
            several = value if isinstance(value, list) else [value]
            found += [one for one in several
                      if isinstance(one, str) and one.strip().lower() not in NOTHING]  # fmt: skip
    return found


def _of_split(
    path: Path, told: JsonObject, split: str, notes: list[str], faults: Faults
) -> list[Path]:
    several = _said(told, split)
    found = [_place(path, told, split, one, notes) for one in several]
    if found and all(found):
        return [one for one in found if one is not None]
    if any(found):
        raise DataError(
            "data.yaml names several places for {split}, and not all of them are here.",
            split=split,
            got=several,
            fix="Mend data.yaml.",
        )
    usual = _usual(path, split)
    if several and usual:
        notes.append(
            t(
                "data.yaml says {said} for {split}; {found} of this folder is meant.",
                said=several[0],
                split=split,
                found=usual[0].relative_to(path).as_posix(),
            )
        )
    elif several:
        faults.add("data.yaml", 0, "it says {said} for {split}, and nothing is there",
                   warning=True, said=several[0][:200], split=split)  # fmt: skip
    return usual


def _usual(path: Path, split: str) -> list[Path]:
    """Where a split's pictures lie if no data.yaml says it: images/train, train/images, train."""
    below = path / "images"
    inner = split_folders(below).get(split, []) if below.is_dir() else []
    if inner:
        return [below / one for one in inner]
    names = split_folders(path).get(split, [])
    return [path / one / "images" if (path / one / "images").is_dir() else path / one
            for one in names]  # fmt: skip


def _without_splits(path: Path) -> list[Path]:
    """All there is: a list of Darknet's, a folder images, or the folder itself (labelImg)."""
    listed = path / "train.txt"
    if (path / "obj.names").is_file() and is_there(listed):
        return [listed]
    whole = path / "images"
    return [whole if whole.is_dir() else path]


def _place(path: Path, told: JsonObject, split: str, said: str, notes: list[str]) -> Path | None:
    """A folder, or a .txt list, as the YAML says, or where such a path ends here."""
    given = Path(said)
    base = Path("" if str(told.get("path") or "").lower() in NOTHING else str(told["path"]))
    here = path / given if base.is_absolute() else path / base / given
    if not given.is_absolute() and _is_source(here) and inside(path, here):
        return here
    found = _tail(path, said)
    if found is not None and (given.is_absolute() or base.is_absolute()):
        notes.append(
            t(
                "data.yaml says {said} for {split}; {found} of this folder is meant.",
                said=str(base / given),
                split=split,
                found=found.relative_to(path).as_posix(),
            )
        )
    return found


def _is_source(path: Path) -> bool:
    return is_folder(path) or (path.suffix == ".txt" and is_there(path))


def _tail(path: Path, given: str, names: FileNames | None = None) -> Path | None:
    """The longest end of a foreign path that is here."""
    parts = [one for one in forward(given).split("/") if one not in ("", ".", "..")]
    for start in range(len(parts)):
        found = path.joinpath(*parts[start:])
        found = found if names is None else names.find(found) or found
        is_one = _is_source(found) or (is_image(found.name) and is_there(found))
        if is_one and inside(path, found):
            return found
    return None


def images(walk: Walk, places: list[Path], names: FileNames, faults: Faults) -> Iterator[bytes]:
    """Relative to the data set's root: what is in the folders and in the lists."""
    for place in places:
        if place.is_dir():
            yield from walk.images(place)
            continue
        walk.check(place)
        text = read_label_text(walk.root, place, faults)
        for line, said in enumerate(lines_of(text), 1):
            if not said.strip():
                continue
            found = _tail(walk.root, said.strip(), names)
            if found is None or not is_image(found.name):
                name = os.path.relpath(place, walk.root)
                faults.add(name, line, "the picture {file} is not there", file=said.strip()[:200])
            else:
                yield os.fsencode(os.path.relpath(found, walk.root))


def label_file(image: str, suffix: str = ".txt") -> str:
    """Ultralytics' rule: the last `images` of the path becomes `labels`."""
    parts = image.split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return os.path.splitext("/".join(parts))[0] + suffix  # noqa: PTH122  as fast as it goes
