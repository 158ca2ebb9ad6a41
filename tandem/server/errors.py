"""What a request may be refused for, and with which HTTP status.

TandemError
└── RequestError                 400
    ├── UnauthorizedError        401  no token, or a wrong one
    ├── ForbiddenError           403  a path outside the roots, another run's token
    ├── NotFoundError            404
    ├── ConflictError            409  a move that the task's state does not allow
    ├── TooLargeError            413
    ├── InvalidError             422  fields: `problems` lists them
    ├── TooManyError             429
    ├── LaterError               501  the contract has it, this version does not
    └── UnavailableError         503  the data base does not answer
"""

from __future__ import annotations

from typing import ClassVar, TypedDict

from tandem.spec.errors import TandemError


class Problem(TypedDict):
    """One field at fault."""

    field: str
    problem: str


class RequestError(TandemError):
    status: ClassVar[int] = 400
    exit_code = 2
    failure_class = "user_input"


class UnauthorizedError(RequestError):
    status = 401


class ForbiddenError(RequestError):
    status = 403


class NotFoundError(RequestError):
    status = 404


class ConflictError(RequestError):
    status = 409


class TooLargeError(RequestError):
    status = 413


class InvalidError(RequestError):
    """`problems` are in the reader's language already."""

    status = 422

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        said = "; ".join(f"{one['field']}: {one['problem']}" for one in problems)
        super().__init__("{problems}", problems=said)


class TooManyError(RequestError):
    status = 429


class LaterError(RequestError):
    status = 501


class UnavailableError(RequestError):
    status = 503
