"""The service at `--api_base_url`: one request at a time, and what its answer means."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import httpx

from tandem.spec.errors import SpecError
from tandem.spec.i18n import t
from tandem.train.sinks.wire import Call

SURFACE = "/model-distillation"
TOKEN_VARIABLE = "TANDEM_RUN_TOKEN"  # noqa: S105  the variable's name, not a token
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
TRY_LATER = frozenset({408, 425, 429})
TOLERANCE = 0.006  # the service's columns round, to two digits at the coarsest


class AwayError(Exception):
    """No answer, or one that says: later. `maybe_arrived`: it may have been done all the same."""

    def __init__(self, reason: str, *, maybe_arrived: bool, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.maybe_arrived, self.wait_seconds = maybe_arrived, wait_seconds


class CallRefusedError(Exception):
    """The service understood, and said no; asking again would not help."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ServiceClient:
    """Speaks surface A. `base_url` may end with /model-distillation or not."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        url = _checked(base_url)
        self.name = f"{url.scheme}://{url.netloc.decode('ascii')}"
        path = url.path.rstrip("/").removesuffix(SURFACE) + SURFACE
        self._base = str(url.copy_with(path=path, query=None, fragment=None))
        if token and not (token.isascii() and token.isprintable()):
            raise SpecError(
                "{variable} holds letters that a token cannot have.",
                variable=TOKEN_VARIABLE,
                fix="Copy it again, without quotes and line ends.",
            )
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Redirects are followed by hand below: httpx would make a GET of a POST, and go to any
        # host.
        self._client = httpx.Client(timeout=TIMEOUT, headers=headers, follow_redirects=False)

    def send(self, call: Call) -> None:
        """Returns when the service has taken it; raises AwayError or RefusedError."""
        self._ask(call.method, call.path, call.body, call.params, call.key)

    def has(self, call: Call, run_id: str) -> bool:
        """Whether a call that may have arrived did. AwayError when that cannot be asked now."""
        task = str(PurePosixPath(call.path).parent)
        try:
            if call.what == "evaluation":
                return any(_same_evaluation(row, call, run_id) for row in self._rows(call.path))
            if call.what == "history":
                return any(_same_epoch(row, call) for row in self._rows(call.path))
            found = self._ask("GET", task)
        except CallRefusedError:  # it cannot be asked: the Idempotency-Key has to do
            return False
        return isinstance(found, dict) and _same(found, _left_behind(call))

    def close(self) -> None:
        self._client.close()

    def _rows(self, path: str) -> list[dict[str, object]]:
        found = self._ask("GET", path)
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, object] | None = None,
        params: dict[str, str] | None = None,
        key: str = "",
    ) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        try:
            url = httpx.URL(self._base + path, params=params) if params else self._base + path
            request = self._client.build_request(method, url, json=body, headers=headers)
            answer = self._client.send(request)
            if answer.is_redirect:
                answer = self._client.send(_on_the_same_host(request, answer))
        except (httpx.ConnectError, httpx.ConnectTimeout) as problem:
            # Without a connection nothing was sent.
            raise AwayError(_reason(problem), maybe_arrived=False) from problem
        except httpx.RequestError as problem:
            # It broke off later: perhaps only the answer is lost.
            raise AwayError(_reason(problem), maybe_arrived=True) from problem
        return _data(answer)


def _checked(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL:
        url = httpx.URL("")
    if not _is_web_address(url):
        raise SpecError(
            "The address of the service is no web address.",
            got="…" if url.userinfo else base_url,
            fix="Give one such as http://localhost:8080.",
        )
    if url.userinfo:
        raise SpecError(
            "The address of the service must not hold a password.",
            fix="Put a token into the environment variable {variable}.",
            variable=TOKEN_VARIABLE,
        )
    return url


def _is_web_address(url: httpx.URL) -> bool:
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        return False
    # httpx takes any number for a port, and writes a space in a host as %20.
    return "%" not in url.netloc.decode("ascii") and (url.port is None or 0 < url.port < 65536)


def _on_the_same_host(request: httpx.Request, answer: httpx.Response) -> httpx.Request:
    """A redirect to another host would carry the task's data, and the token, out of the house."""
    try:
        to = request.url.join(answer.headers["Location"])
    except httpx.InvalidURL:
        to = httpx.URL("")
    same = to.host == request.url.host and to.port == request.url.port
    upgraded = to.host == request.url.host and (request.url.scheme, to.scheme) == ("http", "https")
    if not (same or upgraded) or to.scheme not in ("http", "https"):
        raise CallRefusedError(
            answer.status_code, t("redirects to another host ({host})", host=to.host or "?")
        )
    # The host's name is of the old address; httpx writes that of the new one.
    headers = {k: v for k, v in request.headers.items() if k != "host"}
    return httpx.Request(request.method, to, headers=headers, content=request.content)


def _data(answer: httpx.Response) -> Any:
    """What the envelope holds. Its `code` counts where it disagrees with the HTTP status."""
    envelope = _json(answer)
    status, message = answer.status_code, answer.reason_phrase
    if isinstance(envelope, dict):
        message = " ".join(str(envelope.get("message") or message).split())[:200]
        code = envelope.get("code")
        if answer.is_success and isinstance(code, int) and code not in (0, 200):
            raise CallRefusedError(code, message)
    if answer.is_success and answer.content and not isinstance(envelope, dict):
        # Some other program's page: taken for a yes, everything would be lost in silence.
        raise CallRefusedError(
            status, t("the answer is none of this service; is the address right?")
        )
    if status in TRY_LATER or status >= 500:
        wait_seconds = _seconds(answer.headers.get("Retry-After", ""))
        reason = f"{status} {message}"
        # A 500 may come after the row was written; 429 and its like come before anything is done.
        raise AwayError(reason, maybe_arrived=status >= 500, wait_seconds=wait_seconds)
    if not answer.is_success:
        raise CallRefusedError(status, message)
    return envelope.get("data") if isinstance(envelope, dict) else None


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _seconds(text: str) -> float:
    """What `Retry-After` asks for, at most a minute; 0 for a date and for what is no number."""
    return min(float(text), 60.0) if text.isascii() and text.isdigit() else 0.0


def _reason(problem: httpx.RequestError) -> str:
    return str(problem) or type(problem).__name__


def _same_evaluation(row: dict[str, object], call: Call, run_id: str) -> bool:
    try:
        facts = json.loads(str(row.get("detailedResults") or "{}"))
    except ValueError:
        return False
    return isinstance(facts, dict) and (facts.get("runId"), facts.get("digest")) == (
        run_id,
        call.digest,
    )


def _same_epoch(row: dict[str, object], call: Call) -> bool:
    """An epoch that was run again has the same number, but hardly the same figures and time."""
    return _same(row, {k: v for k, v in (call.body or {}).items() if isinstance(v, int | float)})


def _left_behind(call: Call) -> dict[str, object]:
    """What a task shows once the call has arrived."""
    if call.what == "complete":
        return {"status": "COMPLETED"}
    if call.what == "error":
        return {"status": "FAILED", **(call.params or {})}
    if call.what == "model-path":
        return {"modelPath": (call.params or {})["modelPath"]}
    shown = ("currentEpoch", "status", "accuracy", "loss")
    return {name: value for name, value in (call.body or {}).items() if name in shown}


def _same(row: dict[str, object], wanted: dict[str, object]) -> bool:
    """Up to the rounding of the service's columns."""
    for name, value in wanted.items():
        found = row.get(name)
        if isinstance(value, int | float) and isinstance(found, int | float):
            if abs(found - value) >= TOLERANCE:
                return False
        elif found != value:
            return False
    return True
