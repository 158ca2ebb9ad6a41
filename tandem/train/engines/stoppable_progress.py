"""A progress reporter through which a long preparation learns that it is to stop."""

from __future__ import annotations

from tandem.train.engines.stop import StoppedEarlyError, StopRequest
from tandem.train.types import ProgressReporter


class StoppableProgress(ProgressReporter):
    """Passes everything on, and ends a long preparation at its next step once asked to stop."""

    def __init__(self, inner: ProgressReporter, stop: StopRequest) -> None:
        self.inner, self.stop = inner, stop

    def notice(self, message: str, warning: bool = False) -> None:
        self.inner.notice(message, warning)

    def progress(self, doing: str, done: int, total: int) -> None:
        """StoppedEarlyError after a request; what was finished so far is on disk already."""
        if self.stop.asked:
            raise StoppedEarlyError(
                "Stopped on request before training, at: {doing}; what is finished is kept.",
                doing=doing,
                fix="Start again with the same arguments to go on.",
            )
        self.inner.progress(doing, done, total)
