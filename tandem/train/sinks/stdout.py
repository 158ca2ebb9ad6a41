"""Progress bars on a terminal; plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tandem.spec.event import Event, Failed, Finished, Notice, Stopped
from tandem.train.sinks.base import Sink
from tandem.train.sinks.lines import Lines, four_digits, sentence, writable


def stdout(stream: TextIO | None = None) -> Sink:
    """The sink that fits the stream (default: standard output)."""
    stream = stream or sys.stdout
    return Bars(stream) if stream.isatty() else Lines(stream)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{four_digits(task.speed)}/s")


class Bars(Sink):
    """One bar for what is being done, with rate and remaining time; events scroll above it."""

    def __init__(self, stream: TextIO, *, console: Console | None = None) -> None:
        self._stream = stream
        self._console = console or Console(file=stream)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._doing = ""
        self._deaf = False

    def receive(self, event: Event) -> None:
        if isinstance(event, Finished | Failed | Stopped):
            self._rest()
        line = sentence(event)
        if line is None or self._deaf:
            return
        try:
            self._console.print(
                writable(line, self._stream),
                style=_style(event),
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        except (OSError, ValueError):  # the terminal went away: the training goes on
            self._deaf = True

    def progress(self, doing: str, done: int, total: int) -> None:
        if self._deaf:
            return
        task = self._task
        if task is None or doing != self._doing:
            task = self._begin(doing, total)
        self._bar.update(task, completed=done, total=total)
        if done >= total:
            self._rest()

    def close(self) -> None:
        self._rest()

    def _begin(self, doing: str, total: int) -> TaskID:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._doing = doing
        self._task = self._bar.add_task(writable(doing, self._stream), total=total)
        self._bar.start()
        return self._task

    def _rest(self) -> None:
        if self._task is not None:
            self._bar.stop()
            self._bar.remove_task(self._task)
            self._task = None


def _style(event: Event) -> str | None:
    if isinstance(event, Notice) and event.level == "warning":
        return "yellow"
    if isinstance(event, Failed):
        return "bold red"
    return "bold" if isinstance(event, Finished) else None
