"""Idempotency-Key: a creation that is sent twice is done once, and answered twice the same.

draft-ietf-httpapi-idempotency-key-header. The answer is kept for a day.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.server.db.database import Database
from tandem.server.db.tables import Answered
from tandem.server.errors import ConflictError, InvalidError, RequestError
from tandem.server.host.clock import now
from tandem.server.http.boundary import failure
from tandem.server.http.middleware.replay import replayed
from tandem.spec.i18n import t

CREATIONS = re.compile(
    r"/model-distillation/(tasks|lora-presets|tasks/[^/]+/(history|evaluations))"
    r"|/api/v1/tasks(/[^/]+/clone)?"
)
KEPT = timedelta(hours=24)
ABANDONED = timedelta(seconds=60)
"""A request under way for longer died with its server."""
WAIT_SECONDS = 5.0
MOST_LETTERS = 200
CLEAN_EVERY = 200


@dataclass(frozen=True)
class _KeyedRequest:
    """One request with a key."""

    key_hash: str
    request_hash: str


class Idempotency:
    """Around the routes; the body has been read whole before."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app, self.database = app, database
        self._claims = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        messages, body = await _body(receive)
        try:
            request = _keyed_request(scope, key, body)
            earlier = await run_in_threadpool(self._claim, request)
        except RequestError as refusal:
            await failure(scope["path"], refusal)(scope, receive, send)
            return
        if earlier != "new":
            await Response(earlier.body, earlier.status, media_type=earlier.media_type)(
                scope, receive, send
            )
            return
        await self._answer(request, scope, replayed(messages, receive), send)

    async def _answer(
        self, request: _KeyedRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        heard = _Heard()

        async def sending(message: Message) -> None:
            heard.hear(message)
            if heard.is_whole:  # kept before the client can know of it
                await run_in_threadpool(self._keep, request, heard)
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            if not heard.is_whole:
                await run_in_threadpool(self._forget, request)

    def _claim(self, request: _KeyedRequest) -> _KeptAnswer | Literal["new"]:
        """`new`: this request does it. ConflictError while another one is at it."""
        self._claims += 1
        if self._claims % CLEAN_EVERY == 1:
            self.database.run(_clean)
        until = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                # The primary key decides between two that come at once, on whichever server.
                self.database.run(lambda session: _insert(session, request))
                return "new"
            except IntegrityError:
                earlier = self._known(request)
            if earlier is not None:
                return earlier
            if time.monotonic() > until:
                raise ConflictError(
                    "A request with this Idempotency-Key is under way.", fix="Ask again later."
                )
            # This is a worker's thread: the loop goes on.
            time.sleep(0.05)

    def _known(self, request: _KeyedRequest) -> _KeptAnswer | None:
        """None while it is under way, or when it has just been given up."""
        with self.database.read() as session:
            row = session.get(Answered, request.key_hash)
        if row is None:
            return None
        if now() - row.at > KEPT:
            self.database.run(_clean)
            return None
        if row.request_hash != request.request_hash:
            problem = t("It was used for another request; give each its own.")
            raise InvalidError([{"field": "Idempotency-Key", "problem": problem}])
        # Its server died in the middle of it; nobody else will ever answer.
        if row.status == 0 and now() - row.at > ABANDONED:
            self._forget(request)
        return _KeptAnswer(row.status, row.body) if row.status else None

    def _keep(self, request: _KeyedRequest, heard: _Heard) -> None:
        # A fault of ours is no answer: the same request may succeed in a moment.
        if heard.status >= 500:
            self._forget(request)
            return
        values = {"status": heard.status, "body": heard.body.decode("utf-8", "replace")}
        self.database.run(
            lambda session: session.execute(
                update(Answered).where(Answered.key_hash == request.key_hash).values(**values)
            )
        )

    def _forget(self, request: _KeyedRequest) -> None:
        self.database.run(
            lambda session: session.execute(
                delete(Answered).where(Answered.key_hash == request.key_hash, Answered.status == 0)
            )
        )


@dataclass(frozen=True)
class _KeptAnswer:
    """What was answered."""

    status: int
    body: str

    @property
    def media_type(self) -> str:
        is_problem = self.body.startswith('{"type":"about:blank"')
        return "application/problem+json" if is_problem else "application/json"


class _Heard:
    """An answer on its way out."""

    def __init__(self) -> None:
        self.status, self.body, self.is_whole = 0, b"", False

    def hear(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")
            self.is_whole = not message.get("more_body", False)


def _key(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    if CREATIONS.fullmatch(scope["path"]) is None:
        return None
    return Headers(scope=scope).get("idempotency-key")


def _keyed_request(scope: Scope, key: str, body: bytes) -> _KeyedRequest:
    if not 0 < len(key) <= MOST_LETTERS or not key.isprintable():
        problem = t("It must have 1 to {most} printable letters.", most=MOST_LETTERS)
        raise InvalidError([{"field": "Idempotency-Key", "problem": problem}])
    # Two callers may choose the same key, and must not see each other's answers.
    caller = Headers(scope=scope).get("authorization", "")
    path = scope["path"]
    return _KeyedRequest(
        _digest(key.encode(), path.encode(), caller.encode()),
        _digest(path.encode(), scope["query_string"], body),
    )


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        # Each part by its own digest: `ab`, `c` and `a`, `bc` are different requests.
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


async def _body(receive: Receive) -> tuple[list[Message], bytes]:
    messages: list[Message] = []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request" or not message.get("more_body", False):
            return messages, b"".join(one.get("body", b"") for one in messages)


def _insert(session: Session, request: _KeyedRequest) -> None:
    row = {"key_hash": request.key_hash, "request_hash": request.request_hash}
    session.execute(insert(Answered), [row | {"status": 0, "body": "", "at": now()}])


def _clean(session: Session) -> None:
    # A thousand at a time, by their keys: no long lock on a table that every creation needs.
    old = select(Answered.key_hash).where(Answered.at < now() - KEPT).limit(1000)
    keys = list(session.scalars(old))
    if keys:
        session.execute(delete(Answered).where(Answered.key_hash.in_(keys)))
