"""The console: the built files of `tandem/web`, and one page for every address that it knows."""

from __future__ import annotations

import hashlib
import html
import os
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tandem.server.host.paths import really_below
from tandem.server.http.middleware.etag import matches
from tandem.spec.i18n import language, t

WEB = Path(__file__).parents[2] / "web"
"""Built from frontend/ by `make web`; the wheel brings it."""
NOT_OURS = (
    "/api", "/model-distillation", "/actuator", "/docs", "/openapi.json", "/metrics",
    "/static-offline-docs",
)  # fmt: skip
"""Addresses of the API and of its own pages, and all below them."""
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
CAREFUL = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
FOR_EVER = "public, max-age=31536000, immutable"
"""A built asset's name changes with its content."""
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""What is served; anything else in the folder is not there."""
CODINGS = (("br", ".br"), ("gzip", ".gz"))
PAGE = "index.html"


@dataclass(frozen=True)
class _Found:
    body: bytes
    media_type: str
    coding: str | None
    is_asset: bool


class Console:
    """Answers GET and HEAD outside of the API; it holds no data, so that it needs no token."""

    def __init__(self, app: ASGIApp, web_root: Path | None = None) -> None:
        self.app, self.web_root = app, web_root or WEB

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if not asked or _is_not_ours(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        found = await run_in_threadpool(self._find, scope["path"], headers)
        if found is None:
            if _wants_page(scope["path"], headers):
                await _not_built()(scope, receive, send)
            else:
                await self.app(scope, receive, send)  # whose 404 is a sentence
            return
        await _response(found, headers, head=scope["method"] == "HEAD")(scope, receive, send)

    def _find(self, path: str, headers: Headers) -> _Found | None:
        accepted = _codings(headers.get("accept-encoding", ""))
        found = self._read(path.lstrip("/"), accepted) if path != "/" else None
        if found is None and _wants_page(path, headers):
            found = self._read(PAGE, accepted)
        return found

    def _read(self, name: str, accepted: set[str]) -> _Found | None:
        """One file of the folder, compressed as the browser takes it and the build made it."""
        parts = name.split("/")
        media_type = TYPES.get(os.path.splitext(name)[1])  # noqa: PTH122  a web address, no path yet
        if (
            media_type is None
            or "\0" in name
            # Neither hidden files nor `..`.
            or any(one.startswith(".") or not one for one in parts)
        ):
            return None
        root = Path(os.path.realpath(self.web_root))
        for coding, ending in (*CODINGS, (None, "")):
            if coding is not None and coding not in accepted:
                continue
            # Links within the folder are followed, and must end in it.
            file = really_below(root.joinpath(*parts[:-1], parts[-1] + ending), root)
            if file is None:
                return None
            try:
                return _Found(file.read_bytes(), media_type, coding, parts[0] == "assets")
            except (OSError, ValueError):
                continue
        return None


def _is_not_ours(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in NOT_OURS)


def _wants_page(path: str, headers: Headers) -> bool:
    """A page of the console, and not one of its files: a data set's name may hold a dot."""
    if path.startswith("/assets/"):
        return False
    return "." not in path.rpartition("/")[2] or "text/html" in headers.get("accept", "")


def _codings(header: str) -> set[str]:
    """What the browser decodes; one with a quality of zero is not wanted."""
    found = set()
    for part in header[:500].split(","):
        name, _, quality = part.strip().partition(";")
        if quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            found.add(name.strip().lower())
    return found


def _response(found: _Found, headers: Headers, *, head: bool) -> Response:
    # Weak: the same page goes out as it is and in two codings.
    tag = f'W/"{hashlib.blake2b(found.body, digest_size=12).hexdigest()}"'
    answered = CAREFUL | {"ETag": tag, "Vary": "Accept-Encoding"}
    answered["Cache-Control"] = FOR_EVER if found.is_asset else "no-cache"
    if matches(headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=answered)
    if found.coding is not None:
        answered["Content-Encoding"] = found.coding
    if head:
        answered["Content-Length"] = str(len(found.body))
    return Response(b"" if head else found.body, headers=answered, media_type=found.media_type)


def _not_built() -> Response:
    """A checkout whose console was not built; the API works all the same."""
    sentence = t(
        "The console is not built: run `make web` in Tandem's folder. The API is at /docs."
    )
    text = (
        f'<!doctype html><html lang="{language()}"><meta charset="utf-8"><title>Tandem</title>'
        f"<p>{html.escape(sentence, quote=False)}</p></html>"
    )
    return HTMLResponse(text, 503, headers=CAREFUL | {"Cache-Control": "no-store"})
