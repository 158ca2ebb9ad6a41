"""Reads the journals of live runs into the data base: all that is new, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.database import Database, is_transient
from tandem.server.db.tables import Job
from tandem.server.events import curve_index, curves
from tandem.server.events.absorb import EventBatch, absorb
from tandem.server.events.cursor import JournalCursor, fresh_lines
from tandem.spec import journal

MOST_BYTES = 2**20
"""The most read of one run at a call: one that has said much does not hold up the others."""
log = logging.getLogger(__name__)


def collect(context: Context, jobs: Sequence[Job], *, most_bytes: int = MOST_BYTES) -> set[str]:
    """Absorb what these runs have said since; whoever listens hears of it.

    Without news it costs one look at each file. Returns the tasks that have more to say at once.
    The jobs given are brought up to date as far as the cursor goes.
    """
    batches: dict[str, EventBatch] = {}
    more: set[str] = set()
    for job in jobs:
        if job.run_dir is None:
            continue
        batch, left = _read(job, most_bytes)
        if batch is not None:
            batches[job.task_id] = batch
        if left:
            more.add(job.task_id)
    if not batches:
        return more
    taken = _take(context.database, batches)
    more |= _update(context.database, [job for job in jobs if job.task_id in batches], taken)
    context.hub.wake()
    for job in jobs:
        # Not for each batch: a chart is looked at rarely, and bringing its index up to date costs a
        # lock.
        if job.task_id in taken and _is_far(batches[job.task_id]):
            _warm(context, job)
    return more


def _is_far(batch: EventBatch) -> bool:
    """Whether it is time to bring the run's curves up to date."""
    chunk = curve_index.CHUNK_BYTES
    return batch.begins.offset_bytes // chunk != batch.ends.offset_bytes // chunk


def _warm(context: Context, job: Job) -> None:
    try:
        curves.warm(context.settings.home, job.task_id, Path(job.run_dir or ""))
    except OSError as problem:
        log.warning("%s: its curves cannot be kept: %s", job.task_id, problem)


def _read(job: Job, most_bytes: int) -> tuple[EventBatch | None, bool]:
    known = JournalCursor(job.last_seq or 0, job.offset_bytes or 0, job.journal)
    try:
        news = fresh_lines(Path(job.run_dir or "") / journal.NAME, known, most_bytes)
    except OSError as problem:
        log.warning("%s: its journal cannot be read: %s", job.task_id, problem)
        return None, False
    if news is None:
        return None, False
    return EventBatch.of(known, news), news.more


def _take(database: Database, batches: dict[str, EventBatch]) -> set[str]:
    """Those that were absorbed. One that the data base refuses does not hold up the others."""

    def all_of_them(session: Session) -> set[str]:
        # In one order, so that two servers at it do not wait for each other in a ring.
        return {one for one in sorted(batches) if absorb(session, one, batches[one])}

    try:
        return database.run(all_of_them)
    except DBAPIError as refusal:
        # Away, or a deadlock: the next tick tries all of them again.
        if len(batches) == 1 or refusal.connection_invalidated or is_transient(refusal):
            raise
    taken: set[str] = set()
    for task_id, batch in sorted(batches.items()):
        try:
            taken |= _take(database, {task_id: batch})
        except DBAPIError as refusal:
            log.warning("%s: the data base refuses its events: %s", task_id, refusal.orig)
    return taken


def _update(database: Database, jobs: Sequence[Job], taken: set[str]) -> set[str]:
    """The jobs' cursors as they are now; those to be read again at once, as another came first."""
    wanted = select(Job.task_id, Job.last_seq, Job.offset_bytes, Job.journal)
    with database.read() as session:
        rows = {
            row.task_id: row
            for row in session.execute(wanted.where(Job.task_id.in_([j.task_id for j in jobs])))
        }
    behind: set[str] = set()
    for job in jobs:
        row = rows.get(job.task_id)
        if row is None:
            continue
        if job.task_id not in taken and job.last_seq != row.last_seq:
            behind.add(job.task_id)
        job.last_seq, job.offset_bytes, job.journal = row.last_seq, row.offset_bytes, row.journal
    return behind
