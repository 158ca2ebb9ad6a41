"""What can be done with tasks; both surfaces call it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from sqlalchemy import RowMapping, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.datasets.service import check_usable
from tandem.server.db.sample_rows import is_sample
from tandem.server.db.tables import Attempt, DelFlag, Job, Task
from tandem.server.errors import ConflictError, InvalidError, NotFoundError
from tandem.server.host.clock import now
from tandem.server.host.paths import really_below
from tandem.server.tasks import apply, queries, totals
from tandem.server.tasks.creation import create as creation
from tandem.server.tasks.list_query import TaskFilter
from tandem.server.tasks.transitions import move, record_event
from tandem.spec.i18n import t
from tandem.spec.save_request import SAVE_NOW
from tandem.spec.service_event import ActionRequested, Created, Deleted, ServiceNotice
from tandem.spec.state import State

MOST_IDS = 20
CHUNK = 1000
STARTABLE = (State.PENDING, State.STOPPED, State.FAILED, State.PAUSED)
RESUMABLE = (State.STOPPED, State.FAILED, State.PAUSED)
Make = Callable[[str], creation.Made]
"""A task of the id given."""


def missing(task_id: str) -> NotFoundError:
    return NotFoundError(
        "There is no task {task_id}.",
        task_id=task_id if queries.is_id(task_id) else "?",
        fix="The list of tasks shows what there is.",
    )


def get(context: Context, task_id: str) -> RowMapping:
    """A task's row; NotFoundError without one."""
    with context.database.read() as session:
        found = queries.one(session, task_id)
    if found is None:
        raise missing(task_id)
    return found


def total(
    context: Context, wanted: TaskFilter, *, first_page: int | None = None, of: int = 0
) -> int:
    """How many there are, at most a second old; a first page that is not full has shown them all.

    `first_page` is how many tasks it shows, and `of` how many it could.
    """
    if first_page is not None and first_page < of:
        return first_page

    def count() -> int:
        with context.database.read() as session:
            return queries.count(session, wanted)

    return totals.total(context.database, wanted, count)


def page(context: Context, wanted: TaskFilter, number: int, size: int) -> Sequence[RowMapping]:
    """One page, from 1."""
    with context.database.read() as session:
        return queries.page(session, wanted, (number - 1) * size, size)


def chunks(context: Context, wanted: TaskFilter) -> Iterator[Sequence[RowMapping]]:
    """All, a thousand at a time. No connection is held while a slow client reads."""
    if wanted.order_by == "id" and wanted.descending:
        yield from _newest_first(context, wanted)
        return
    with context.database.read() as session:
        keys = queries.keys_of(session, wanted)
    for start in range(0, len(keys), CHUNK):
        with context.database.read() as session:
            yield list(queries.by_keys(session, keys[start : start + CHUNK]))


def _newest_first(context: Context, wanted: TaskFilter) -> Iterator[Sequence[RowMapping]]:
    below: int | None = None
    while True:
        with context.database.read() as session:
            rows = queries.after(session, wanted, below, CHUNK)
        if rows:
            yield rows
        if len(rows) < CHUNK:
            return
        below = rows[-1]["id"]


def create(
    context: Context,
    make: Make,
    *,
    name: str,
    description: str | None,
    priority: int = 0,
    start: bool = False,
    **columns: object,
) -> str:
    """Insert a task, PENDING or, with `start`, QUEUED; its id.

    InvalidError for a data set that is known to be faulty or, with `start`, is not there: else it
    may still come.
    """
    for left in reversed(range(MOST_IDS)):
        made = make(creation.new_id())
        check_usable(context, made.data_root, made.datasets, must_be_there=start)
        row = made.row | {"task_name": name, "description": description} | columns

        def insert(
            session: Session, made: creation.Made = made, row: Mapping[str, object] = row
        ) -> None:
            session.add(Task(task_id=made.task_id, **row))
            session.add(
                Job(
                    task_id=made.task_id,
                    spec=made.spec,
                    run_dir=made.run_dir,
                    priority=priority,
                    live=0,
                    attempt=0,
                    resumes=0,
                    last_seq=0,
                    offset_bytes=0,
                )  # fmt: skip
            )
            session.flush()
            record_event(session, made.task_id, Created())
            for note in made.notes:
                record_event(session, made.task_id, ServiceNotice(message=note))
            if start:
                _queue(session, made.task_id, None, STARTABLE)

        try:
            context.database.run(insert)
            break
        except IntegrityError:  # an id that is taken
            if not left:
                raise
    totals.changed(context.database)
    if start:
        context.wake()
    return made.task_id


