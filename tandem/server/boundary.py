"""The request's boundary: every failure becomes an answer, in the shape its surface speaks."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from tandem.server.errors import InvalidError, Problem, RequestError, UnavailableError
from tandem.spec.errors import TandemError, UserInputError
from tandem.spec.words import t

log = logging.getLogger("tandem.server")
SURFACE_A = "/model-distillation"
SURFACE_B = ("/api/training", "/api/llm-finetuning")


def install(app: FastAPI) -> None:
    """Handlers for everything that may be raised."""
    app.add_exception_handler(TandemError, _on_ours)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(DBAPIError, _on_data_base)
    app.add_exception_handler(PoolTimeoutError, _on_data_base)
    app.add_exception_handler(Exception, _on_anything)


def answer(
    path: str,
    status: int,
    message: str,
    problems: list[Problem] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A failure as the surface at `path` says it."""
    body: dict[str, Any]
    if path.startswith(SURFACE_A):
        body = {"code": status, "message": message, "data": problems}
        return JSONResponse(body, status, headers)
    if path.startswith(SURFACE_B):
        return JSONResponse({"detail": problems or message}, status, headers)
    body = {"type": "about:blank", "title": message, "status": status, "detail": message}
    if problems:
        body["errors"] = problems
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _on_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TandemError)
    status = 500
    if isinstance(error, RequestError):
        status = error.status
    elif isinstance(error, UserInputError):
        status = 422
    problems = error.problems if isinstance(error, InvalidError) else None
    return answer(request.url.path, status, error.sentence(), problems)


def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems: list[Problem] = [
        {
            "field": ".".join(str(step) for step in fault["loc"][1:]) or "body",
            "problem": fault["msg"],
        }
        for fault in error.errors()
    ]
    said = "; ".join(f"{one['field']}: {one['problem']}" for one in problems)
    return answer(request.url.path, 422, said, problems)


def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return answer(
        request.url.path, error.status_code, str(error.detail), None, dict(error.headers or {})
    )


def _on_data_base(request: Request, error: Exception) -> JSONResponse:
    away = UnavailableError(
        "The data base does not answer.", fix="Try again in a moment; trainings go on meanwhile."
    )
    log.warning("%s: %s", type(error).__name__, type(getattr(error, "orig", error)).__name__)
    return answer(request.url.path, 503, away.sentence(), None, {"Retry-After": "2"})


def _on_anything(request: Request, error: Exception) -> JSONResponse:
    number = uuid.uuid4().hex[:8]
    log.error("request %s failed", number, exc_info=error)
    said = t(
        "Something went wrong in the service (number {number}); its log says what.", number=number
    )
    return answer(request.url.path, 500, said)
