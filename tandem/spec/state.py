"""The states of a task, the legal moves between them, and what an event does to a state."""

from __future__ import annotations

from enum import StrEnum

from tandem.spec.event import Event


class State(StrEnum):
    PENDING = "PENDING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


MOVES: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.QUEUED, State.RUNNING, State.FAILED}),
    State.QUEUED: frozenset(
        {State.RUNNING, State.PENDING, State.PAUSED, State.STOPPED, State.FAILED}
    ),
    State.RUNNING: frozenset(
        {State.COMPLETED, State.FAILED, State.STOPPED, State.PAUSED, State.QUEUED}
    ),
    State.PAUSED: frozenset({State.QUEUED, State.RUNNING, State.STOPPED}),
    State.FAILED: frozenset({State.QUEUED, State.RUNNING}),
    State.STOPPED: frozenset({State.QUEUED, State.RUNNING}),
    State.COMPLETED: frozenset(),
}

_ENDS = {"finished": State.COMPLETED, "failed": State.FAILED, "stopped": State.STOPPED}


def allowed(now: State, to: State) -> bool:
    """Whether a task may move from `now` to `to`."""
    return to in MOVES[now]


def apply(now: State, event: Event) -> State:
    """The state after `event`. One that no move allows (late, repeated) changes nothing.

    A run that was lost stays RUNNING here: whoever watches it resumes it, or gives it up.
    """
    if event.type == "failed" and event.failure_class == "lost":
        return now
    to = State.RUNNING if event.type == "started" else _ENDS.get(event.type, now)
    return to if to == now or allowed(now, to) else now
