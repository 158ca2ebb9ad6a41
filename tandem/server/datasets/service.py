"""The data sets that lie under the configured root: found by themselves, uploaded, checked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.datasets import indexing
from tandem.server.datasets.look import UNKNOWN, Look, look
from tandem.server.datasets.schemas import CheckIn, DatasetV1, FaultsOut, PlainDataset, summary_of
from tandem.server.datasets.uploads import CHECKING, FAULTY, hash_of
from tandem.server.db.dataset_tables import DatasetRow, DatasetVersion
from tandem.server.db.tables import DelFlag, Job, Task
from tandem.server.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from tandem.server.host.clock import now
from tandem.server.host.paths import inside, really_below
from tandem.server.wire.dataset import DatasetChoice
from tandem.spec.errors import DataError
from tandem.spec.i18n import t
from tandem.spec.state import State

BUSY = (State.QUEUED, State.RUNNING, State.PAUSED)


def every(context: Context) -> list[DatasetChoice]:
    """Each folder directly under the root, by name. Links that leave the root are passed over."""
    rows = _rows(context)
    return [_shown(folder, rows.get(folder.name), seen_as(folder)) for folder in folders(context)]


def folders(context: Context) -> list[Path]:
    """The folders themselves."""
    root = context.settings.datasets_root
    try:
        with os.scandir(root) as entries:
            found = [Path(e.path) for e in entries if _is_one(e, root)]
    except OSError:  # no root yet: no data sets
        return []
    return sorted(found, key=lambda one: one.name.casefold())


def _is_one(entry: os.DirEntry[str], root: Path) -> bool:
    if entry.name.startswith(".") or not entry.name.isprintable() or not entry.is_dir():
        return False
    return not entry.is_symlink() or really_below(entry.path, root) is not None


def _shown(folder: Path, row: DatasetRow | None, seen: Look) -> DatasetChoice:
    said = seen.description
    if row is not None and row.status == FAULTY and row.message:
        said = t("cannot be trained on: {reason}", reason=row.message)
    return DatasetChoice(
        label=folder.name,
        value=folder.name,
        type=seen.type,
        path=str(folder),
        description=said,
    )


def seen_as(folder: Path) -> Look:
    """What a look says of it, kept until its names change."""
    return _seen(folder, _changed_at(folder))


def _changed_at(folder: Path) -> tuple[int, ...]:
    """Changes when names come or go in it or in its train folder, or its meta.json is another."""
    times = []
    for one in (folder, folder / "train", folder / "meta.json"):
        try:
            times.append(one.stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return tuple(times)


@lru_cache(maxsize=10_000)
def _seen(folder: Path, changed_at: tuple[int, ...]) -> Look:  # noqa: ARG001  a part of the key
    return look(folder)


def listed(context: Context) -> list[DatasetV1]:
    """All, with what their check has said."""
    rows = _rows(context)
    return [_with_check(folder, rows.get(folder.name)) for folder in folders(context)]


def one(context: Context, name: str) -> DatasetV1:
    """One of them; NotFoundError."""
    folder = folder_of(context, name)
    return _with_check(folder, _rows(context).get(folder.name))


def folder_of(context: Context, name: str) -> Path:
    """Its folder, directly under the root; NotFoundError."""
    folder = inside(context.settings.datasets_root, name)
    if folder.parent != Path(os.path.realpath(context.settings.datasets_root)):
        raise NotFoundError("There is no data set {name}.", name=name[:200])
    if not folder.is_dir() or folder.name.startswith("."):
        raise NotFoundError("There is no data set {name}.", name=name[:200])
    return context.settings.datasets_root / folder.name


def _rows(context: Context) -> Mapping[str, DatasetRow]:
    with context.database.read() as session:
        rows = session.scalars(select(DatasetRow)).all()
        session.expunge_all()
        return {row.name: row for row in rows}


def _with_check(folder: Path, row: DatasetRow | None) -> DatasetV1:
    found = seen_as(folder)
    seen = _shown(folder, row, found)
    said = summary_of(row.summary) if row else {}
    shown = DatasetV1(
        id=folder.name,
        status="FOUND",
        type=seen.type,
        path=seen.path,
        description=seen.description,
        could_be=list(found.could_be),
    )
    if row is None:
        return shown
    return shown.model_copy(
        update={
            "status": row.status, "type": row.type or seen.type, "kind": row.kind,
            "samples": row.samples, "errors": row.errors, "warnings": row.warnings,
            "message": row.message, "checked_at": row.checked_at,
            **{name: said[name] for name in ("classes", "items", "per_class", "notes")
               if said.get(name)},
        }
    )  # fmt: skip


def faults(context: Context, name: str, page: int, page_size: int) -> FaultsOut:
    """What its check found, a page at a time."""
    folder = folder_of(context, name)
    row = _rows(context).get(folder.name)
    found = summary_of(row.summary if row else None).get("faults") or []
    start = (page - 1) * page_size
    return FaultsOut(
        items=found[start : start + page_size], total=len(found), page=page, page_size=page_size
    )


def check(context: Context, name: str, asked: CheckIn | None = None) -> DatasetV1:
    """Have it looked at (again), in the background; first say what it is to be read as, if asked.

    InvalidError for a layout that there is not, or for a meta.json that is none.
    """
    folder = folder_of(context, name)
    if asked is not None and "type" in asked.model_fields_set:
        _put_type(folder, asked.type)

    def work(session: Session) -> None:
        row = session.get(DatasetRow, hash_of(folder.name))
        if row is None:
            row = DatasetRow(name_hash=hash_of(folder.name), name=folder.name, created_at=now())
            session.add(row)
        row.status = CHECKING

    indexing.forget(context, folder.name)
    context.database.run(work)
    return one(context, name)


def _put_type(folder: Path, layout: str | None) -> None:
    from tandem.data.writing.meta import put_type  # NumPy is not for a start

    try:
        put_type(folder, layout)
    except DataError as error:
        raise InvalidError([{"field": "type", "problem": error.sentence()}]) from error
    except OSError as error:
        raise UnavailableError(
            "The data set's meta.json cannot be written: {reason}.", reason=error.strerror,
            fix="Make its folder writable, then try again.",
        ) from error  # fmt: skip


def remove(context: Context, name: str) -> None:
    """Delete it with its files; ConflictError while a task that is queued or runs uses it."""
    folder = folder_of(context, name)
    users = using(context, folder.name)
    if users:
        raise ConflictError(
            "The task {task} uses this data set.", task=users[0], fix="Stop it first."
        )
    key = hash_of(folder.name)

    def work(session: Session) -> None:
        session.execute(delete(DatasetRow).where(DatasetRow.name_hash == key))
        session.execute(delete(DatasetVersion).where(DatasetVersion.name_hash == key))

    aside = folder.with_name(f".{folder.name}.deleted.{os.getpid()}")
    folder.rename(aside)
    indexing.forget(context, folder.name)
    context.database.run(work)
    shutil.rmtree(aside, ignore_errors=True)


def using(context: Context, name: str) -> Sequence[str]:
    """Tasks that are queued, run or are paused on it."""
    with context.database.read() as session:
        found = select(Task.task_id, Job.spec).join(Job, Job.task_id == Task.task_id)
        rows = session.execute(
            found.where(Task.status.in_(BUSY), Task.del_flag == DelFlag.NORMAL)
        ).all()
    marks = (f'"dataset":"{name}"', f'"val_dataset":"{name}"')
    return [
        row.task_id for row in rows
        if row.spec and any(mark in row.spec.replace('": "', '":"') for mark in marks)
    ]  # fmt: skip


def plain(context: Context) -> list[PlainDataset]:
    """As surface B shows them."""
    rows = _rows(context)
    return [_plain(folder, rows.get(folder.name)) for folder in folders(context)]


def plain_one(context: Context, name: str) -> PlainDataset:
    """One of them."""
    folder = folder_of(context, name)
    return _plain(folder, _rows(context).get(folder.name))


def _plain(folder: Path, row: DatasetRow | None) -> PlainDataset:
    seen = seen_as(folder)
    made = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return {
        "id": folder.name,
        "name": folder.name,
        "type": (row.type if row else None) or seen.type,
        "size": (row.size_bytes if row else None) or 0,
        "samples": (row.samples if row else None) or seen.files,
        "created_at": row.created_at if row else made,
    }


def check_usable(
    context: Context, root: Path | None, named: Mapping[str, str | None], *, must_be_there: bool
) -> None:
    """InvalidError for a data set that cannot be trained on.

    `named` is each one's name by the field that names it; `must_be_there`: whether a folder that
    is not there, or is laid out like nothing known, is refused too.
    """
    for field, name in named.items():
        if name is None:
            continue
        folder = (root or context.settings.datasets_root) / name
        problem = _known_fault(context, folder) or (_missing(folder) if must_be_there else None)
        if problem is not None:
            raise InvalidError([{"field": field, "problem": problem}])


def _known_fault(context: Context, folder: Path) -> str | None:
    root = context.settings.datasets_root
    if os.path.realpath(folder.parent) != os.path.realpath(root):
        return None  # only those directly under the root are checked
    with context.database.read() as session:
        found = session.execute(
            select(DatasetRow.status, DatasetRow.message).where(
                DatasetRow.name_hash == hash_of(folder.name)
            )
        ).one_or_none()
    if found is None or found.status != FAULTY:
        return None
    return t(
        "The data set {name} is faulty: {reason} Mend it and have it checked again.",
        name=folder.name,
        reason=found.message or "-",
    )


def _missing(folder: Path) -> str | None:
    if not folder.is_dir():
        return t("The data set {name} is not there.", name=folder.name)
    seen = look(folder)
    return t("It cannot be trained on: {reason}", reason=seen.problem) if seen.type == UNKNOWN \
        else None  # fmt: skip
