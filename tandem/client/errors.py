"""What may go wrong between a client and the service.

TandemError
└── ServiceError
    ├── RefusedError   it answered, and not with what was asked: exit 2 where the asker can mend it
    └── AwayError      it does not answer: exit 1
"""

from __future__ import annotations

import httpx

from tandem.spec.errors import TandemError
from tandem.spec.words import t


class ServiceError(TandemError):
    pass


class RefusedError(ServiceError):
    """The service's own sentence, in the reader's language already."""

    def __init__(self, status: int, said: str, after_seconds: float | None = None) -> None:
        self.status, self.after_seconds = status, after_seconds
        super().__init__("{faults}", faults=said)

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return 2 if 400 <= self.status < 500 else 1


class AwayError(ServiceError):
    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            "The service at {url} does not answer: {reason}.",
            url=url,
            reason=reason.rstrip("."),
            fix="Start it with `tandem serve`, or name another with --server.",
        )


def why(error: httpx.TransportError) -> str:
    """Why there is no answer, in words."""
    if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout):
        return t("it took too long")
    if isinstance(error, httpx.ConnectError):
        return t("nothing listens there")
    return str(error) or type(error).__name__


def refusal(answer: httpx.Response) -> RefusedError:
    """The sentence in an answer of either surface, or of a proxy between."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    said = told.get("detail") or told.get("message") or told.get("title")
    if not isinstance(said, str) or not said:
        said = t("The service answered {status}.", status=answer.status_code)
    wait = answer.headers.get("Retry-After", "")
    return RefusedError(
        answer.status_code, said, min(float(wait), 30.0) if wait.isdigit() else None
    )
