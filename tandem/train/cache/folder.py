"""A folder of the cache: one teacher, one way of drawing views."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from tandem.spec.errors import CacheError
from tandem.train.cache.disk import room, write_bytes
from tandem.train.cache.shards import FORMAT, keys_of, read_shards
from tandem.train.data.augment import Views
from tandem.train.types import ImageTable, Teacher

LOCK = ".lock"
MANIFEST = "manifest.json"
_SAMPLE = 64


class Manifest(BaseModel):
    """Whose signals a folder keeps. Its time of change is when the folder was last used."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    format: int
    teacher: str
    views: str
    image_size: int


def read_manifest(folder: Path) -> Manifest | None:
    """None where there is none, or none that can be read."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None


def claim(folder: Path, teacher: Teacher, views: Views) -> None:
    """Write the manifest of a new folder; CacheError for one that is somebody else's."""
    mine = Manifest(
        format=FORMAT,
        teacher=teacher.fingerprint,
        views=views.fingerprint,
        image_size=teacher.image_size,
    )
    found = read_manifest(folder)
    if found is None and (folder / MANIFEST).exists():
        found = Manifest(format=0, teacher="?", views="?", image_size=0)
    if found is not None and found != mine:
        raise CacheError(
            "The cache {folder} is of another teacher, other views or another version.",
            folder=folder,
            fix="Delete that folder; it will be filled anew.",
        )
    if found is None:
        with room(folder):
            write_bytes(folder / MANIFEST, [memoryview(mine.model_dump_json().encode())])
    # When it was last used: `tandem cache gc` removes the longest unused first.
    os.utime(folder / MANIFEST)


def holds_others(folder: Path, table: ImageTable) -> bool:
    """Whether a folder beside this one keeps signals of some of these pictures."""
    rows = np.linspace(0, len(table) - 1, min(len(table), _SAMPLE)).astype(np.int64)
    mine = keys_of(table.hashes_N[rows], 0)
    for other in sorted(folder.parent.iterdir()):
        if other == folder or read_manifest(other) is None:
            continue
        shards, _ = read_shards(other / "pooled")
        if any(np.isin(mine, shard.keys()).any() for shard in shards):
            return True
    return False
