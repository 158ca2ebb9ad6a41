"""A task's live stream: server-sent events, taken up again where a connection broke."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from tandem.client.answers import ENDED, Task
from tandem.client.errors import RefusedError, ServiceError, UnreachableError, away, refusal
from tandem.spec.event import EVENT, EVENT_TYPES, Event

BACKOFF_SECONDS = (0.25, 5.0)
SILENCE_SECONDS = 60.0
"""The service says something (a comment, if nothing else) far more often."""
QUIET_COMMENTS = 2
"""After so many in a row it is asked whether the task has ended."""
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a service that is coming or going, or of a proxy before it."""


@dataclass(frozen=True)
class Frame:
    """One server-sent event."""

    id: str
    name: str
    data: str

    @property
    def is_comment(self) -> bool:
        """The service has nothing to tell, and is there."""
        return not self.name


@dataclass(frozen=True)
class Happened:
    """Something outside a run: `state` with its status, a notice, …"""

    type: str
    body: dict[str, Any]


class Stream:
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
        patience_seconds: float = 600.0,
        on_away: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._http, self._url, self._task = http, url, task
        self._path = f"/api/v1/tasks/{quote(task_id, safe='')}/events"
        self._patience_seconds, self._on_away = patience_seconds, on_away
        self.last_id = last_id
        """Of the last frame that was dealt with: another Stream can go on from here."""
        self._attempt = 0
        self._heard = False

    def __iter__(self) -> Iterator[Event | Happened]:
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
                    said = None if frame.is_comment else self._said(frame)
                    if said is not None:
                        yield said
                        if isinstance(said, Happened) and self._is_over(said):
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
            time.sleep(wait_seconds * random.uniform(0.5, 1.0))
            wait_seconds = min(2 * wait_seconds, BACKOFF_SECONDS[1])

    def _said(self, frame: Frame) -> Event | Happened | None:
        """None for what a newer service says."""
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
        return Happened(frame.name, found)

    def _is_over(self, said: Happened) -> bool:
        """Whether this is the end of the last attempt, and not of one that was resumed."""
        if said.type != "state" or said.body.get("status") not in ENDED:
            return False
        now = self._now()
        return now.status == said.body["status"] and self._attempt >= now.attempts

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

    def _frames(self) -> Iterator[Frame]:
        headers = {"Accept": "text/event-stream"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=5.0)
        with self._http.stream("GET", self._path, headers=headers, timeout=timeout) as answer:
            if answer.is_error:
                answer.read()
                raise refusal(answer)
            self._heard = True
            for frame in frames(answer.iter_lines()):
                yield frame
                if frame.id:
                    self.last_id = frame.id

    def _gone(self, error: httpx.TransportError | RefusedError | None) -> ServiceError:
        if isinstance(error, RefusedError):
            return error
        return away(self._url, error)


def frames(lines: Iterator[str]) -> Iterator[Frame]:
    """As the HTML standard has them, and a nameless one for a comment; `retry` is passed over.

    An event whose end has not come is none: its id is not taken either.
    """
    id, name = "", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Frame(id, name or "message", "\n".join(data))
            id, name, data = "", "", []
            continue
        if line.startswith(":"):
            yield Frame("", "", "")
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
