"""What may go wrong between a client and the service.

TandemError
└── ServiceError
    ├── RefusedError   it answered, and not with what was asked: exit 2 where the asker can mend it
    └── UnreachableError      it does not answer: exit 1
"""

from __future__ import annotations

import httpx

from tandem.spec.errors import TandemError
from tandem.spec.i18n import t

MOST_WAIT_SECONDS = 30.0


class ServiceError(TandemError):
    pass


class RefusedError(ServiceError):
    """The service's own sentence, in the reader's language already."""

    status = 500
    after_seconds: float | None = None
    """When the service asks to be asked again."""

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return 2 if 400 <= self.status < 500 else 1


class UnreachableError(ServiceError):
    pass


def unreachable(url: str, error: httpx.TransportError | None = None) -> UnreachableError:
    """The service at `url` is not there, or broke off."""
    return UnreachableError(
        "The service at {url} does not answer: {reason}.",
        url=url,
        reason=_why(error) if error else t("it ends every stream at once"),
        fix="Start it with `tandem serve`, or name another with --server.",
    )


def _why(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return t("it took too long")
    if isinstance(error, httpx.ConnectError):
        return t("nothing listens there")
    return (str(error) or type(error).__name__).rstrip(".")


def refused(answer: httpx.Response) -> RefusedError:
    """The sentence in an answer of either surface, or of a proxy between."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    sentence = body.get("detail") or body.get("message") or body.get("title")
    if not isinstance(sentence, str) or not sentence:
        sentence = t("The service answered {status}.", status=answer.status_code)
    error = RefusedError("{faults}", faults=sentence)
    error.status = answer.status_code
    wait = answer.headers.get("Retry-After", "")
    if wait.isdecimal():
        error.after_seconds = min(float(wait), MOST_WAIT_SECONDS)
    return error
