"""The one writer of what a run says, whether it came by surface A, by POST or from a journal.

Each function works within the caller's transaction. States move through `tasks.moves` only, so
a word that comes too late changes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import and_, case, insert, select, update
from sqlalchemy.orm import Session

from tandem.server.db.columns import fitted, letters
from tandem.server.db.columns import text as text
from tandem.server.db.tables import THERE, EvaluationRow, History, Job, Task
from tandem.server.host.clock import now
from tandem.server.tasks.advice import advice as advice_on
from tandem.server.tasks.transitions import move
from tandem.spec.state import State


def progress(
    session: Session,
    task_id: str,
    *,
    current_epoch: int,
    total_epochs: int | None = None,
    accuracy: float | None = None,
    loss: float | None = None,
    best_accuracy: float | None = None,
) -> list[str]:
    """Figures of the run so far; accuracy in percent. Names those that their columns cannot hold.

    None leaves what was known. The best accuracy only rises, to `best_accuracy` where several
    epochs are told at once.
    """
    given: dict[str, object] = {"current_epoch": current_epoch, "total_epochs": total_epochs}
    row, left_out = fitted(Task, given | {"accuracy": accuracy, "loss": loss})
    best = fitted(Task, {"best_accuracy": best_accuracy})[0]["best_accuracy"]
    best = row["accuracy"] if best is None else best
    known = {name: value for name, value in row.items() if value is not None}
    if "current_epoch" in known:
        total = known.get("total_epochs") or _locked(session, task_id).total_epochs
        known["progress"] = percent(_int(known["current_epoch"]), _int(total))
    if best is not None:
        higher = and_(Task.best_accuracy.is_not(None), Task.best_accuracy >= best)
        # In the data base and not here: two reports at once must not lower it.
        known["best_accuracy"] = case((higher, Task.best_accuracy), else_=best)
    _update(session, task_id, update_time=_second(now()), **known)
    return left_out


def percent(current: int, total: int | None) -> int:
    """How far, of a hundred; rounded down."""
    return max(0, min(100, 100 * current // total)) if total and total > 0 else 0


def running(
    session: Session,
    task_id: str,
    *,
    total_epochs: int | None = None,
    started_at: datetime | None = None,
    out_of: Iterable[State] | None = None,
) -> bool:
    """It runs (again): the first start's time stays. False when its state allows no such move."""
    columns: dict[str, object] = {}
    if total_epochs is not None:
        columns |= {n: v for n, v in fitted(Task, {"total_epochs": total_epochs})[0].items() if v}
    known = _locked(session, task_id)
    if known.start_time is None:
        columns["start_time"] = _second(started_at or now())
    if known.status == State.RUNNING:
        if columns:
            _update(session, task_id, **columns)
        return False
    # A resumed run has not ended.
    columns |= {"end_time": None, "duration": None, "error_message": None}
    return move(session, task_id, State.RUNNING, out_of=out_of, columns=columns)


def completed(session: Session, task_id: str) -> bool:
    """It has finished."""
    return _ended(session, task_id, State.COMPLETED, progress=100)


def failed(
    session: Session,
    task_id: str,
    message: str,
    failure_class: str | None = None,
    advice: str | None = None,
) -> bool:
    """It will not go on by itself; `advice` (the class's own, if None) says what can be done."""
    advice = advice or advice_on(failure_class)
    moved = _ended(session, task_id, State.FAILED, error_message=text(message))
    if moved:
        columns = {
            "failure_class": failure_class,
            "advice": None if advice is None else text(advice),
        }
        session.execute(update(Job).where(Job.task_id == task_id).values(**columns))
    return moved


def stopped(session: Session, task_id: str, *, paused: bool = False) -> bool:
    """It was asked to end, and has."""
    return _ended(session, task_id, State.PAUSED if paused else State.STOPPED)


def model(session: Session, task_id: str, path: str, url: str | None) -> list[str]:
    """Where the trained student lies. Names what is too long for its column."""
    row, left_out = fitted(Task, {"model_path": path, "model_url": url})
    _update(session, task_id, update_time=_second(now()), **row)
    return left_out


