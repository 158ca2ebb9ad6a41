"""The run's voice: each event goes to `events.jsonl` first, then to the sinks."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tandem.spec.event import EVENT, Event
from tandem.train.sinks.base import Sink
from tandem.train.sinks.journal import Journal
from tandem.train.types import ProgressReporter

HEARTBEAT_SECONDS = 1.0


class Emitter(ProgressReporter):
    """What only the first process of a run has. Any thread may speak."""

    def __init__(self, run_dir: Path, task_id: str, sinks: Sequence[Sink] = ()) -> None:
        """Goes on where an earlier attempt in this folder ended: `seq` has no gap."""
        self.task_id = task_id
        self._journal = Journal(run_dir)
        self.attempt = self._journal.attempts + 1
        # Reentrant: `notice` and `progress` hold it and call `emit`, which takes it too.
        self._lock = threading.RLock()
        self._sinks = list(sinks)
        self._heartbeat_at = -HEARTBEAT_SECONDS
        self._closed = False
        for sink in self._sinks:
            sink.open(run_dir, self)

    def emit(self, type: str, **fields: object) -> Event:
        """Writes one event of `spec.event`; pydantic.ValidationError when it is none."""
        with self._lock:
            event = EVENT.validate_python(
                {
                    "type": type,
                    "seq": self._journal.last_seq + 1,
                    "at": datetime.now(UTC),
                    "task_id": self.task_id,
                    "attempt": self.attempt,
                    **{name: _writable(value) for name, value in fields.items()},
                }
            )
            self._journal.append(event)
            for sink in self._sinks:
                sink.receive(event)
        return event

    def notice(self, message: str, warning: bool = False) -> None:
        with self._lock:
            if not self._closed:
                self.emit("notice", message=message, level="warning" if warning else "info")

    def progress(self, doing: str, done: int, total: int) -> None:
        """Moves the bar; at most one heartbeat event a second."""
        with self._lock:
            if self._closed:
                return
            for sink in self._sinks:
                sink.progress(doing, done, total)
            now = time.monotonic()
            if now - self._heartbeat_at >= HEARTBEAT_SECONDS:
                self._heartbeat_at = now
                self.emit("heartbeat", doing=doing, done=done, total=total)

    def close(self) -> None:
        """Closes the sinks, the last first: one that delivers late may still say a word."""
        # Not under the lock: the HTTP sink's thread may want to speak while we wait for it.
        for sink in reversed(self._sinks):
            sink.close()
        with self._lock:
            if not self._closed:
                self._closed = True
                self._journal.close()


def _writable(value: object) -> object:
    """File names may hold bytes that are no UTF-8, which JSON cannot carry: spell them out."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {_writable(key): _writable(one) for key, one in value.items()}
        case [int() | float(), *_]:  # a row of a confusion matrix may be long
            return value
        case list() | tuple():
            return [_writable(one) for one in value]
        case _:
            return value
