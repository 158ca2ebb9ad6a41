"""The cookie by which a browser shows that it has shown the service's token.

It is `v1.<when it ends>.<HMAC-SHA256 of that, keyed by the token>`: it tells nothing of the token,
needs no table, and ends when the token is changed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from http.cookies import CookieError, SimpleCookie

DAYS = 30
SECONDS = DAYS * 24 * 3600
_FORM = re.compile(r"v1\.([0-9]{1,12})\.([0-9a-f]{64})")
MOST_LETTERS = 8192


def name(token: str) -> str:
    """The cookie's name. Two services of one machine share their cookies, and need two names."""
    return f"tandem_session_{_sign(token, 'name')[:8]}"


def value(token: str, *, at: float | None = None) -> str:
    """A fresh one, good for a month."""
    ends = int((time.time() if at is None else at) + SECONDS)
    return f"v1.{ends}.{_sign(token, f'v1.{ends}')}"


def opens(header: str | None, token: str) -> bool:
    """Whether a request's Cookie header has one that this token made and that has not ended."""
    try:
        jar = SimpleCookie((header or "")[:MOST_LETTERS])
    except CookieError:
        return False
    shown = jar.get(name(token))
    found = _FORM.fullmatch(shown.value) if shown is not None else None
    if found is None:
        return False
    right = _sign(token, f"v1.{found[1]}")
    return hmac.compare_digest(found[2], right) and int(found[1]) > time.time()


def _sign(token: str, said: str) -> str:
    return hmac.new(token.encode(), f"tandem console {said}".encode(), hashlib.sha256).hexdigest()