def checkpoint(session: Session, task_id: str, path: str) -> list[str]:
    """The last checkpoint. Names it when it is too long for its column."""
    row, left_out = fitted(Task, {"checkpoint_path": path})
    if not left_out:
        _update(session, task_id, **row)
    return left_out


def history(session: Session, task_id: str, row: dict[str, object]) -> list[str]:
    """One epoch's figures; a repeat replaces them. Names those that no column can hold."""
    return histories(session, task_id, [row])


def histories(session: Session, task_id: str, rows: Sequence[dict[str, object]]) -> list[str]:
    """The same for many epochs in a few statements; of one epoch the last row counts."""
    left_out: list[str] = []
    fresh: dict[object, dict[str, object]] = {}
    for row in rows:
        complete = dict.fromkeys(_HISTORY) | {"record_time": _second(now())} | row
        fit, gone = fitted(History, complete)
        fit["record_time"] = _second(fit["record_time"])
        left_out += gone
        if fit["epoch"] is not None:  # a number that no column holds is no epoch
            fresh[fit["epoch"]] = fit | {"task_id": task_id}
    if not fresh:
        return left_out
    _locked(session, task_id)  # two writers of one epoch: the second sees the first one's row
    known = select(History.id, History.epoch).where(
        History.task_id == task_id, History.epoch.in_(fresh)
    )
    there = set()
    for key, epoch in session.execute(known).all():
        there.add(epoch)  # installed systems may have an epoch twice
        session.execute(
            update(History)
            .where(History.id == key)
            .values(**fresh[epoch])
            .execution_options(synchronize_session=False)
        )
    new = [row for epoch, row in fresh.items() if epoch not in there]
    if new:
        session.execute(insert(History), new)
    return left_out


_HISTORY = [
    column.name for column in History.__table__.columns if column.name not in ("id", "task_id")
]


def evaluation(
    session: Session, task_id: str, row: dict[str, object], *, digest: str | None = None
) -> list[str]:
    """What the student can do, in percent. One with a `digest` that is there is not told twice."""
    fit, left_out = fitted(EvaluationRow, row)
    fit["eval_time"] = _second(fit.get("eval_time"))
    _locked(session, task_id)
    if digest is not None and _has_digest(session, task_id, digest):
        return []
    session.execute(insert(EvaluationRow), [fit | {"task_id": task_id}])
    return left_out


def _has_digest(session: Session, task_id: str, digest: str) -> bool:
    there = select(EvaluationRow.id).where(
        EvaluationRow.task_id == task_id,
        EvaluationRow.detailed_results.contains(f'"{digest}"', autoescape=True),
    )
    return session.execute(there.limit(1)).first() is not None


def _ended(session: Session, task_id: str, to: State, **columns: object) -> bool:
    started_at = _locked(session, task_id).start_time
    end = _second(now())
    columns["end_time"] = end
    if started_at is not None:
        columns["duration"] = max(0, int((end - started_at).total_seconds()))
    return move(session, task_id, to, columns=columns)


class _LockedTask(NamedTuple):
    start_time: datetime | None = None
    total_epochs: int | None = None
    status: str | None = None


def _locked(session: Session, task_id: str) -> _LockedTask:
    """The task's row, which others wait for until this transaction ends; empty without one."""
    row = session.execute(
        select(Task.start_time, Task.total_epochs, Task.status)
        .where(Task.task_id == task_id, Task.del_flag.in_(THERE))
        .with_for_update()
    ).one_or_none()
    return _LockedTask() if row is None else _LockedTask(*row)


def _update(session: Session, task_id: str, **columns: object) -> None:
    session.execute(
        update(Task)
        .where(Task.task_id == task_id, Task.del_flag.in_(THERE))
        .values(**columns)
        .execution_options(synchronize_session=False)
    )


def _second(at: object) -> datetime:
    """A time as installed systems' columns keep it: UTC, whole seconds. Now, if it is none."""
    at = at if isinstance(at, datetime) else now()
    if at.tzinfo is not None:
        at = at.astimezone(UTC).replace(tzinfo=None)
    return at.replace(microsecond=0)


def _int(value: object) -> int:
    """A number that a column of whole numbers holds; 0 for none."""
    return value if isinstance(value, int) else 0


def doing(what: str | None) -> str | None:
    """What a run says it is at, as short as its column."""
    return None if what is None else letters(what, 200)
