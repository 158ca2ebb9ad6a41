"""Ultralytics' data.yaml: read with care, and its paths, also another machine's, found here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from tandem.data.faults import Faults
from tandem.data.images import is_image
from tandem.data.reading.files import SPLITS, JsonObject, inside, is_there, read_text
from tandem.data.reading.walk import Walk
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml")
LARGEST_YAML_BYTES = 1_000_000
MOST_BRACKETS = 2000
_NESTED = re.compile(r"(?:[-?][ \t]+){20}")


class _PlainLoader(yaml.SafeLoader):
    """Without aliases: one may stand for another without end, and names and paths need none."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def find(path: Path) -> Path | None:
    """The file, by the names that are used for it."""
    return next((path / name for name in YAML_NAMES if (path / name).is_file()), None)


def read(path: Path) -> JsonObject:
    """What it says; {} without one. DataError for what is no YAML, or hostile."""
    file = find(path)
    if file is None:
        return {}
    if file.stat().st_size > LARGEST_YAML_BYTES:
        raise DataError("{file} is too large to be a data.yaml.", file=file)
    text = read_text(file)
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
    return told


def sources(path: Path, told: JsonObject, notes: list[str]) -> dict[str, list[Path]]:
    """The folders of each split's pictures, or files that list them, where the split is there."""
    found = {split: _of_split(path, told, split, notes) for split in SPLITS}
    if found["val"] and found["val"] == found["train"]:
        notes.append(t("data.yaml gives train and val the same pictures; val is left out."))
        found["val"] = []
    return {split: several for split, several in found.items() if several}


def _of_split(path: Path, told: JsonObject, split: str, notes: list[str]) -> list[Path]:
    said = told.get(split, told.get("valid") if split == "val" else None)
    several = [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str)]
    found = [_place(path, told, split, one, notes) for one in several]
    if found and all(found):
        return [one for one in found if one is not None]
    for one in found:
        if one is None and any(found):
            raise DataError(
                "data.yaml names several places for {split}, and not all of them are here.",
                split=split,
                got=several,
                fix="Mend data.yaml.",
            )
    for one in (path / "images" / split, path / split / "images"):
        if one.is_dir():
            return [one]
    whole = path / "images"
    only = split == "train" and whole.is_dir() and not (whole / "val").is_dir()
    return [whole] if only else []


def _place(path: Path, told: JsonObject, split: str, said: str, notes: list[str]) -> Path | None:
    """A folder, or a .txt list, as the YAML says, or where such a path ends here."""
    given, base = Path(said), Path(str(told.get("path") or ""))
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
    return path.is_dir() or (path.suffix == ".txt" and is_there(path))


def _tail(path: Path, given: str) -> Path | None:
    """The longest end of a foreign path that is here."""
    parts = [one for one in given.replace("\\", "/").split("/") if one not in ("", ".", "..")]
    for start in range(len(parts)):
        found = path.joinpath(*parts[start:])
        is_one = _is_source(found) or (is_image(found.name) and is_there(found))
        if is_one and inside(path, found):
            return found
    return None


def images(walk: Walk, places: list[Path], faults: Faults) -> Iterator[bytes]:
    """Relative to the data set's root: what is in the folders and in the lists."""
    for place in places:
        if place.is_dir():
            yield from walk.images(place)
            continue
        walk.check(place)
        for line, said in enumerate(read_text(place).splitlines(), 1):
            if not said.strip():
                continue
            found = _tail(walk.root, said.strip())
            if found is None or not is_image(found.name):
                name = os.path.relpath(place, walk.root)
                faults.add(name, line, "the picture {file} is not there", file=said.strip()[:200])
            else:
                yield os.fsencode(os.path.relpath(found, walk.root))


def label_file(image: str) -> str:
    """Ultralytics' rule: the last `images` of the path becomes `labels`."""
    parts = image.split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return os.path.splitext("/".join(parts))[0] + ".txt"  # noqa: PTH122  as fast as it goes
