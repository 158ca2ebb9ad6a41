"""The index of a data set for its pages: built once for what lies there, by a process of its own.

See `tandem.data.inspection.index`. The files lie under TANDEM_HOME, and are made anew when gone.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypedDict

from filelock import FileLock, Timeout

from tandem.server.context import Context
from tandem.server.datasets.uploads import hash_of
from tandem.server.errors import UnavailableError

PATIENCE_SECONDS = 60.0
"""How long a second request waits for the first one's reading."""
LONGEST_SECONDS = 900.0
MOST_KEPT = 50
"""Indexes of data sets; the ones longest unused go first."""


class IndexAbout(TypedDict):
    """What an index says of its data set: see `build` in `tandem.data.inspection.index`."""

    plan: list[str]
    signature: str
    message: str | None
    classes: list[str]
    kind: str
    type: str
    masks_counted: int
    masks_uncounted: int


class DatasetIndex:
    """One that is open for reading."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self.base = base
        base.row_factory = sqlite3.Row
        rows = base.execute("SELECT key, value FROM about").fetchall()
        # Each value is JSON already: together they are one object.
        told = ", ".join(f"{json.dumps(row['key'])}: {row['value']}" for row in rows)
        self.about: IndexAbout = json.loads(f"{{{told}}}")

    @property
    def classes(self) -> list[str]:
        """In their order."""
        return self.about["classes"]

    def splits(self) -> dict[str, int]:
        """How many items each has."""
        found = self.base.execute(
            "SELECT split, COUNT(*) AS count FROM item GROUP BY split ORDER BY split = 'val', split"
        )
        return {row["split"]: row["count"] for row in found}


@contextmanager
def opened(context: Context, folder: Path, *, fresh: bool = True) -> Iterator[DatasetIndex]:
    """The index of what lies there; `fresh` False: of what lay there when a page was shown."""
    file = _file(context, folder.name)
    if not file.is_file() or (fresh and not _is_current(file, folder)):
        _build(file, folder)
    with closing(_connect(file)) as base:
        yield DatasetIndex(base)


def forget(context: Context, name: str) -> None:
    """Have the next page read the data set anew, whatever its sizes and times say."""
    _file(context, name).unlink(missing_ok=True)


def _file(context: Context, name: str) -> Path:
    return context.settings.home / "browse" / f"{hash_of(name)}.db"


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _is_current(file: Path, folder: Path) -> bool:
    from tandem.data.inspection.changes import signature

    try:
        with closing(_connect(file)) as base:
            about = DatasetIndex(base).about
        same: bool = signature(folder, about["plan"]) == about["signature"]
    except (sqlite3.Error, KeyError, ValueError):
        return False
    return same


def _build(file: Path, folder: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(file.with_suffix(".lock"), timeout=PATIENCE_SECONDS, thread_local=False):
            if file.is_file() and _is_current(file, folder):
                return
            command = [sys.executable, "-m", "tandem.data.inspection.index", str(folder), str(file)]
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=LONGEST_SECONDS, check=False,
            )  # fmt: skip
    except (Timeout, subprocess.TimeoutExpired):
        raise UnavailableError(
            "The data set {name} is still being read.", name=folder.name,
            fix="Try again in a minute.",
        ) from None  # fmt: skip
    if ended.returncode or not file.is_file():
        last = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise UnavailableError(
            "The data set {name} could not be read: {reason}.", name=folder.name,
            reason=(last or ["-"])[0][:200], fix="Check it, then try again.",
        )  # fmt: skip
    _bound(file.parent)


def _bound(folder: Path) -> None:
    files = sorted(folder.glob("*.db"), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in files[MOST_KEPT:]:
        old.unlink(missing_ok=True)
        old.with_suffix(".lock").unlink(missing_ok=True)