def start(context: Context, task_id: str, *, out_of: Sequence[State] = STARTABLE) -> None:
    """Queue it: next in line, or at its old place if it was paused."""
    made = _job_of_installed(context, task_id, out_of)

    def work(session: Session) -> None:
        found = _locked(session, task_id)
        if not _queue(session, found["task_id"], found["position"], out_of, found["status"]):
            raise _cannot("It cannot be started while it is {state}.", found)
        if made is not None and found["spec"] is None:
            queries.put_job(session, found["task_id"], spec=made.spec, run_dir=made.run_dir)

    context.database.run(work)
    totals.changed(context.database)
    context.wake()


def _queue(
    session: Session,
    task_id: str,
    position: int | None,
    out_of: Sequence[State],
    status: str | None = None,
) -> bool:
    if not move(session, task_id, State.QUEUED, out_of=out_of, columns={"error_message": None}):
        return False
    if status != State.PAUSED or position is None:
        position = queries.next_position(session)
    queries.put_job(
        session, task_id, position=position, queued_at=now(), resumes=0, wanted=None,
        wanted_at=None, waiting_reason=None, failure_class=None, advice=None,
    )  # fmt: skip
    return True


def _job_of_installed(
    context: Context, task_id: str, out_of: Sequence[State]
) -> creation.Made | None:
    """The run of a task that an installed system made, from its columns; None where there is one.

    It looks at the disk, so it is done before the transaction.
    """
    with context.database.read() as session:
        found = queries.one_with_job(session, task_id)
    if found is None:
        raise missing(task_id)
    _refuse_sample(found)
    if found["spec"] is not None or found["status"] not in out_of:
        return None
    return remade(context, dict(found), found["task_id"])


def remade(context: Context, row: Mapping[str, object], task_id: str) -> creation.Made:
    """The run that a row's columns describe."""
    if any(letter in task_id for letter in "/\\") or task_id.strip(". ") == "":
        raise InvalidError(
            [{"field": "taskId", "problem": t("A run's folder cannot be called so.")}]
        )
    fields = creation.of_row(row)
    return creation.from_fields(fields, context.settings.everything, task_id=task_id)


def stop(context: Context, task_id: str) -> None:
    """Take it out of the queue, or ask its run to save and end; the dispatcher then moves it."""
    _wish(context, task_id, "stop", State.STOPPED)


def pause(context: Context, task_id: str) -> None:
    """A stop that keeps the place in the queue."""
    _wish(context, task_id, "pause", State.PAUSED)


def save(context: Context, task_id: str) -> None:
    """Ask its run to save a checkpoint after the step it is in, and to go on.

    ConflictError unless it runs here.
    """

    def work(session: Session) -> str | None:
        found = _locked(session, task_id)
        if found["status"] != State.RUNNING or found["wanted"] is not None:
            raise _cannot("It is {state}: there is nothing to save.", found)
        if not found["live"]:
            raise _cannot("Its run is elsewhere and cannot be asked to save.", found)
        run_dir: str | None = session.scalar(
            select(Job.run_dir).where(Job.task_id == found["task_id"])
        )
        record_event(session, found["task_id"], ActionRequested(wanted="save"))
        return run_dir

    run_dir = context.database.run(work)
    _leave_request(context, run_dir)


