"""Headers that keep a browser careful, and a number by which a request is found in the log."""

from __future__ import annotations

import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""For the page at /docs, whose start is an inline script; the console brings a stricter one."""
CAREFUL = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        number = uuid.uuid4().hex[:16]
        strict = "default-src 'none'; frame-ancestors 'none'"
        policy = POLICY if scope["path"].startswith("/docs") else strict

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in CAREFUL.items():
                    # A route that knows better has said so already: the console, a run's files.
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", policy)
                headers["X-Request-ID"] = number
            await send(message)

        await self.app(scope, receive, sending)
