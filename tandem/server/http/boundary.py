"""The request's boundary: every failure becomes an answer, in the shape its surface speaks."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import ErrorDetails
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.server.errors import InvalidError, Problem, RequestError, UnavailableError
from tandem.spec.errors import TandemError, UserInputError
from tandem.spec.i18n import t
from tandem.spec.os_errors import disk_full, is_disk_full, unusable_path
from tandem.spec.run.check import rule

log = logging.getLogger("tandem.server")
DISTILLATION = "/model-distillation"
TRAINING = ("/api/training", "/api/llm-finetuning")
MOST_PROBLEMS = 20
_TAKEN = (1062, 1586, "23505")
"""A key that is there: MySQL's numbers and PostgreSQL's state."""
_MYSQL_MISSING = 1364  # it calls a value that is missing an operational error
HTTP_WORDS = {
    400: "The request is not understood.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
}


def install(app: FastAPI) -> None:
    """Handlers for what routes raise; anything else is `Boundary`'s."""
    for raised in (
        TandemError, RequestValidationError, HTTPException, DBAPIError, PoolTimeoutError
    ):  # fmt: skip
        app.add_exception_handler(raised, _handle)


def _handle(request: Request, error: Exception) -> JSONResponse:
    return failure(request.url.path, error)


class Boundary:
    """Around everything: what nobody foresaw is logged once and answered with its number."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001  the request's boundary
            # What fails at start and end is uvicorn's to tell.
            if scope["type"] != "http":
                raise
            message = failure(scope["path"], error)
            # An answer that has begun cannot become another one: the client sees it break off.
            if not begun:
                await message(scope, receive, send)


def failure(path: str, error: Exception) -> JSONResponse:
    """The answer to an error that a request ended in."""
    match error:
        case InvalidError():
            return answer(path, error.status, error.sentence(), error.problems)
        case RequestError():
            return answer(path, error.status, error.sentence(), None, None, _extras(error))
        case _ if is_disk_full(error):
            log.warning("The disk is full.", exc_info=error)
            return answer(path, 507, disk_full(error).sentence())
        case UserInputError():
            return answer(path, 422, error.sentence())
        case _ if (unusable := unusable_path(error)) is not None:
            return answer(path, 422, unusable.sentence())
        case RequestValidationError():
            problems = _problems(error)
            message = "; ".join(f"{one['field']}: {one['problem']}" for one in problems)
            return answer(path, 422, message, problems)
        case HTTPException():
            words = HTTP_WORDS.get(error.status_code)
            message = t(words) if words else str(error.detail)
            return answer(path, error.status_code, message, None, dict(error.headers or {}))
        case DataError():
            message = t("The data base cannot hold a value of this request.")
            return answer(path, 422, message)
        case IntegrityError() if _is_taken(error):
            message = t("Another request has just written the same: look at what is there now.")
            return answer(path, 409, message)
        case DBAPIError() if isinstance(error, IntegrityError) or _code(error) == _MYSQL_MISSING:
            message = t("The data base cannot hold this: a value is missing or belongs to nothing.")
            return answer(path, 422, message)
        case OperationalError() | InterfaceError() | PoolTimeoutError():
            log.warning("The data base does not answer: %s", getattr(error, "orig", error))
            away = UnavailableError(
                "The data base does not answer.",
                fix="Try again in a moment; trainings go on meanwhile.",
            )
            return answer(path, 503, away.sentence(), None, {"Retry-After": "2"})
    number = uuid.uuid4().hex[:8]
    log.error("Request %s failed.", number, exc_info=error)
    message = t(
        "Something went wrong in the service (number {number}); its log says what.", number=number
    )
    return answer(path, 500, message)


def _is_taken(error: IntegrityError) -> bool:
    """Whether a key is there already; otherwise a value is missing, or refers to nothing."""
    return _code(error) in _TAKEN or "UNIQUE constraint" in str(error.orig)


def _code(error: DBAPIError) -> object:
    """MySQL's number or PostgreSQL's state; PyMySQL's own state says less than its number."""
    first = next(iter(getattr(error.orig, "args", ())), None)
    return first if isinstance(first, int) else getattr(error.orig, "sqlstate", None)


def answer(
    path: str,
    status: int,
    message: str,
    problems: list[Problem] | None = None,
    headers: dict[str, str] | None = None,
    extras: dict[str, object] | None = None,
) -> JSONResponse:
    """A failure as the surface at `path` says it."""
    if path.startswith(DISTILLATION):
        return _Json({"code": status, "message": message, "data": problems}, status, headers)
    if path.startswith(TRAINING):
        return _Json({"detail": problems or message}, status, headers)
    body: dict[str, object] = {"type": "about:blank", "title": message, "status": status}
    body |= {"detail": message, **(extras or {})}
    if problems:
        body["errors"] = problems
    return _Json(body, status, headers, media_type="application/problem+json")


class _Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        """What a client sent may hold half characters, and is quoted back."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


def _extras(error: RequestError) -> dict[str, object]:
    expected = getattr(error, "expected_seq", None)
    return {} if expected is None else {"expected_seq": expected}


def _problems(error: RequestValidationError) -> list[Problem]:
    """Each field at fault once, in the reader's language."""
    found: dict[str, Problem] = {}
    for fault in error.errors():
        name = _field(fault)
        found.setdefault(name, {"field": name, "problem": _sentence(fault, name)})
    return list(found.values())[:MOST_PROBLEMS]


def _field(fault: ErrorDetails) -> str:
    where, *steps = fault["loc"]
    if fault["type"] == "json_invalid":
        return "body"
    return ".".join(str(step) for step in steps)[:200] or str(where)


def _sentence(fault: ErrorDetails, name: str) -> str:
    context = fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            return t("There is no field {name}.", name=name)
        case "json_invalid":
            return t("The body is no JSON: {reason}.", reason=context.get("error", "-"))
        case "value_error":
            return t(str(context.get("error", fault["msg"])))
        case "string_too_long":
            return t("It may have {most} letters at most.", most=context["max_length"])
        case "string_too_short":
            return t("It must have {least} letters at least.", least=context["min_length"])
        case "enum":
            return t("It must be one of {allowed}.", allowed=context["expected"])
        case "literal_error":
            return t("It must be one of {allowed}.", allowed=context["expected"])
    return rule(fault, name)
