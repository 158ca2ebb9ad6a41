"""One client's connection: what comes before a request's body is small, and comes soon.

uvicorn's httptools protocol has no limit on either, and holds what it has heard in memory.
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 65_536
HEAD_SECONDS = 20.0
_TOO_LARGE = b"431 Request Header Fields Too Large"
_TOO_SLOW = b"408 Request Timeout"


class CarefulConnection(HttpToolsProtocol):
    """431 for endless headers (or trailers), 408 for a head that does not come to its end."""

    _timer: TimerHandle | None = None
    _in_head = True
    _went_on = False
    """Whether the piece just parsed ended a head, a body's part, or a request."""
    _silent_bytes = 0
    """Heard since something last did."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._went_on = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        self._silent_bytes = 0 if self._went_on else self._silent_bytes + len(data)
        if self._silent_bytes > MOST_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        elif self._in_head and self._timer is None:
            self._wait()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._went_on = False, True
        self._wait_no_more()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._went_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._went_on = True
        super().on_message_complete()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._refuse, _TOO_SLOW)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: bytes) -> None:
        self._wait_no_more()
        # A second status line within an answer would be taken for a part of its body.
        answering = self.cycle is not None and not self.cycle.response_complete
        if not answering and not self.transport.is_closing():
            head = b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(head)
        self.transport.close()
