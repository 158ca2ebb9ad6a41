"""Ends an execution in the rows: the task's state, its slots, its attempt; in one transaction."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.tables import Job, Task
from tandem.server.dispatch.launch import close, spec_file
from tandem.server.dispatch.verdict import EndedRun, RunVerdict, judge
from tandem.server.host.clock import now
from tandem.server.tasks import apply
from tandem.server.tasks.advice import advice
from tandem.server.tasks.transitions import move, record_event
from tandem.spec.i18n import t
from tandem.spec.service_event import Ended, ServiceNotice
from tandem.spec.state import State

TAIL_BYTES = 8192
FULL_BYTES = 1_000_000
"""With less than this free, a checkpoint finds no room."""
LAST_WORDS = 600
"""Characters of stderr in a message."""


def finish(
    context: Context,
    job: Job,
    exit_code: int | None,
    *,
    silent_seconds: float | None = None,
    has_run: bool = True,
) -> RunVerdict | None:
    """None when another server has done it."""
    folder = Path(job.run_dir) if job.run_dir else None
    # Files are looked at before the transaction: none is held open over a slow disk.
    words = last_words(folder, job.attempt) if folder else ""
    has_model = folder is not None and (folder / "report.json").is_file()
    is_full = folder is not None and _is_full(folder)

    def work(session: Session) -> RunVerdict | None:
        row = session.execute(
            select(Task.status, Job)
            .join(Job, Job.task_id == Task.task_id)
            # Of this attempt alone, and locked: a server that ends it at the same time waits here,
            # and then finds no live row.
            .where(Job.task_id == job.task_id, Job.live == 1, Job.attempt == job.attempt)
            .with_for_update()
        ).one_or_none()
        if row is None:
            return None
        status, fresh = row
        ended = EndedRun(
            status=status or "",
            outcome=fresh.outcome,
            failure_class=fresh.failure_class,
            exit_code=exit_code,
            wanted=fresh.wanted,
            resumes=fresh.resumes,
            max_resumes=context.settings.max_resumes,
            silent_seconds=silent_seconds,
            has_run=has_run,
            has_model=has_model,
            last_words=words,
            disk_is_full=is_full,
        )
        verdict = judge(ended)
        _settle(session, fresh, verdict, exit_code)
        return verdict

    verdict = context.database.run(work)
    # After the transaction: had it failed, the next look would find the launch by these files.
    file = spec_file(context, job.task_id, job.attempt)
    # A launch that never came to pass left its pid file as a bar: one that comes late stops there.
    for suffix in (".json", ".exit", *([".pid"] if has_run else [])):
        file.with_suffix(suffix).unlink(missing_ok=True)
    return verdict


def _settle(session: Session, job: Job, verdict: RunVerdict, exit_code: int | None) -> None:
    task_id = job.task_id
    match verdict.to:
        case "completed":
            apply.completed(session, task_id)
        case "stopped" | "paused":
            apply.stopped(session, task_id, paused=verdict.to == "paused")
        case "failed":
            words = advice(verdict.failure_class, exit_code)
            apply.failed(session, task_id, verdict.message, verdict.failure_class, words)
        case "resume":
            _requeue(session, job, verdict)
        case "close":
            pass
    values: dict[str, object] = {
        "live": 0,
        "handle": None,
        "devices": None,
        "token_hash": None,
        "wanted": None,
        "wanted_at": None,
        "doing": None,
    }
    # What the run said of its failure came without its exit code, and may have got no advice.
    if job.failure_class and not job.advice and verdict.to in ("close", "failed"):
        values["advice"] = advice(job.failure_class, exit_code)
    session.execute(
        update(Job)
        .where(Job.task_id == task_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    close(
        session,
        task_id,
        job.attempt,
        exit_code,
        verdict.outcome,
        verdict.failure_class,
        verdict.message or None,
    )
    event = Ended(attempt=job.attempt, outcome=verdict.outcome, exit_code=exit_code)
    record_event(session, task_id, event)


def _requeue(session: Session, job: Job, verdict: RunVerdict) -> None:
    """To the front of its priority: others have waited less long for this."""
    # Out of RUNNING alone: what a person has made of the task meanwhile stands.
    if not move(session, job.task_id, State.QUEUED, out_of=[State.RUNNING]):
        return
    first = session.scalar(
        select(func.min(Job.position))
        .join(Task, Task.task_id == Job.task_id)
        .where(
            Task.status == State.QUEUED, Job.priority == job.priority, Job.task_id != job.task_id
        )
    )
    places = [
        one for one in (job.position, None if first is None else first - 1) if one is not None
    ]
    session.execute(
        update(Job)
        .where(Job.task_id == job.task_id)
        .values(
            # Its own place where that is further ahead still: waiting once more must not set it
            # back.
            position=min(places, default=0),
            queued_at=now(),
            # A launch that never came to pass is not held against the run.
            resumes=Job.resumes + (1 if verdict.counts else 0),
        )
        .execution_options(synchronize_session=False)
    )
    message = t("{reason} It goes on from its last checkpoint by itself.", reason=verdict.message)
    record_event(session, job.task_id, ServiceNotice(level="warning", message=message))


def last_words(folder: Path, attempt: int) -> str:
    """The last line that this attempt left on stderr, shortened."""
    try:
        with (folder / "stderr.txt").open("rb") as stream:
            # The end alone: the stderr of a week may be gigabytes. The cut may go through a letter.
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    _, begins, after = text.rpartition(f"== attempt {attempt} ==\n")
    # Another attempt's mark and none of ours: these are that one's words, ours left none.
    if not begins and "== attempt " in text:
        return ""
    lines = [line.strip() for line in (after if begins else text).splitlines() if line.strip()]
    return lines[-1][-LAST_WORDS:] if lines else ""


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < FULL_BYTES
    except OSError:  # the folder is gone
        return False
