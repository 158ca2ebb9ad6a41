"""One method for each thing the service is asked for."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from tandem.client.errors import ServiceError, refused, unreachable
from tandem.client.responses import Collected, LogPart, Page, Task, Upload
from tandem.client.stream import PATIENCE_SECONDS, TaskStream
from tandem.spec.i18n import language
from tandem.spec.report import RunReport

A = TypeVar("A", bound=BaseModel)
Query = Mapping[str, str | int | None]

TRIES = 4
BACKOFF_SECONDS = 0.5
REPEATABLE = frozenset({"GET", "DELETE"})
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 60.0
PAGE = 1000
V1 = "/api/v1"


class Client:
    """One service, as its client. Every method raises UnreachableError or RefusedError."""

    def __init__(
        self, url: str, token: str | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url,
            headers=_headers(token),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            transport=transport,
            trust_env=False,  # a proxy for the web is none for a service of the house
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    # -- tasks

    def create(
        self,
        name: str,
        spec: Mapping[str, object],
        *,
        description: str | None = None,
        priority: int = 0,
        start: bool = True,
        key: str | None = None,
    ) -> Task:
        """A task of this RunSpec tree. Asked again with the same `key`, it is the same task."""
        body = {"name": name, "spec": spec, "priority": priority, "start": start}
        if description is not None:
            body["description"] = description
        return self._ask("POST", "/tasks", Task, body=body, key=key or uuid.uuid4().hex)

    def tasks(
        self, *, status: str | None = None, keyword: str | None = None, limit: int = 20
    ) -> list[Task]:
        """The newest first, at most `limit`."""
        found: list[Task] = []
        cursor: str | None = None
        while len(found) < limit:
            size = min(limit - len(found), PAGE)
            query = {"status": status, "keyword": keyword, "page_size": size, "cursor": cursor}
            page = self._ask("GET", "/tasks", Page, query=query)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    def task(self, task_id: str) -> Task:
        return self._ask("GET", _task_path(task_id), Task)

    def start(self, task_id: str) -> Task:
        """Queue it; one that was stopped goes on from its last checkpoint."""
        return self._ask("POST", f"{_task_path(task_id)}/start", Task)

    def resume(self, task_id: str) -> Task:
        """The same, but not for one that never ran."""
        return self._ask("POST", f"{_task_path(task_id)}/resume", Task)

    def stop(self, task_id: str) -> Task:
        return self._ask("POST", f"{_task_path(task_id)}/stop", Task)

    def pause(self, task_id: str) -> Task:
        """A stop that keeps its place."""
        return self._ask("POST", f"{_task_path(task_id)}/pause", Task)

    def remove(self, task_id: str, *, files: bool = False) -> None:
        """With `files`, its run's folder too."""
        self._request("DELETE", _task_path(task_id), query={"files": "true"} if files else None)

    def move(self, task_id: str, to: int) -> None:
        """To this place in the queue, 1 being the next."""
        self._request("POST", f"/queue/{_part(task_id)}/move", body={"to": to})

    # -- what a task has left

    def report(self, task_id: str) -> RunReport:
        return self._ask("GET", f"{_task_path(task_id)}/report", RunReport)

    def log(self, task_id: str, *, tail: int | None = None, after: int | None = None) -> LogPart:
        """Its last `tail` lines, or what was written after that many bytes."""
        query = {"tail": tail, "offset": after}
        return self._ask("GET", f"{_task_path(task_id)}/log", LogPart, query=query)

    def model(self, task_id: str, file: Path) -> int:
        """Write the model's archive to `file`, whole or not at all; its size in bytes."""
        hidden = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
        try:
            with self._http.stream("GET", f"{V1}{_task_path(task_id)}/model") as answer:
                if answer.is_error:
                    answer.read()
                    raise refused(answer)
                with hidden.open("wb") as target:
                    size_bytes = sum(target.write(part) for part in answer.iter_bytes(1 << 20))
            hidden.replace(file)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        finally:
            hidden.unlink(missing_ok=True)
        return size_bytes

    def collect(
        self, *, dry_run: bool, keep_every: int | None, older_than_days: float | None
    ) -> Collected:
        """Old runs' checkpoints: what would go, or has gone."""
        body = {"dry_run": dry_run, "keep_every": keep_every, "older_than_days": older_than_days}
        given = {name: value for name, value in body.items() if value is not None}
        return self._ask("POST", "/gc", Collected, body=given)

    def follow(
        self,
        task_id: str,
        last_id: str | None = None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        on_away: Callable[[bool], None] = lambda _: None,
    ) -> TaskStream:
        """What happens to a task, from its beginning (or after `last_id`) to its end."""
        return TaskStream(
            self._http,
            self.url,
            task_id,
            lambda: self.task(task_id),
            last_id,
            patience_seconds=patience_seconds,
            on_away=on_away,
        )

    # -- data sets on their way

    def begin_upload(
        self, name: str, size_bytes: int, sha256: str, type: str | None = None
    ) -> Upload:
        """A place for a ZIP; the same one again while it has not wholly come."""
        body = {"name": name, "size": size_bytes, "sha256": sha256, "type": type}
        return self._ask("POST", "/uploads", Upload, body=body, key=uuid.uuid4().hex)

    def upload(self, id: str) -> Upload:
        return self._ask("GET", f"/uploads/{_part(id)}", Upload)

    def send_piece(self, id: str, piece: bytes, at: int) -> int:
        """Bytes that begin at `at`; how many the service has then."""
        headers = {"Upload-Offset": str(at), "Content-Type": "application/octet-stream"}
        path = f"{V1}/uploads/{_part(id)}"
        return self._upload_request("PUT", path, piece, headers).offset

    def complete_upload(self, id: str) -> Upload:
        """Have it unpacked, however long that takes."""
        return self._upload_request("POST", f"{V1}/uploads/{_part(id)}/complete", patient=True)

    def _upload_request(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        patient: bool = False,
    ) -> Upload:
        """`patient` waits for the answer as long as the service works on it."""
        endless = httpx.Timeout(None, connect=CONNECT_SECONDS)
        timeout = endless if patient else self._http.timeout
        try:
            answer = self._http.request(
                method, path, content=content, headers=headers, timeout=timeout
            )
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if answer.is_error:
            raise refused(answer)
        return Upload.model_validate_json(answer.content)

    # -- the service itself

    def is_up(self) -> bool:
        try:
            return self._http.get("/actuator/health", timeout=CONNECT_SECONDS).is_success
        except httpx.TransportError:
            return False

    # -- one request

    def _ask(
        self,
        method: str,
        path: str,
        answer: type[A],
        *,
        query: Query | None = None,
        body: object = None,
        key: str | None = None,
    ) -> A:
        found = self._request(method, path, query=query, body=body, key=key)
        try:
            return answer.model_validate_json(found.content)
        except ValidationError as error:
            raise ServiceError(
                "The service at {url} answers {path} in a way this version does not know.",
                url=self.url,
                path=path,
                fix="Use the same version of Tandem on both sides.",
            ) from error

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        key: str | None = None,
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        params = {name: value for name, value in (query or {}).items() if value is not None}
        tries = TRIES if key or method in REPEATABLE else 1
        for number in range(1, tries + 1):
            try:
                answer = self._http.request(
                    method, f"{V1}{path}", params=params, json=body, headers=headers
                )
            except httpx.TransportError as error:
                raise unreachable(self.url, error) from error
            if not answer.is_error:
                return answer
            refusal = refused(answer)
            if answer.status_code != 503 or number == tries:
                raise refusal
            time.sleep(refusal.after_seconds or BACKOFF_SECONDS * 2 ** (number - 1))
        raise AssertionError  # the last try has returned or raised


def _headers(token: str | None) -> dict[str, str]:
    headers = {"Accept-Language": language(), "User-Agent": "tandem"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _task_path(task_id: str) -> str:
    return f"/tasks/{_part(task_id)}"


def _part(name: str) -> str:
    """A name as one part of a path, whatever is in it."""
    return quote(name, safe="")
