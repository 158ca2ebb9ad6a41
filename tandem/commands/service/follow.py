"""`tandem follow TASK`: what a run says, as it says it, in the lines and bars of a local run."""

from __future__ import annotations

from tandem.client.client import Client
from tandem.client.connect import connect
from tandem.client.responses import Task
from tandem.client.stream import RawServiceEvent
from tandem.commands.terminal import print_status
from tandem.spec.event import Event, Failed, Heartbeat
from tandem.spec.i18n import t
from tandem.spec.state import State
from tandem.train.sinks.base import Sink
from tandem.train.sinks.stdout import stdout

STOPPED = 75
_CODES = {State.COMPLETED: 0, State.STOPPED: STOPPED, State.PAUSED: STOPPED}


def follow(task_id: str, server: str | None) -> int:
    """Show a task to its end; 0 where it became a model, else the trainer's exit code."""
    with connect(server) as client:
        if client.task(task_id).status == State.PENDING:
            print_status(t("It is not started: `tandem resume {task}` starts it.", task=task_id))
        return watch_interruptibly(client, task_id)


def watch_interruptibly(client: Client, task_id: str) -> int:
    """The same as `watch`; Ctrl-C ends the looking, not the run, and says so."""
    try:
        return watch(client, task_id)
    except KeyboardInterrupt:
        print_status(
            t("The training goes on; `tandem follow {task}` shows it again.", task=task_id)
        )
        raise


def watch(client: Client, task_id: str) -> int:
    """Show all that a task's runs say; the exit code of the last one."""
    sink = stdout()
    screen = _Screen(sink)
    try:
        for event in client.follow(task_id, on_away=_print_away):
            screen.show(event)
    finally:
        sink.close()
    return _ended(client.task(task_id), screen)


class _Screen:
    """A task's events as lines and bars, each reason once."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.has_failed = False
        self._reason: str | None = None

    def show(self, event: Event | RawServiceEvent) -> None:
        if isinstance(event, RawServiceEvent):
            self._show_service_event(event)
            return
        self.has_failed = isinstance(event, Failed)
        if isinstance(event, Heartbeat) and event.done is not None and event.total is not None:
            self.sink.progress(event.doing, event.done, event.total)
        self.sink.receive(event)

    def _show_service_event(self, event: RawServiceEvent) -> None:
        message, reason = event.body.get("message"), event.body.get("reason")
        if isinstance(message, str):
            print_status(message)
        elif event.type == "state" and event.body.get("status") == State.QUEUED:
            print_status(_queued(reason if isinstance(reason, str) else None))
        elif isinstance(reason, str) and reason != self._reason:
            print_status(reason)
            self._reason = reason


def _queued(reason: str | None) -> str:
    return t("Queued: {reason}", reason=reason) if reason else t("Queued.")


def _ended(task: Task, screen: _Screen) -> int:
    if task.status == State.FAILED:
        if not screen.has_failed:
            print_status(t("Failed: {message}", message=task.error_message or "?"))
        if task.advice and task.advice not in (task.error_message or ""):
            print_status(task.advice)
        return 1
    if task.status == State.PAUSED:
        print_status(t("Paused; `tandem resume {task}` goes on.", task=task.task_id))
    elif task.status == State.STOPPED:
        print_status(t("Stopped; `tandem resume {task}` goes on from the last checkpoint.",
               task=task.task_id))  # fmt: skip
    return _CODES.get(State(task.status), 1)


def _print_away(is_away: bool) -> None:
    if is_away:
        print_status(t("The service is away; the training goes on. Waiting for it …"))
    else:
        print_status(t("The service is back."))
