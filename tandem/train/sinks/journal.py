"""Writes `events.jsonl`: one event a line, appended whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tandem.spec.errors import DiskFullError
from tandem.spec.event import Event
from tandem.spec.journal import LASTING, NAME, whole_lines
from tandem.spec.os_errors import FULL


class Journal:
    """The open file of one run folder; a line that a killed process left half is cut off."""

    def __init__(self, run_dir: Path) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self.path = run_dir / NAME
        self.last_seq, self.attempts = 0, 0
        whole_bytes = 0
        if self.path.exists():
            for line in whole_lines(self.path):
                self.last_seq = max(self.last_seq, line.seq)
                self.attempts += line.type == "started"
                whole_bytes = line.end_bytes
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._end_bytes = whole_bytes
        os.ftruncate(self._file, whole_bytes)

    def append(self, event: Event) -> None:
        """Raises DiskFullError, and leaves no half line."""
        line = event.model_dump_json().encode() + b"\n"
        try:
            # One write to a file opened for appending: a reader never meets two lines in each
            # other.
            written_bytes = os.write(self._file, line)
            if written_bytes < len(line):
                # A short write is how a disk that fills up in mid-line shows itself.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if event.type in LASTING:
                os.fsync(self._file)
        except OSError as problem:
            os.ftruncate(self._file, self._end_bytes)
            if problem.errno not in FULL:
                raise
            raise DiskFullError(
                "The disk is full: {path} cannot take another event.",
                path=self.path,
                fix="Free some space and start the run again; it goes on from its checkpoint.",
            ) from problem
        self._end_bytes += len(line)
        self.last_seq = event.seq

    def close(self) -> None:
        """Anything said later fails, rather than reaching a file that got the same number."""
        os.close(self._file)
        self._file = -1
