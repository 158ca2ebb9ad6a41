"""How much a request may send, and how slowly."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.server.errors import RequestError, TooLargeError
from tandem.server.http.boundary import answer
from tandem.server.http.middleware.replay import replayed

SILENT_SECONDS = 20.0
"""Between two pieces of a body."""
WHOLE_SECONDS = 300.0
"""For all of it: one that drips holds a connection for no longer."""
EVENT_BYTES = 8 * 2**20
"""Batches of events may be larger: a run that was away for long has much to say."""

IMAGE_BYTES = 20_000_000 + 2**16
"""A picture to try a model on, and the form around it."""


BYTES_A_VALUE = 16
"""A body may hold a value for each so many of the bytes that it may have."""


class SlowError(RequestError):
    status = 408


class BodyLimit:
    """413 for what is too large, whatever its Content-Length says; 408 for what never comes."""

    def __init__(
        self,
        app: ASGIApp,
        most_bytes: int,
        *,
        most_upload_bytes: int = 0,
        silent_seconds: float = SILENT_SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        self.app, self.most_bytes = app, most_bytes
        self.most_upload_bytes = most_upload_bytes
        self.silent_seconds, self.whole_seconds = silent_seconds, whole_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = self.most_bytes
        # Not read ahead: a data set has gigabytes, and its route writes them as they come.
        if _is_upload(scope):
            await self.app(scope, self._streamed(receive), send)
            return
        if scope["path"].startswith("/api/v1/tasks/") and scope["path"].endswith("/events"):
            most = max(most, EVENT_BYTES)
        if scope["path"].startswith("/api/v1/models/") and scope["path"].endswith("/try"):
            most = max(most, IMAGE_BYTES)
        said = Headers(scope=scope).get("content-length", "")
        # Refused before it is sent; one that lies about its length is counted below.
        if said.isdigit() and int(said) > most:
            await _refuse(_too_large(most), scope, receive, send)
            return
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        try:
            # Read whole, here: a route runs in a thread of a small pool, and a slow client would
            # keep one.
            messages = await self._in_time(receive, most)
        except RequestError as refusal:
            await _refuse(refusal, scope, receive, send)
            return
        await self.app(scope, replayed(messages, receive), send)

    def _streamed(self, receive: Receive) -> Receive:
        """A data set on its way: passed on as it comes, counted, cut off when it falls silent."""
        size_bytes = 0

        async def counted() -> Message:
            nonlocal size_bytes
            try:
                async with asyncio.timeout(self.silent_seconds):
                    message = await receive()
            except TimeoutError:
                raise SlowError(
                    "The rest of the request did not come.", fix="Go on from where it broke off."
                ) from None
            size_bytes += len(message.get("body", b""))
            if size_bytes > self.most_upload_bytes:
                raise _too_large(self.most_upload_bytes)
            return message

        return counted

    async def _in_time(self, receive: Receive, most: int) -> list[Message]:
        try:
            async with asyncio.timeout(self.whole_seconds):
                return await self._read(receive, most)
        except TimeoutError:
            raise SlowError("The rest of the request did not come.", fix="Send it again.") from None

    async def _read(self, receive: Receive, most: int) -> list[Message]:
        """The whole body. It is small, and a route in a worker thread waits for no client."""
        messages: list[Message] = []
        size_bytes = 0
        while True:
            # Python 3.11's wait_for loses the outer timeout where a piece comes in its very moment.
            async with asyncio.timeout(self.silent_seconds):
                message = await receive()
            messages.append(message)
            size_bytes += len(message.get("body", b""))
            if size_bytes > most:
                raise _too_large(most)
            if message["type"] != "http.request" or not message.get("more_body", False):
                _check_values(messages, most)
                return messages


def _is_upload(scope: Scope) -> bool:
    path, method = str(scope["path"]), str(scope["method"])
    piece = method == "PUT" and path.startswith("/api/v1/uploads/")
    return piece or (method == "POST" and path == "/api/training/datasets/upload")


def _check_values(messages: list[Message], most: int) -> None:
    """TooLargeError for a body of many tiny values: parsed, each is fifty times its letters."""
    bodies = [message.get("body", b"") for message in messages]
    values = sum(body.count(mark) for body in bodies for mark in (b",", b"[", b"{"))
    if values > most // BYTES_A_VALUE:
        raise TooLargeError(
            "A request may hold {most} values at most.",
            most=most // BYTES_A_VALUE,
            fix="Send less at once.",
        )


def _too_large(most: int) -> TooLargeError:
    return TooLargeError(
        "A request may have {most} bytes at most.", most=most, fix="Send less at once."
    )


async def _refuse(refusal: RequestError, scope: Scope, receive: Receive, send: Send) -> None:
    # The rest of the body is not read: the connection cannot be used again.
    headers = {"Connection": "close"}
    said = answer(scope["path"], refusal.status, refusal.sentence(), None, headers)
    await said(scope, receive, send)
