"""What listens to a run: gets every event after it is safe in `events.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tandem.spec.event import Event

if TYPE_CHECKING:  # its module loads torch, and the client shows runs without
    from tandem.train.types import ProgressReporter


class Sink:
    """Every call comes from one thread at a time, and must return quickly."""

    def open(self, run_dir: Path, progress: ProgressReporter) -> None:
        """Once, before the first event. `progress` may be spoken to from any thread."""

    def receive(self, event: Event) -> None:
        """One event, in the order of `seq`."""

    def progress(self, doing: str, done: int, total: int) -> None:
        """How far a long part is; many times a second."""

    def close(self) -> None:
        """Once, after the last event."""
