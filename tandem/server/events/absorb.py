"""A batch of a run's events into its rows: all of it or nothing, and never twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tandem.server.db.columns import text
from tandem.server.db.database import changed_rows
from tandem.server.db.tables import THERE, Job, Task, TaskEvent
from tandem.server.events.cursor import FreshLines, JournalCursor
from tandem.server.host.clock import now
from tandem.server.tasks import apply, measured_rows
from tandem.server.tasks.transitions import ENDS, record_event
from tandem.spec.event import (
    Artifact,
    Checkpoint,
    Epoch,
    Evaluation,
    Event,
    Failed,
    Finished,
    Heartbeat,
    Metric,
    Started,
    Stopped,
)
from tandem.spec.i18n import t
from tandem.spec.measured import accuracy, finite
from tandem.spec.service_event import Rewound, ServiceNotice
from tandem.spec.state import State
from tandem.spec.state import apply as after

NOTICE = ServiceNotice.model_fields["type"].default
# From where a process that this server launched may begin: a person may have ended it meanwhile.
WAITING = frozenset({State.PENDING, State.QUEUED, State.PAUSED})


@dataclass(frozen=True)
class EventBatch:
    """What was read of one run's journal at once."""

    expected: JournalCursor
    """The job's cursor that the reader set out from."""
    begins: JournalCursor
    """Where it began: elsewhere, when the file was not the one known."""
    ends: JournalCursor
    events: Sequence[Event]
    unknown: frozenset[str] = frozenset()
    """Types of lines that another version of Tandem wrote; they are passed over."""

    @staticmethod
    def of(expected: JournalCursor, news: FreshLines) -> EventBatch:
        """Lines told twice count once."""
        events: list[Event] = []
        unknown: set[str] = set()
        seq = news.begins.last_seq
        for line in news.lines:
            if line.seq <= seq:
                continue
            seq = line.seq
            event = line.event()
            if event is None:
                unknown.add(line.type[:40])
            else:
                events.append(event)
        return EventBatch(expected, news.begins, news.ends, events, frozenset(unknown))


@dataclass
class FoldedEvents:
    """A batch, sorted by where it goes."""

    job: dict[str, object] = field(default_factory=dict)
    epochs: list[Epoch] = field(default_factory=list)
    current_epoch: int | None = None
    total_epochs: int | None = None
    evaluations: list[Evaluation] = field(default_factory=list)
    model: Artifact | None = None
    checkpoint: Checkpoint | None = None
    turns: list[Event] = field(default_factory=list)
    """Those that may change the state, in order."""


def fold(events: Sequence[Event]) -> FoldedEvents:
    """What the events say together."""
    found = FoldedEvents()
    for event in events:
        _add(found, event)
    return found


def _add(found: FoldedEvents, event: Event) -> None:
    job = found.job
    match event:
        case Started():
            # A resumed run has not failed, whatever its last attempt said.
            job |= {"outcome": None, "failure_class": None, "advice": None, "doing": None}
            found.current_epoch = event.resumed_from_epoch or 0
            found.total_epochs = event.total_epochs
            found.turns.append(event)
        case Metric():
            job |= {"step": event.step, "total_steps": event.total_steps, "doing": None}
            values: dict[str, object] = dict(event.values)
            if event.images_per_second is not None:
                values["images_per_second"] = event.images_per_second
            said = json.dumps(finite(values), ensure_ascii=False)
            # What the column would cut is no JSON any more: rather none.
            job["metrics"] = said if said == text(said) else None
        case Heartbeat():
            job["doing"] = apply.doing(event.doing)
        case Epoch():
            found.epochs.append(event)
            found.current_epoch, found.total_epochs = event.epoch, event.total_epochs
            if event.step is not None:  # a short run logs no step by itself
                job |= {"step": event.step, "total_steps": event.total_steps}
        case Evaluation(who="student", epoch=None):
            found.evaluations.append(event)
        case Artifact(name="final_model"):
            found.model = event
        case Checkpoint():
            found.checkpoint = event
        case Finished() | Failed() | Stopped():
            job |= {"outcome": event.type, "doing": None}
            if isinstance(event, Failed):
                job["failure_class"] = event.failure_class
                if event.failure_class == "stopped":
                    job["outcome"] = "stopped"
            found.turns.append(event)
        case _:
            pass


def absorb(session: Session, task_id: str, batch: EventBatch) -> bool:
    """Take a batch into the rows of its task, in the caller's transaction.

    False: another reader was here first, or the task is no more; nothing was written.
    """
    row = session.execute(
        select(Task.status)
        .where(Task.task_id == task_id, Task.del_flag.in_(THERE))
        # Of two readers the second waits here, and then finds the cursor moved.
        .with_for_update()
    ).one_or_none()
    if row is None:
        return False
    job = session.execute(
        select(Job.live, Job.wanted, Job.attempt).where(Job.task_id == task_id)
    ).one_or_none()
    if job is None:
        return False
    # A folder that was copied from another task's speaks of that one.
    events = [one for one in batch.events if one.task_id == task_id]
    if not job.live:  # a run elsewhere counts its attempts by itself
        events = [one for one in events if one.attempt >= job.attempt]
    found = fold(events)
    attempt = {} if job.live or not events else {"attempt": max(one.attempt for one in events)}
    # The cursor goes first: who loses the race has written nothing yet.
    if not _advance(session, task_id, batch, found.job | attempt):
        return False
    # The file was cleared or has lost its end: listeners have heard what is no more.
    if batch.begins.last_seq < batch.expected.last_seq:
        record_event(session, task_id, Rewound(seq=batch.begins.last_seq))
    asked = _RunFacts(bool(job.live), job.wanted, is_new=attempt.get("attempt", 0) > job.attempt)
    state = State(row.status)
    late = state in ENDS and not asked.is_new and not found.epochs
    if state is State.COMPLETED or late:
        found.current_epoch = None  # a late `started` does not begin it again
    _figures(session, task_id, found, batch.ends.journal)
    _turns(session, task_id, state, found.turns, asked)
    if batch.unknown:
        said = t(
            "This run speaks of {types}, which this version of Tandem does not know.",
            types=", ".join(sorted(batch.unknown)),
        )
        _tell_once(session, task_id, said)
    return True


