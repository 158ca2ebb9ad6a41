"""Takes events from the run folder to the service: each once, in order, whatever breaks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tandem.spec import journal
from tandem.spec.i18n import t
from tandem.spec.journal import JournalLine
from tandem.train.sinks.service import TOKEN_VARIABLE, AwayError, CallRefusedError, ServiceClient
from tandem.train.sinks.wire import FORWARDED, Call, calls
from tandem.train.types import ProgressReporter

CURSOR = "http.cursor"
LOCK = ".http.lock"


MOST_DENIED = 3
"""So many calls in a row denied by 401 or 403 are about the token, not about one call. An ending
run makes three: its evaluation, its model's path, and that it is complete."""


class LockedOutError(Exception):
    """Everything is answered by 401 or 403: nothing more will get through with this token."""


class DeliveryCursor(BaseModel):
    """How far the service has acknowledged; written after each acknowledgement."""

    model_config = ConfigDict(extra="ignore")
    seq: int = 0
    """Every event up to this one has arrived."""
    parts: int = 0
    """Calls of the next event that have arrived."""
    in_flight: bool = False
    """The next call was begun: after a crash nobody knows whether it arrived."""
    evaluations: list[str] = []
    """Digests of the evaluations delivered, so that a resumed run repeats none."""

    @classmethod
    def read(cls, run_dir: Path) -> DeliveryCursor:
        try:
            return cls.model_validate_json((run_dir / CURSOR).read_bytes())
        except (FileNotFoundError, ValidationError):
            return cls()

    def write(self, run_dir: Path) -> None:
        hidden = run_dir / f".{CURSOR}.{os.getpid()}"
        with hidden.open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json())
            file.flush()
            # Before the rename, which could reach the disk first: an empty cursor would send
            # everything again.
            os.fsync(file.fileno())
        hidden.replace(run_dir / CURSOR)


class Delivery:
    """Brings one run folder's events to one service; who uses it holds the folder's LOCK."""

    def __init__(self, run_dir: Path, service: ServiceClient, progress: ProgressReporter) -> None:
        self._run_dir, self._service, self._progress = run_dir, service, progress
        self._cursor = DeliveryCursor.read(run_dir)
        self._maybe_arrived = self._cursor.in_flight
        self._offset_bytes = 0
        self._run_id = ""
        self._refusals: set[tuple[str, int]] = set()
        self._denied = 0
        """Calls in a row that 401 or 403 answered. Nothing is acknowledged until another gets
        through: if none does, all of them are kept."""
        self.sent = 0
        """Requests acknowledged so far."""

    def forward(self, halted: Callable[[], bool]) -> None:
        """Everything now in the file. Raises AwayError or LockedOutError; calling again goes on."""
        for line in journal.whole_lines(self._events, self._offset_bytes):
            if halted():
                return
            if line.type in FORWARDED and line.seq > self._cursor.seq:
                self._event(line)
            self._offset_bytes = line.end_bytes

    @property
    def _events(self) -> Path:
        return self._run_dir / journal.NAME

    def _event(self, line: JournalLine) -> None:
        self._run_id = self._run_id or run_id(self._events)
        for call in _calls(line, self._run_id)[self._cursor.parts :]:
            self._one(call)
            # After each call, not each event: an epoch is two, and the first must not be sent
            # again.
            self._acknowledge(parts=self._cursor.parts + 1)
        self._acknowledge(parts=0, seq=line.seq)

    def _one(self, call: Call) -> None:
        if call.digest and call.digest in self._cursor.evaluations:
            return
        try:
            # After a crash or a lost answer it may be there already: asked first, as nothing may
            # arrive twice.
            if not (self._maybe_arrived and self._service.has(call, self._run_id)):
                self._begin()
                self._service.send(call)
            self.sent += 1
            self._denied = 0
            self._say_left_out(call)
            if call.digest:
                self._cursor.evaluations.append(call.digest)
        except AwayError as away:
            self._maybe_arrived = self._maybe_arrived or away.maybe_arrived
            raise
        except CallRefusedError as refusal:
            self._refused(call, refusal)
        self._maybe_arrived = False

    def _begin(self) -> None:
        if not self._cursor.in_flight and not self._denied:
            # On the disk before the request is: should this process die in it, the doubt is on
            # record.
            self._cursor.in_flight = True
            self._cursor.write(self._run_dir)

    def _acknowledge(self, *, parts: int, seq: int | None = None) -> None:
        self._cursor.parts, self._cursor.in_flight = parts, False
        self._cursor.seq = self._cursor.seq if seq is None else seq
        if not self._denied:
            self._cursor.write(self._run_dir)

    def _refused(self, call: Call, refusal: CallRefusedError) -> None:
        if refusal.status in (401, 403):
            self._count_denied(refusal)
        else:
            self._denied = 0
        if (call.what, refusal.status) not in self._refusals:
            self._refusals.add((call.what, refusal.status))
            self._progress.notice(
                t(
                    "The service {service} refused {what} with {status}: {message}."
                    " The training goes on; further refusals of this sort are not repeated here.",
                    service=self._service.name,
                    what=call.what,
                    status=refusal.status,
                    message=str(refusal).rstrip("."),
                ),
                warning=True,
            )

    def _count_denied(self, refusal: CallRefusedError) -> None:
        """One may be about this call alone: a model's path outside of what the service serves."""
        self._denied += 1
        if self._denied < MOST_DENIED:
            return
        self._progress.notice(
            t(
                "The service {service} does not let this run in ({status} {message}); check"
                " {variable}. What it should hear is kept.",
                service=self._service.name,
                status=refusal.status,
                message=refusal,
                variable=TOKEN_VARIABLE,
            ),
            warning=True,
        )
        raise LockedOutError from refusal

    def _say_left_out(self, call: Call) -> None:
        for name, value in call.left_out:
            self._progress.notice(
                t(
                    "{name} is {value}, which the service cannot store: sent without it.",
                    name=name,
                    value=value,
                ),
                warning=True,
            )


def _calls(line: JournalLine, run_id: str) -> list[Call]:
    event = line.event()
    # Another version of Tandem wrote it: what is not understood is not sent.
    return [] if event is None else calls(event, run_id)


def waiting(run_dir: Path) -> int:
    """How many events the service has yet to hear."""
    events = run_dir / journal.NAME
    if not events.exists():
        return 0
    seen = DeliveryCursor.read(run_dir).seq
    lines = journal.whole_lines(events)
    return sum(line.type in FORWARDED and line.seq > seen for line in lines)


def run_id(events: Path) -> str:
    """Which run this journal is of, by what was said first, and when; empty before its first."""
    with events.open("rb") as file:
        return journal.identity(file) or ""
