"""Who may ask from a browser: the right host name, and for changes the right page.

A page elsewhere may point its own name at 127.0.0.1 (DNS rebinding); the Host header tells. One
that posts a form to this address says where it comes from in Origin or Sec-Fetch-Site.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.server.errors import ForbiddenError, RequestError
from tandem.server.http.boundary import answer
from tandem.server.settings import LOOPBACK, ServerSettings

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"


class OriginCheck:
    """Refuses other hosts (400) and other pages' changes (403); CORS for the pages allowed."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, *, any_host: bool) -> None:
        self.app = app
        self.origins = frozenset(origin.lower() for origin in settings.allowed_origins)
        names = {*LOOPBACK, settings.host, *settings.allowed_hosts}
        self.hosts = frozenset(name.lower().strip("[]") for name in names)
        self.any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), str(scope["path"])
        origin = headers.get("origin", "").lower()
        if not self._host_is_right(headers):
            wrong = RequestError(
                "The service does not go by the name {host}.",
                host=headers.get("host", "")[:100] or "-",
                fix="Use its own address, or add the name to TANDEM_ALLOWED_HOSTS.",
            )
            await answer(path, 400, wrong.sentence())(scope, receive, send)
        elif self._is_preflight(scope, headers, origin):
            await Response(status_code=204, headers=self._preflight(origin))(scope, receive, send)
        elif scope["method"] not in SAFE and not self._page_is_right(headers, origin):
            wrong = ForbiddenError(
                "A page of {origin} may change nothing here.",
                origin=origin[:100] or "-",
                fix="Open the service's own address, or add the page's to TANDEM_ALLOWED_ORIGINS.",
            )
            await answer(path, 403, wrong.sentence())(scope, receive, send)
        else:
            await self.app(scope, receive, self._with_cors(send, origin))

    def _host_is_right(self, headers: Headers) -> bool:
        hosts = headers.getlist("host")
        # Two Host headers: a proxy and the server might each believe another one.
        return self.any_host or (len(hosts) == 1 and _name(hosts[0]) in self.hosts)

    def _page_is_right(self, headers: Headers, origin: str) -> bool:
        if origin in self.origins:
            return True
        if origin:
            # `null` is a sandboxed frame or a file, of whoever.
            return origin != "null" and urlsplit(origin).netloc == headers.get("host", "").lower()
        # Neither: a script or a service. Browsers say at least one of them.
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")

    def _is_preflight(self, scope: Scope, headers: Headers, origin: str) -> bool:
        asks = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        return asks and origin in self.origins

    def _preflight(self, origin: str) -> dict[str, str]:
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        }

    def _with_cors(self, send: Send, origin: str) -> Send:
        if origin not in self.origins:
            return send

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Expose-Headers"] = "ETag, Content-Disposition"
                # Else a cache gives one page's answer to another one.
                headers.add_vary_header("Origin")
            await send(message)

        return sending


def _name(host: str) -> str:
    """Without the port, lower case; an IPv6 address without its brackets."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return str(ipaddress.ip_address(name)) if ":" in name else name
    except ValueError:
        return ""
