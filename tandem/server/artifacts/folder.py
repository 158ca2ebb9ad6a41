"""The folder of a task's run: what lies in it, and nothing outside."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from tandem.server.context import Context
from tandem.server.db.tables import Job, Task
from tandem.server.errors import ForbiddenError, NotFoundError
from tandem.server.host.paths import inside, really_below
from tandem.server.tasks import queries as tasks
from tandem.server.tasks.service import missing

BLOCK_BYTES = 2**18
MOST_FILES = 10_000
SAFE_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
"""What a run left is shown by no browser as a page of this service."""


def of_task(context: Context, task_id: str) -> tuple[Path, str]:
    """The folder, inside the output root, and the task's name; NotFoundError without the task."""
    with context.database.read() as session:
        found = tasks.one(session, task_id, (Task.task_id, Task.task_name))
        if found is None:
            raise missing(task_id)
        kept = session.scalar(select(Job.run_dir).where(Job.task_id == found["task_id"]))
    root = context.settings.output_root
    folder = really_below(kept or inside(root, found["task_id"]), root)
    if folder is None:
        raise ForbiddenError("The folder of this run is outside of the output root.")
    return folder, str(found["task_name"])


def files(folder: Path) -> Iterator[Path]:
    """Regular files in a fixed order; hidden ones, and links that lead out, are passed over."""
    base = Path(os.path.realpath(folder))
    for where, folders, names in os.walk(base):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where) / name
            real = really_below(path, base)
            if not name.startswith(".") and real is not None and real.is_file():
                yield path


def one_file(folder: Path, name: str) -> Path:
    """A file of the folder; NotFoundError when it is none, ForbiddenError when it is outside."""
    path = inside(folder, name)
    if not path.is_file():
        raise NotFoundError("This run has no file {name}.", name=name[:200])
    return path


class _Sink:
    """Takes what a ZIP says and gives it on: nothing is kept."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        parts, self.parts = self.parts, []
        return b"".join(parts)


def zipped(folder: Path) -> Iterator[bytes]:
    """The folder as a ZIP, a block at a time; the same bytes for the same files."""
    base = Path(os.path.realpath(folder))
    chosen = list(files(base))
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for path in chosen:
            info = zipfile.ZipInfo(path.relative_to(base).as_posix(), (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as into:
                while block := source.read(BLOCK_BYTES):
                    into.write(block)
                    yield sink.taken()
    yield sink.taken()


def refuse_links_out(folder: Path) -> None:
    """ForbiddenError when a link leaves the folder: asked before an answer begins."""
    base = Path(os.path.realpath(folder))
    for where, folders, names in os.walk(base):
        for name in [*folders, *names]:
            path = Path(where) / name
            if path.is_symlink() and really_below(path, base) is None:
                raise ForbiddenError(
                    "The folder holds a link that leads out of it: {name}.",
                    name=path.relative_to(base).as_posix(),
                    fix="Delete that link.",
                )