def _leave_request(context: Context, run_dir: str | None) -> None:
    """In the run's folder, below the output root; a link of that name is not followed."""
    folder = really_below(run_dir, context.settings.output_root) if run_dir else None
    try:
        if folder is None:
            raise FileNotFoundError(run_dir)
        descriptor = os.open(folder / SAVE_NOW, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        os.close(descriptor)
    except OSError as error:
        raise ConflictError(
            "Its run cannot be asked to save: {reason}.",
            reason=error.strerror or t("its folder is not there"),
            fix="Try again when it has begun.",
        ) from error


def _wish(context: Context, task_id: str, wish: Literal["stop", "pause"], to: State) -> None:
    def work(session: Session) -> None:
        found = _locked(session, task_id)
        _refuse_sample(found)
        task_id_ = found["task_id"]
        if move(session, task_id_, to, out_of=[State.QUEUED]):
            queries.put_job(session, task_id_, waiting_reason=None, wanted=None)
        elif found["status"] != State.RUNNING:
            raise _cannot("It is {state}: there is nothing to stop.", found)
        elif not found["live"]:  # a run elsewhere: nobody here can ask it
            apply.stopped(session, task_id_, paused=to is State.PAUSED)
        elif found["wanted"] is None or (found["wanted"] == "pause" and wish == "stop"):
            queries.put_job(session, task_id_, wanted=wish, wanted_at=now())
            record_event(session, task_id_, ActionRequested(wanted=wish))

    context.database.run(work)
    totals.changed(context.database)
    context.wake()


def remove(context: Context, task_id: str, *, files: bool = False) -> None:
    """Delete it logically, with its history and evaluations; one that waits leaves the queue.

    The run's folder stays unless `files`.
    """

    def work(session: Session) -> tuple[str, str | None]:
        found = _locked(session, task_id)
        task_id_: str = found["task_id"]
        if found["status"] == State.RUNNING and not is_sample(found):
            raise _cannot("It is {state} and cannot be deleted.", found, "Stop it first.")
        move(session, task_id_, State.STOPPED, out_of=[State.QUEUED])
        queries.forget(session, task_id_)
        record_event(session, task_id_, Deleted())
        queries.put_task(
            session, task_id_, del_flag=DelFlag.DELETED, update_time=now().replace(microsecond=0)
        )
        return task_id_, found["live"]

    deleted, live = context.database.run(work)
    totals.changed(context.database)
    context.wake()
    if files and not live:
        _delete_files(context, deleted)


def _delete_files(context: Context, task_id: str) -> None:
    """The run's own folder below the output root; a link there is not followed."""
    folder = context.settings.output_root / task_id
    if folder.parent == context.settings.output_root and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)


def edit(context: Context, task_id: str, *, priority: int | None, **columns: object) -> None:
    """Change what is no state: name, description, remark, priority."""

    def work(session: Session) -> None:
        found = _locked(session, task_id)
        if columns:
            at = now().replace(microsecond=0)
            queries.put_task(session, found["task_id"], update_time=at, **columns)
        if priority is not None:
            queries.put_job(session, found["task_id"], priority=priority)

    context.database.run(work)
    totals.changed(context.database)
    context.wake()


def attempts(context: Context, task_id: str) -> Sequence[Attempt]:
    """Its executions, the first one first."""
    row = get(context, task_id)
    with context.database.read() as session:
        return queries.attempts(session, row["task_id"])


def _locked(session: Session, task_id: str) -> RowMapping:
    found = queries.locked(session, task_id)
    if found is None:
        raise missing(task_id)
    return found


def _refuse_sample(found: RowMapping) -> None:
    if is_sample(found):
        raise ConflictError(
            "{task_id} is sample data: nothing of it runs, and it has no model.",
            task_id=found["task_id"],
            fix="Create a task of your own; a sample may be deleted.",
        )


def _cannot(what: str, found: RowMapping, fix: str | None = None) -> ConflictError:
    return ConflictError(what, fix=fix, state=found["status"])
