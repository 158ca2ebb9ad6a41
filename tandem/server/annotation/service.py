"""Annotations: submitted, stopped, resumed, forgotten. The dispatcher runs them."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from tandem.server.annotation import queries
from tandem.server.annotation.requests import annotation_of, row_of
from tandem.server.annotation.schemas import Failure, Submit
from tandem.server.context import Context
from tandem.server.errors import ConflictError, NotFoundError
from tandem.server.host.clock import now
from tandem.server.tasks import queries as tasks
from tandem.server.tasks.transitions import move, record_event
from tandem.spec.annotation import ITEMS
from tandem.spec.service_event import ActionRequested, Deleted
from tandem.spec.state import State

RESUMABLE = (State.STOPPED, State.FAILED, State.PAUSED)


def submit(context: Context, said: Submit) -> RowMapping:
    """A new job, queued at once."""
    inference_id = f"INFER_{secrets.token_hex(4).upper()}"
    spec, trained = annotation_of(context, said, inference_id)
    row = row_of(spec, trained)

    def insert(session: Session) -> None:
        at = now().replace(microsecond=0)
        queries.insert(
            session,
            {"task_id": inference_id, "create_time": at, **row},
            {
                "task_id": inference_id,
                "spec": spec.model_dump_json(),
                "run_dir": str(spec.run_dir),
                **dict.fromkeys(
                    ("priority", "live", "attempt", "resumes", "last_seq", "offset_bytes"), 0
                ),
            },
        )
        _queue(session, inference_id, (State.PENDING,))

    context.database.run(insert)
    context.wake()
    return get(context, inference_id)


def every(context: Context, page: int = 1, page_size: int = 1000) -> Sequence[RowMapping]:
    """A page of them, the newest first."""
    with context.database.read() as session:
        return queries.page(session, page, page_size)


def count(context: Context) -> int:
    """How many there are on all pages."""
    with context.database.read() as session:
        return queries.count(session)


def get(context: Context, inference_id: str) -> RowMapping:
    """One; NotFoundError without it."""
    with context.database.read() as session:
        row = queries.one(session, inference_id)
    if row is None:
        raise _missing(inference_id)
    return row


def stop(context: Context, inference_id: str) -> RowMapping:
    """Out of the queue, or asked to end after its batch; it goes on from there when resumed."""

    def work(session: Session) -> None:
        row = _locked(session, inference_id)
        if move(session, row["task_id"], State.STOPPED, out_of=[State.QUEUED]):
            queries.put(session, row["task_id"], waiting_reason=None, wanted=None)
        elif row["status"] != State.RUNNING:
            raise ConflictError("It is {state}: there is nothing to stop.", state=row["status"])
        elif row["wanted"] is None:
            queries.put(session, row["task_id"], wanted="stop", wanted_at=now())
            record_event(session, row["task_id"], ActionRequested(wanted="stop"))

    context.database.run(work)
    context.wake()
    return get(context, inference_id)


def resume(context: Context, inference_id: str) -> RowMapping:
    """Queue it again; what is done is not done again."""

    def work(session: Session) -> None:
        row = _locked(session, inference_id)
        if not _queue(session, row["task_id"], RESUMABLE):
            raise ConflictError("It cannot be started while it is {state}.", state=row["status"])

    context.database.run(work)
    context.wake()
    return get(context, inference_id)


def remove(context: Context, inference_id: str) -> None:
    """Forget it, with its journal; the labels stay where they are. 409 while it runs."""

    def work(session: Session) -> str | None:
        row = _locked(session, inference_id)
        if row["status"] == State.RUNNING:
            raise ConflictError(
                "It is {state} and cannot be deleted.", state=row["status"], fix="Stop it first."
            )
        move(session, row["task_id"], State.STOPPED, out_of=[State.QUEUED])
        record_event(session, row["task_id"], Deleted())
        queries.forget(session, row["task_id"])
        folder: str | None = None if row["live"] else row["run_dir"]
        return folder

    folder = context.database.run(work)
    if folder is not None:
        _clear(context, Path(folder))


def failures(
    context: Context, inference_id: str, page: int, page_size: int
) -> tuple[list[Failure], int]:
    """A page of the items that failed, and how many there are."""
    folder = get(context, inference_id)["run_dir"]
    first = (page - 1) * page_size
    found: list[Failure] = []
    total = 0
    for raw in _failed(Path(folder) / ITEMS):
        if first <= total < first + page_size:
            told = json.loads(raw)
            found.append(Failure(**{key: told[key] for key in ("index", "name", "problem")}))
        total += 1
    return found, total


def _failed(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n") and b'"problem"' in line:
                    yield line
    except FileNotFoundError:
        return


def _clear(context: Context, folder: Path) -> None:
    """The job's own files in its folder; labels in it stay."""
    root = context.settings.output_root
    if folder.parent != root or folder.is_symlink() or not folder.is_dir():
        return
    if (folder / "labels").is_dir():
        for one in folder.iterdir():
            if one.is_file():
                one.unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _queue(session: Session, task_id: str, out_of: Sequence[State]) -> bool:
    if not move(session, task_id, State.QUEUED, out_of=out_of, columns={"error_message": None}):
        return False
    queries.put(
        session,
        task_id,
        position=tasks.next_position(session),
        queued_at=now(),
        resumes=0,
        wanted=None,
        wanted_at=None,
        waiting_reason=None,
        failure_class=None,
        advice=None,
    )
    return True


def _locked(session: Session, inference_id: str) -> RowMapping:
    row = queries.locked(session, inference_id)
    if row is None:
        raise _missing(inference_id)
    return row


def _missing(inference_id: str) -> NotFoundError:
    return NotFoundError("There is no inference {name}.", name=inference_id[:100])
