"""Tokens: the service's own where it listens beyond this machine, and the runs'."""

from __future__ import annotations

import hashlib
import re
import secrets

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tandem.executors.base import RUN_TOKEN
from tandem.server.db.database import Database
from tandem.server.db.tables import DelFlag, Job, Task
from tandem.server.errors import ForbiddenError, UnauthorizedError
from tandem.server.http.boundary import answer, failure
from tandem.server.session import cookie

OPEN = ("/actuator/health", "/docs", "/openapi.json", "/api/v1/session")
"""No data in them: a browser cannot show a token when it opens a page, or signs in."""
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tandem"'}
_TASK = r"/tasks/(?P<task>[^/]{1,64})"
_REPORTS = (
    ("GET", re.compile(rf"/model-distillation{_TASK}(/history(/latest)?|/evaluations(/\w+)?)?")),
    ("PUT", re.compile(rf"/model-distillation{_TASK}/(progress|model-path|error)")),
    ("POST", re.compile(rf"/model-distillation{_TASK}/(history|evaluations|complete)")),
    ("POST", re.compile(rf"/api/v1{_TASK}/events")),
)


class AccessCheck:
    """`token` None: open to whoever reaches it. A run's token opens its own task's reports only."""

    def __init__(self, app: ASGIApp, database: Database, token: str | None) -> None:
        self.app, self.database, self.token = app, database, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        shown = _bearer(headers.get("authorization"))
        try:
            if not self._is_signed_in(shown, headers):
                await self._check(scope, shown)
        except (UnauthorizedError, ForbiddenError) as refusal:
            challenge = CHALLENGE if refusal.status == 401 else None
            refused = answer(scope["path"], refusal.status, refusal.sentence(), None, challenge)
            await refused(scope, receive, send)
            return
        except (DBAPIError, PoolTimeoutError) as error:
            await failure(scope["path"], error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_signed_in(self, shown: str | None, headers: Headers) -> bool:
        """By the console's cookie; who shows a token besides is judged by the token."""
        if shown is not None or self.token is None:
            return False
        return cookie.opens(headers.get("cookie"), self.token)

    async def _check(self, scope: Scope, shown: str | None) -> None:
        if shown is None:
            if self.token is not None:
                raise UnauthorizedError(
                    "This service wants a token.",
                    fix="Send it as `Authorization: Bearer …`; the service's log says where it is.",
                )
            return
        # In constant time: how long a wrong one takes tells nothing of the right one.
        if self.token is not None and secrets.compare_digest(shown.encode(), self.token.encode()):
            return
        task_id = await run_in_threadpool(self._task_of, shown)
        if task_id is None and self.token is None and not shown.startswith(RUN_TOKEN):
            return  # some other system's token: here it opens nothing, and nothing is closed
        if task_id is None:
            raise UnauthorizedError(
                "The token is not one of this service.",
                fix="Send the service's own, or a live run's.",
            )
        if task_id not in _reported(scope["method"], scope["path"]):
            raise ForbiddenError(
                "A run's token is for reports of its own task only.",
                fix="Use the service's token for anything else.",
            )

    def _task_of(self, token: str) -> str | None:
        # Looked up by its hash: the token itself is nowhere in the data base.
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self.database.read() as session:
            return session.scalar(
                select(Job.task_id)
                .join(Task, Task.task_id == Job.task_id)
                .where(Job.token_hash == digest, Task.del_flag == DelFlag.NORMAL)
            )


def _reported(method: str, path: str) -> list[str]:
    """The task that the request is a report of, if it is one."""
    found = (pattern.fullmatch(path) for verb, pattern in _REPORTS if verb == method)
    return [match["task"] for match in found if match]


def _bearer(header: str | None) -> str | None:
    """The token shown; an empty one for any other sort of Authorization, which opens nothing."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    # Not None: who shows something is judged by it, and is not let in by a cookie.
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith("/static-offline-docs/")
