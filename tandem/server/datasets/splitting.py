"""A data set divided anew into another one: asked for by a request, done beside the checks.

What is to be done stands in the new data set's row until it is done, so that it survives a restart.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Annotated

from pydantic import Field
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.datasets import service, versions
from tandem.server.datasets.schemas import DatasetV1, Plain, summary_of
from tandem.server.datasets.uploads import CHECKING, FAULTY, check_name, hash_of
from tandem.server.db.dataset_tables import DatasetRow
from tandem.server.errors import ConflictError, UnavailableError
from tandem.server.host.clock import now

ROOM_BYTES = 64 * 2**20
FILE_BYTES = 4096
"""What a hard link may take in a folder's list, generously."""


class SplitIn(Plain):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    """The name of the new data set."""
    val_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.15
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


def begin(context: Context, name: str, asked: SplitIn) -> DatasetV1:
    """A place for the new data set; it is filled and checked in the background."""
    source = service.folder_of(context, name)
    known = service.one(context, name)
    if known.status == CHECKING or (known.status == FAULTY and known.errors):
        raise ConflictError(
            "The data set {name} is {status}.", name=source.name, status=known.status,
            fix="Wait for its check, or mend its faults and have it checked again.",
        )  # fmt: skip
    check_name(context, asked.name)
    _check_room(context, source)
    target = context.settings.datasets_root / asked.name
    try:
        target.mkdir()
    except FileExistsError:
        raise ConflictError(
            "There is a data set {name} already.", name=asked.name, fix="Choose another name."
        ) from None
    job = {"source": source.name, "val_ratio": asked.val_ratio, "seed": asked.seed}
    row = {
        "name_hash": hash_of(asked.name), "name": asked.name, "status": CHECKING,
        "summary": json.dumps({"split_from": job}), "created_at": now(),
    }  # fmt: skip
    try:
        context.database.run(lambda session: session.merge(DatasetRow(**row)))
    except BaseException:
        target.rmdir()
        raise
    context.wake()
    return service.one(context, asked.name)


def _check_room(context: Context, source: Path) -> None:
    """Pictures become links; masks, labels and texts are written anew."""
    from tandem.data.images import is_image

    needed = ROOM_BYTES
    for one in versions.walk(source):
        linked = is_image(one.path) and "masks" not in Path(one.path).parts
        needed += FILE_BYTES if linked else one.size + FILE_BYTES
    free = shutil.disk_usage(context.settings.datasets_root).free
    if free < needed:
        raise UnavailableError(
            "There is no room for the new data set: it takes {needed} MB, {free} MB are free.",
            needed=needed // 10**6, free=free // 10**6, fix="Free some space.",
        )  # fmt: skip


def waiting(context: Context, name: str) -> dict[str, object] | None:
    """What is to be done before it can be checked, or nothing."""
    with context.database.read() as session:
        row = session.get(DatasetRow, hash_of(name))
        found = summary_of(row.summary).get("split_from") if row else None
    return found if isinstance(found, dict) else None


def is_made(context: Context, name: str) -> bool:
    """It gets its name when it is whole; until then an empty folder keeps the place."""
    return any((context.settings.datasets_root / name).iterdir())


def command(context: Context, name: str, job: dict[str, object]) -> list[str]:
    """Its process's arguments; what an ended server's process left behind is taken away."""
    root = context.settings.datasets_root
    left = re.compile(rf"\.{re.escape(name[-100:])}\.\d{{1,10}}")
    for one in root.iterdir():
        if left.fullmatch(one.name) and not one.is_symlink():
            shutil.rmtree(one, ignore_errors=True)
    source, target = root / Path(str(job["source"])).name, root / name
    ratio, seed = str(job["val_ratio"]), str(job["seed"])
    return ["-m", "tandem.data.writing.split", os.fspath(source), os.fspath(target), ratio, seed]


def done(context: Context, name: str) -> None:
    """It is there, and is checked next; one that was deleted meanwhile goes again."""

    def work(session: Session) -> bool:
        row = session.get(DatasetRow, hash_of(name))
        if row is not None:
            row.summary = None
        return row is not None

    if not context.database.run(work):
        shutil.rmtree(context.settings.datasets_root / name, ignore_errors=True)
