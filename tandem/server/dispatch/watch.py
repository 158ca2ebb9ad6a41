"""Looks after every run that this service launched, until nothing of it is left.

The rows are all there is: a server that has just started watches in the same way, and so adopts
what the one before it launched.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import ValidationError
from sqlalchemy import select

from tandem.executors.base import Handle, RunStatus
from tandem.server.context import Context
from tandem.server.db.tables import DelFlag, Job, Task
from tandem.server.dispatch.finish import finish
from tandem.server.dispatch.launch import Launcher, spec_file
from tandem.server.tasks.transitions import record_event
from tandem.spec.i18n import t
from tandem.spec.service_event import Adopted
from tandem.spec.state import State

ASK_AGAIN_SECONDS = 2.0
"""Between two SIGTERMs: the first may come before there is a trainer to hear it."""
MOST_READS = 1000
log = logging.getLogger(__name__)
Collect = Callable[[Context, Sequence[Job]], set[str]]


@dataclass
class WatchedRun:
    """What this server has seen of one execution, on its own monotonic clock."""

    sign_at: float
    size: tuple[int, int] = (-1, -1)
    asked_at: float | None = None
    first_asked_at: float | None = None
    silent_seconds: float | None = None
    has_run: bool = True


@dataclass
class RunWatcher:
    """One per server; `tick` never waits for a run."""

    context: Context
    launcher: Launcher
    collect: Collect
    clock: Callable[[], float] = time.monotonic
    watched: dict[tuple[str, int], WatchedRun] = field(default_factory=dict)
    ended: int = 0
    """Runs seen to their end, resumed or not."""
    resumed: int = 0

    def tick(self) -> list[Job]:
        """Look at each live run once; those that hold slots still."""
        with self.context.database.read() as session:
            rows = session.execute(
                select(Job, Task.status, Task.del_flag)
                .join(Task, Task.task_id == Job.task_id)
                .where(Job.live == 1)
                .order_by(Job.task_id)
            ).all()
        jobs = [job for job, _, _ in rows]
        if jobs:
            self.collect(self.context, jobs)
        # An attempt's clock must not be taken for that of the next one.
        present = {(job.task_id, job.attempt) for job in jobs}
        for gone in self.watched.keys() - present:
            del self.watched[gone]
        left = []
        for job, status, deleted in rows:
            try:
                # A deleted task is as good as ended: its run may not stay.
                has_ended = self._look(job, "" if deleted == DelFlag.DELETED else str(status))
            except OSError as problem:  # of its own files; the others go on
                log.warning("%s cannot be watched: %s", job.task_id, problem)
                has_ended = False
            if not has_ended:
                left.append(job)
        return left

    def _look(self, job: Job, status: str) -> bool:
        """True when it has ended, and its rows say so."""
        key = (job.task_id, job.attempt)
        one = self.watched.get(key)
        handle = self._handle(job)
        if one is None:
            is_mine = handle is not None and key in self.launcher.launched
            one = self.watched[key] = WatchedRun(self.clock())
            if not is_mine:
                self._adopt(job)
        if handle is None:
            one.has_run = False
            return self._end(job, one, RunStatus("gone"))
        found = self.context.executor.status(handle, job.token_hash or "")
        if found.state != "alive":
            return self._end(job, one, found)
        self._alive(job, status, handle, one)
        return False

    def _handle(self, job: Job) -> Handle | None:
        """From the row, from memory, or from what its launch left; None: it never started."""
        key = (job.task_id, job.attempt)
        # Launched by this server while the data base could not take the handle.
        if key in self.launcher.handles:
            handle = self.launcher.handles[key]
            self.launcher.store_handle(*key)
            return handle
        if job.handle is not None:
            with suppress(ValidationError):  # another version's; found again below
                return Handle.model_validate_json(job.handle)
        file = spec_file(self.context, job.task_id, job.attempt)
        found = self.context.executor.find(file, job.token_hash or "")
        if found is not None:
            self.launcher.handles[key] = found
            self.launcher.store_handle(*key)
        return found

    def _adopt(self, job: Job) -> None:
        message = t("A new server watches this run now.")
        event = Adopted(level="info", message=message)
        self.context.database.run(lambda session: record_event(session, job.task_id, event))

    def _alive(self, job: Job, status: str, handle: Handle, one: WatchedRun) -> None:
        now = self.clock()
        settings = self.context.settings
        # Any byte more in its journal is a sign of life; a run that computes sends heartbeats.
        size = (job.last_seq, job.offset_bytes)
        if size != one.size:
            one.size, one.sign_at = size, now
        executor, token = self.context.executor, job.token_hash or ""
        # It has said its last word, or its task was ended by somebody else: it may not stay.
        if job.wanted is not None or status != State.RUNNING:
            if one.first_asked_at is None:
                # By this server's clock: one that takes over gives the run its whole grace again.
                one.first_asked_at = now
            if now - one.first_asked_at >= settings.stop_grace_seconds:
                executor.kill(handle, token)
            # One that has said its last word is only closing its files.
            elif job.outcome is None and (
                one.asked_at is None or now - one.asked_at >= ASK_AGAIN_SECONDS
            ):
                one.asked_at = now
                executor.stop(handle, token)
        elif now - one.sign_at >= settings.silence_seconds:
            one.silent_seconds = now - one.sign_at
            executor.kill(handle, token)

    def _end(self, job: Job, one: WatchedRun, found: RunStatus) -> bool:
        """Its process is gone: hear it to the end, then move its task."""
        # A call reads a part, so that one long journal does not hold up the others; here it is read
        # to its end, as the verdict needs its last word. Bounded, should something write on and on.
        for _ in range(MOST_READS):
            if job.task_id not in self.collect(self.context, [job]):
                break
        verdict = finish(
            self.context,
            job,
            found.exit_code,
            silent_seconds=one.silent_seconds,
            has_run=one.has_run,
        )
        self.watched.pop((job.task_id, job.attempt), None)
        self.launcher.launched.discard((job.task_id, job.attempt))
        self.ended += 1
        self.resumed += verdict is not None and verdict.to == "resume"
        self.context.hub.wake()
        return True
