"""The data sets that lie under the configured root, found by themselves."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from tandem.server.context import Context
from tandem.server.datasets.look import Look, look
from tandem.server.wire.dataset import DatasetOut


def every(context: Context) -> list[DatasetOut]:
    """Each folder directly under the root, by name. Links that leave the root are passed over."""
    root = context.settings.datasets_root
    try:
        with os.scandir(root) as entries:
            found = [Path(e.path) for e in entries if _is_one(e, root)]
    except OSError:  # no root yet: no data sets
        return []
    return [_shown(folder) for folder in sorted(found, key=lambda one: one.name.casefold())]


def _is_one(entry: os.DirEntry[str], root: Path) -> bool:
    if entry.name.startswith(".") or not entry.name.isprintable() or not entry.is_dir():
        return False
    return not entry.is_symlink() or Path(entry.path).resolve().is_relative_to(root.resolve())


def _shown(folder: Path) -> DatasetOut:
    seen = _seen(folder, _changed_at(folder))
    return DatasetOut(
        label=folder.name,
        value=folder.name,
        type=seen.type,
        path=str(folder),
        description=seen.description,
    )


def _changed_at(folder: Path) -> tuple[int, ...]:
    """Changes when names come or go in it or in its train folder."""
    times = []
    for one in (folder, folder / "train"):
        try:
            times.append(one.stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return tuple(times)


@lru_cache(maxsize=10_000)
def _seen(folder: Path, changed_at: tuple[int, ...]) -> Look:  # noqa: ARG001  a part of the key
    return look(folder)
