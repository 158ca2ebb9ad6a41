"""A task's live stream: server-sent events, taken up again where a connection broke."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from tandem.client.errors import RefusedError, ServiceError, UnreachableError, refused, unreachable
from tandem.client.responses import ENDED, Task
from tandem.spec.event import EVENT, EVENT_TYPES, Event

BACKOFF_SECONDS = (0.25, 5.0)
PATIENCE_SECONDS = 600.0
SILENCE_SECONDS = 60.0
"""The service says something (a comment, if nothing else) far more often."""
QUIET_COMMENTS = 2
"""After so many in a row it is asked whether the task has ended."""
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a service that is coming or going, or of a proxy before it."""


@dataclass(frozen=True)
class ServerSentEvent:
    """One event of the stream, as the HTML standard has it."""

    id: str
    name: str
    data: str

    @property
    def is_comment(self) -> bool:
        """The service has nothing to tell, and is there."""
        return not self.name


@dataclass(frozen=True)
class RawServiceEvent:
    """Something beside a run's events, as the service sent it: `state`, a notice, …"""

    type: str
    body: dict[str, object]


class TaskStream:
    """Iterate over it: run events and what happened beside them, each once, to the task's end.

    A service that went away is asked again, later and later, for `patience_seconds` after it was
    last heard; then UnreachableError. `on_away(True)` is called when it is missed,
    `on_away(False)` when it is back.
    """

    def __init__(
        self,
        http: httpx.Client,
        url: str,
        task_id: str,
        task: Callable[[], Task],
        last_id: str | None = None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        on_away: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._http, self._url, self._task = http, url, task
        self._path = f"/api/v1/tasks/{quote(task_id, safe='')}/events"
        self._patience_seconds, self._on_away = patience_seconds, on_away
        self.last_id = last_id
        """The id of the last event that was dealt with: another EventStream can go on from here."""
        self._attempt = 0
        self._heard = False

    def __iter__(self) -> Iterator[Event | RawServiceEvent]:
        wait_seconds, missed = BACKOFF_SECONDS[0], False
        heard_at, quiet = time.monotonic(), 0
        while True:
            broke: httpx.TransportError | RefusedError | None = None
            try:
                for frame in self._frames():
                    if missed:
                        missed = False
                        self._on_away(False)
                    heard_at, wait_seconds = time.monotonic(), BACKOFF_SECONDS[0]
                    quiet = quiet + 1 if frame.is_comment else 0
                    if quiet == QUIET_COMMENTS and self._now().ended:
                        return  # its end was told before `last_id`
                    quiet %= QUIET_COMMENTS
                    event = None if frame.is_comment else self._parse(frame)
                    if event is not None:
                        yield event
                        if isinstance(event, RawServiceEvent) and self._is_over(event):
                            return
            except httpx.TransportError as error:
                broke = error
            except RefusedError as error:
                if error.status not in AGAIN:
                    raise
                broke = error
            if not self._heard or time.monotonic() - heard_at > self._patience_seconds:
                raise self._gone(broke)
            if broke is not None and not missed:
                missed = True
                self._on_away(True)
            # At random, so that a service that comes back is not asked by all in one moment.
            time.sleep(wait_seconds * random.uniform(0.5, 1.0))
            wait_seconds = min(2 * wait_seconds, BACKOFF_SECONDS[1])

    def _parse(self, frame: ServerSentEvent) -> Event | RawServiceEvent | None:
        """The event in a frame; None for what a newer service sends."""
        if frame.name == "error":  # it ends here; the same is said to who comes back too soon
            return None
        try:
            found = json.loads(frame.data)
        except ValueError:
            return None
        if not isinstance(found, dict):
            return None
        if "attempt" in found:
            self._attempt = max(self._attempt, _number(found["attempt"]))
        # What happened outside a run may be a notice too, or carry a `seq`; never both.
        if frame.name in EVENT_TYPES and "seq" in found:
            try:
                return EVENT.validate_python(found)
            except ValidationError:
                return None
        return RawServiceEvent(frame.name, found)

    def _is_over(self, event: RawServiceEvent) -> bool:
        """Whether this is the end of the last attempt, and not of one that was resumed."""
        if event.type != "state" or event.body.get("status") not in ENDED:
            return False
        now = self._now()
        return now.status == event.body["status"] and self._attempt >= now.attempts

    def _now(self) -> Task:
        until = time.monotonic() + self._patience_seconds
        while True:
            try:
                return self._task()
            except (UnreachableError, RefusedError) as error:
                passing = isinstance(error, UnreachableError) or error.status in AGAIN
                if not passing or time.monotonic() > until:
                    raise
            time.sleep(BACKOFF_SECONDS[0])

    def _frames(self) -> Iterator[ServerSentEvent]:
        headers = {"Accept": "text/event-stream"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=5.0)
        with self._http.stream("GET", self._path, headers=headers, timeout=timeout) as answer:
            if answer.is_error:
                answer.read()
                raise refused(answer)
            self._heard = True
            for frame in frames(answer.iter_lines()):
                yield frame
                if frame.id:
                    self.last_id = frame.id

    def _gone(self, error: httpx.TransportError | RefusedError | None) -> ServiceError:
        if isinstance(error, RefusedError):
            return error
        return unreachable(self._url, error)


def frames(lines: Iterator[str]) -> Iterator[ServerSentEvent]:
    """As the HTML standard has them, and a nameless one for a comment; `retry` is passed over.

    An event whose end has not come is none: its id is not taken either.
    """
    id, name = "", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield ServerSentEvent(id, name or "message", "\n".join(data))
            id, name, data = "", "", []
            continue
        if line.startswith(":"):
            yield ServerSentEvent("", "", "")
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            id = value
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
