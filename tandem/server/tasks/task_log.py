"""The service's log of tasks: a line for each beginning, end and failure, once it is so.

An administrator reads it beside the warnings; what a run says at length is in its own folder.
"""

from __future__ import annotations

import logging
import re

from sqlalchemy import event
from sqlalchemy.orm import Session

from tandem.executors.base import RUN_TOKEN
from tandem.spec.service_event import (
    ActionRequested,
    Adopted,
    Created,
    Deleted,
    Ended,
    Launched,
    ServiceEvent,
    StateChanged,
)
from tandem.spec.state import State

MOST_LETTERS = 400
_SECRETS = (
    (re.compile(r"(://[^/\s:@]*):[^/\s@]*@"), r"\1:***@"),
    (re.compile(rf"{re.escape(RUN_TOKEN)}[\w-]+"), "***"),
    (re.compile(r"(?i)\b(bearer|token|password)([ =:]+)[^\s,;]+"), r"\1\2***"),
)
log = logging.getLogger(__name__)


def tell(session: Session, task_id: str, said: ServiceEvent, message: object = None) -> None:
    """Log it when the transaction has been committed; one that is undone leaves no line."""
    line = _line(said)
    if line is None:
        return
    level = logging.INFO
    if isinstance(said, StateChanged) and said.status is State.FAILED:
        level = logging.WARNING
        line = f"{line}: {message}" if message else line
    text = _plain(f"{task_id} {line}")
    event.listen(session, "after_commit", lambda _: log.log(level, "%s", text), once=True)


def _line(said: ServiceEvent) -> str | None:
    match said:
        case Created():
            return "was created"
        case StateChanged(status=status, reason=reason):
            return f"is {status}" + (f": {reason}" if reason else "")
        case Launched(attempt=attempt, devices=devices):
            return f"was launched: attempt {attempt} on {', '.join(devices) or '-'}"
        case Adopted():
            return "runs already, and is watched by this server now"
        case Ended(attempt=attempt, outcome=outcome, exit_code=code):
            return f"has no process any more: attempt {attempt}, {outcome}, exit code {code}"
        case ActionRequested(wanted=wanted):
            return f"was asked to {wanted}"
        case Deleted():
            return "was deleted"
    return None


def _plain(text: str) -> str:
    """One line, short, and no secret that somebody has put into a message."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= MOST_LETTERS else line[: MOST_LETTERS - 1] + "…"
