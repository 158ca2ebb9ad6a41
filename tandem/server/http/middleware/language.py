"""The reader's language, by the request."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tandem.spec.i18n import speaking

_ENTRY = re.compile(r"\s*([A-Za-z]{1,8})[\w-]*\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")


class Language:
    """Accept-Language decides between Chinese and English; without one the service's own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = preferred(Headers(scope=scope).get("accept-language")) if _http(scope) else None
        if wanted is None:
            await self.app(scope, receive, send)
            return
        with speaking(wanted):
            await self.app(scope, receive, send)


def _http(scope: Scope) -> bool:
    return bool(scope["type"] == "http")


def preferred(header: str | None) -> str | None:
    """`zh` or `en`, whichever the reader likes better; None when the header names neither."""
    best: tuple[float, str] | None = None
    # A client may send kilobytes of it; people have a few.
    for part in (header or "")[:500].split(","):
        found = _ENTRY.fullmatch(part)
        if found is None or found[1].lower() not in ("zh", "en"):
            continue
        quality = float(found[2] or 1)
        if quality > 0 and (best is None or quality > best[0]):
            best = quality, found[1].lower()
    return None if best is None else best[1]