def _advance(session: Session, task_id: str, batch: EventBatch, columns: dict[str, object]) -> bool:
    """The compare-and-set: of two readers of the same lines one wins."""
    was, ends = batch.expected, batch.ends
    # SQL's NULL equals nothing, not even NULL.
    same_file = Job.journal.is_(None) if was.journal is None else Job.journal == was.journal
    advanced = changed_rows(
        session,
        update(Job)
        .where(
            Job.task_id == task_id,
            Job.last_seq == was.last_seq,
            Job.offset_bytes == was.offset_bytes,
            same_file,
        )
        .values(
            last_seq=ends.last_seq,
            offset_bytes=ends.offset_bytes,
            journal=ends.journal,
            heartbeat_at=now(),
            **columns,
        ),
    )
    return advanced == 1


def _figures(session: Session, task_id: str, found: FoldedEvents, run_id: str | None) -> None:
    left_out: list[str] = []
    if found.epochs:
        # One statement for all: a run that was away for an hour comes back with hundreds of epochs.
        rows = [measured_rows.history_row(one) for one in found.epochs]
        left_out += apply.histories(session, task_id, rows)
    if found.current_epoch is not None:
        known = [a for a in map(accuracy, found.epochs) if a is not None]
        apply.progress(
            session,
            task_id,
            current_epoch=found.current_epoch,
            total_epochs=found.total_epochs,
            accuracy=known[-1] if known else None,
            best_accuracy=max(known, default=None),
            loss=found.epochs[-1].train_loss if found.epochs else None,
        )
    for event in found.evaluations:
        row, digest = measured_rows.evaluation_row(event, run_id)
        left_out += apply.evaluation(session, task_id, row, digest=digest)
    if found.model is not None:
        path = found.model.path
        # Installed systems show it as a link; a path of another machine stays as it is.
        url = Path(path).as_uri() if Path(path).is_absolute() else path
        left_out += apply.model(session, task_id, path, url if len(url) <= 500 else None)
    if found.checkpoint is not None:
        left_out += apply.checkpoint(session, task_id, found.checkpoint.path)
    if left_out:
        said = t(
            "{names} cannot be stored in the data base: too large, too long or no number.",
            names=", ".join(sorted(set(left_out))),
        )
        _tell_once(session, task_id, said)


@dataclass(frozen=True)
class _RunFacts:
    """What the service knows of the run that the events do not say."""

    live: bool
    """This server launched it."""
    wanted: str | None
    is_new: bool
    """An attempt elsewhere that was not known yet."""


def _turns(
    session: Session, task_id: str, state: State, events: Sequence[Event], asked: _RunFacts
) -> None:
    for event in events:
        state = _turn(session, task_id, state, event, asked)


def _turn(session: Session, task_id: str, state: State, event: Event, asked: _RunFacts) -> State:
    """The state after one event that may change it."""
    to = after(state, event)
    moved = False
    match event:
        case Started():
            # A task that a person has ended, or that failed, is not revived by a late word.
            revives = asked.is_new or state in WAITING or state is State.RUNNING
            if revives and to is State.RUNNING:
                moved = apply.running(
                    session,
                    task_id,
                    total_epochs=event.total_epochs,
                    started_at=event.at,
                    out_of=[state],
                )
        # A run that a person has stopped meanwhile stays stopped: the table of moves says so.
        case Finished() if to is State.COMPLETED:
            moved = apply.completed(session, task_id)
        case Failed(failure_class="stopped") | Stopped() if state is State.RUNNING:
            # Asked by nobody, it is the dispatcher who decides; nobody dispatches a run elsewhere.
            to = State.PAUSED if asked.wanted == "pause" else State.STOPPED
            if asked.wanted is not None or not asked.live:
                moved = apply.stopped(session, task_id, paused=to is State.PAUSED)
        case Failed() if to is State.FAILED and state is not to:
            moved = apply.failed(session, task_id, event.message, event.failure_class)
        case _:
            pass
    return to if moved else state


def _tell_once(session: Session, task_id: str, message: str) -> None:
    said = select(TaskEvent.id).where(
        TaskEvent.task_id == task_id,
        TaskEvent.type == NOTICE,
        TaskEvent.body.contains(json.dumps(message, ensure_ascii=False), autoescape=True),
    )
    # A reader that is started anew reads the same lines, and would say it again.
    if session.execute(said.limit(1)).first() is None:
        record_event(session, task_id, ServiceNotice(level="warning", message=message))
