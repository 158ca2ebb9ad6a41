"""`tandem follow TASK`: what a run says, as it says it, in the lines and bars of a local run."""

from __future__ import annotations

from tandem.client.answers import Task
from tandem.client.client import Client
from tandem.client.connect import connect
from tandem.client.stream import Happened
from tandem.commands.terminal import tell
from tandem.spec.event import Event, Failed, Heartbeat
from tandem.spec.i18n import t
from tandem.spec.state import State
from tandem.train.sinks.base import Sink
from tandem.train.sinks.stdout import stdout

STOPPED = 75
_CODES = {State.COMPLETED: 0, State.STOPPED: STOPPED, State.PAUSED: STOPPED}


def follow(task_id: str, server: str | None) -> int:
    """From the task's beginning to its end; 0 where it is a model, as of the trainer else."""
    with connect(server) as client:
        if client.task(task_id).status == State.PENDING:
            tell(t("It is not started: `tandem resume {task}` starts it.", task=task_id))
        return look_at(client, task_id)


def look_at(client: Client, task_id: str) -> int:
    """As `watch`; Ctrl-C ends the looking, not the run, and says so."""
    try:
        return watch(client, task_id)
    except KeyboardInterrupt:
        tell(t("The training goes on; `tandem follow {task}` shows it again.", task=task_id))
        raise


def watch(client: Client, task_id: str) -> int:
    """Show all that a task's runs say; the exit code of the last one."""
    screen = stdout()
    shown = _Shown(screen)
    try:
        for said in client.follow(task_id, on_away=_say_away):
            shown.one(said)
    finally:
        screen.close()
    return _ended(client.task(task_id), shown)


class _Shown:
    """What has been told so far."""

    def __init__(self, screen: Sink) -> None:
        self.screen = screen
        self.has_failed = False
        self._reason: str | None = None

    def one(self, said: Event | Happened) -> None:
        if isinstance(said, Happened):
            self._outside(said)
            return
        self.has_failed = isinstance(said, Failed)
        if isinstance(said, Heartbeat) and said.done is not None and said.total is not None:
            self.screen.progress(said.doing, said.done, said.total)
        self.screen.receive(said)

    def _outside(self, said: Happened) -> None:
        message, reason = said.body.get("message"), said.body.get("reason")
        if isinstance(message, str):
            tell(message)
        elif said.type == "state" and said.body.get("status") == State.QUEUED:
            tell(_queued(reason if isinstance(reason, str) else None))
        elif isinstance(reason, str) and reason != self._reason:
            tell(reason)
            self._reason = reason


def _queued(reason: str | None) -> str:
    return t("Queued: {reason}", reason=reason) if reason else t("Queued.")


def _ended(task: Task, shown: _Shown) -> int:
    if task.status == State.FAILED:
        if not shown.has_failed:
            tell(t("Failed: {message}", message=task.error_message or "?"))
        if task.advice and task.advice not in (task.error_message or ""):
            tell(task.advice)
        return 1
    if task.status == State.PAUSED:
        tell(t("Paused; `tandem resume {task}` goes on.", task=task.task_id))
    elif task.status == State.STOPPED:
        tell(t("Stopped; `tandem resume {task}` goes on from the last checkpoint.",
               task=task.task_id))  # fmt: skip
    return _CODES.get(State(task.status), 1)


def _say_away(is_away: bool) -> None:
    if is_away:
        tell(t("The service is away; the training goes on. Waiting for it …"))
    else:
        tell(t("The service is back."))
