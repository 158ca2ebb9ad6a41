"""ETags on JSON: a client that has the present answer gets none again."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 4 * 2**20
"""A longer answer goes on as it comes."""


class Etag:
    """Tags complete JSON answers to GET; streams and large ones pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            wanted = Headers(scope=scope).get("if-none-match", "")
            send = _Tagging(send, wanted)
        await self.app(scope, receive, send)


class _Tagging:
    """Holds an answer back until it is whole, if it is one to be tagged."""

    def __init__(self, send: Send, wanted: str) -> None:
        self.send, self.wanted = send, wanted
        self.start: Message | None = None
        self.held: list[bytes] = []
        self.held_bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _may_have(message):
            self.start = message
        elif self.start is None:
            await self.send(message)
        else:
            await self._body(self.start, message)

    async def _body(self, start: Message, message: Message) -> None:
        self.held.append(message.get("body", b""))
        self.held_bytes += len(self.held[-1])
        if not message.get("more_body", False):
            await self._whole(start, b"".join(self.held))
        # Given up: what was held goes out at once, and the rest passes.
        elif self.held_bytes > MOST_BYTES:
            body, self.start, self.held = b"".join(self.held), None, []
            await self.send(start)
            await self.send({"type": "http.response.body", "body": body, "more_body": True})

    async def _whole(self, start: Message, body: bytes) -> None:
        # Weak: gzip, which lies around this, changes the bytes and not the meaning.
        tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        headers = MutableHeaders(scope=start)
        headers["ETag"] = tag
        headers.setdefault("Cache-Control", "no-cache")
        if matches(self.wanted, tag):
            start["status"], body = 304, b""
            # Of a 304 it would be that of a body which does not come.
            del headers["content-length"]
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})


def _may_have(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_json = headers.get("content-type", "").partition(";")[0] == "application/json"
    return start["status"] == 200 and is_json and "etag" not in headers


def matches(wanted: str, tag: str) -> bool:
    """Weakly, as If-None-Match compares."""
    opaque = tag.removeprefix("W/")
    return wanted.strip() == "*" or any(
        one.strip().removeprefix("W/") == opaque for one in wanted.split(",")
    )
