"""A run in this process, and those who speak for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.engines.device import DeviceContext
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.stop import StopRequest
from tandem.train.types import ProgressReporter


class EventReporter(ProgressReporter, Protocol):
    """Where a part of a run sends its events: an Emitter in the first process."""

    def emit(self, type: str, **fields: object) -> object:
        """Send one event of `spec.event`; pydantic.ValidationError when it is none."""


class NullReporter:
    """Drops events: every process but the first has one."""

    def emit(self, type: str, **fields: object) -> None: ...
    def notice(self, message: str, warning: bool = False) -> None: ...
    def progress(self, doing: str, done: int, total: int) -> None: ...


class BaselineReporter:
    """Passes on of a baseline's events what the run shows of it: progress and warnings."""

    def __init__(self, reporter: EventReporter) -> None:
        self.reporter = reporter

    def emit(self, type: str, **fields: object) -> None:
        """Drop it: epochs and metrics of the baseline are not the student's."""

    def notice(self, message: str, warning: bool = False) -> None:
        if warning:
            self.reporter.notice(message, warning=True)

    def progress(self, doing: str, done: int, total: int) -> None:
        self.reporter.progress(t("without the teacher: {doing}", doing=doing), done, total)


@dataclass(frozen=True)
class Run:
    """One execution of a spec in this process."""

    spec: RunSpec
    device_context: DeviceContext
    folder: RunFolder
    reporter: EventReporter
    stop: StopRequest
