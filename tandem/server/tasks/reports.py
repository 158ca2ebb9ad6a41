"""What runs elsewhere say of their tasks by surface A, written at once."""

from __future__ import annotations

import math
from collections.abc import Callable

from sqlalchemy import RowMapping, select
from sqlalchemy.orm import Session

from tandem.server.context import Context
from tandem.server.db.tables import History
from tandem.server.errors import ConflictError
from tandem.server.tasks import apply, queries, totals
from tandem.server.tasks.creation.allowed_paths import check_model_paths
from tandem.server.tasks.service import missing
from tandem.server.tasks.transitions import record_event
from tandem.server.wire.create import ProgressReport
from tandem.spec.service_event import FiguresLeftOut
from tandem.spec.state import State


def progress(context: Context, task_id: str, report: ProgressReport) -> None:
    """Figures of a run, and its state by the table of moves."""

    def work(session: Session) -> None:
        found = _found(session, task_id)
        if report.status is not None:
            _move(session, found, report.status)
        if report.current_epoch is not None:
            _figures(session, found["task_id"], report, report.current_epoch)

    _write(context, work)


def _figures(session: Session, task_id: str, report: ProgressReport, epoch: int) -> None:
    loss = report.train_loss if report.loss is None else report.loss
    accuracy = report.val_accuracy if report.accuracy is None else report.accuracy
    left_out = []
    if accuracy is not None and not 0 <= accuracy <= 100:
        accuracy, left_out = None, ["accuracy"]
    if loss is not None and not math.isfinite(loss):
        loss, left_out = None, [*left_out, "loss"]
    left_out += apply.progress(
        session,
        task_id,
        current_epoch=epoch,
        total_epochs=report.total_epochs,
        accuracy=accuracy,
        loss=loss,
    )
    left_out += _epoch(session, task_id, report, epoch)
    if left_out:
        event = FiguresLeftOut(epoch=epoch, fields=sorted(set(left_out)))
        record_event(session, task_id, event)


def _epoch(session: Session, task_id: str, report: ProgressReport, epoch: int) -> list[str]:
    """The epoch's own figures, unless its history has come: that says more."""
    row = {
        "train_loss": report.train_loss,
        "val_loss": report.val_loss,
        "val_accuracy": report.val_accuracy,
    }
    if epoch < 1 or all(value is None for value in row.values()):
        return []
    there = select(History.id).where(History.task_id == task_id, History.epoch == epoch)
    if session.execute(there.limit(1)).first() is not None:
        return []
    return apply.history(session, task_id, {"epoch": epoch, **row})


def _move(session: Session, found: RowMapping, to: State) -> None:
    """As a run elsewhere asks; a repeat is fine."""
    if found["status"] == to:
        return
    task_id = found["task_id"]
    moves: dict[State, Callable[[], bool]] = {
        State.RUNNING: lambda: apply.running(session, task_id),
        State.COMPLETED: lambda: apply.completed(session, task_id),
        State.STOPPED: lambda: apply.stopped(session, task_id),
        State.PAUSED: lambda: apply.stopped(session, task_id, paused=True),
        State.FAILED: lambda: apply.failed(session, task_id, ""),
    }
    if found["live"]:
        raise _ours(found)
    if to not in moves or not moves[to]():
        raise ConflictError("It is {state} and cannot become {to}.", state=found["status"], to=to)


def complete(context: Context, task_id: str) -> None:
    """A run elsewhere has finished; also one that never said that it had begun."""

    def work(session: Session) -> None:
        found = _found(session, task_id)
        if found["status"] == State.COMPLETED:
            return
        if found["live"]:
            raise _ours(found)
        if found["status"] in (State.PENDING, State.QUEUED):
            apply.running(session, found["task_id"])
        if not apply.completed(session, found["task_id"]):
            raise ConflictError(
                "It is {state} and cannot become {to}.",
                state=found["status"],
                to=State.COMPLETED,
            )

    _write(context, work)


def error(context: Context, task_id: str, message: str) -> None:
    """A run elsewhere has failed; a repeat changes the message."""

    def work(session: Session) -> None:
        found = _found(session, task_id)
        if found["live"]:
            raise _ours(found)
        if found["status"] == State.FAILED:
            queries.put_task(session, found["task_id"], error_message=apply.text(message))
        elif not apply.failed(session, found["task_id"], message):
            raise ConflictError(
                "It is {state} and cannot become {to}.", state=found["status"], to=State.FAILED
            )

    _write(context, work)


def model_path(context: Context, task_id: str, path: str, url: str | None) -> None:
    """Where a run elsewhere left the student; a path outside the roots is refused first."""
    check_model_paths(path, url, context.settings.everything)
    _write(
        context,
        lambda session: apply.model(session, _found(session, task_id)["task_id"], path, url),
    )


def _ours(found: RowMapping) -> ConflictError:
    """One writer of a run's state: its own journal."""
    return ConflictError(
        "It is {state}, and its run is this service's own: it tells of itself.",
        state=found["status"],
        fix="Stop it, or wait for its end.",
    )


def _found(session: Session, task_id: str) -> RowMapping:
    found = queries.locked(session, task_id)
    if found is None:
        raise missing(task_id)
    return found


def _write(context: Context, work: Callable[[Session], object]) -> None:
    context.database.run(work)
    totals.changed(context.database)
    context.wake()
