"""Who may ask, from where, how much; what is sent twice; what a log never holds."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.db.database import Database
from tandem.server.db.tables import Job, Task
from tandem.server.http.middleware.language import preferred
from tests.server.faults.small_server import ROOT, SmallServer, wait_for

A = "/model-distillation"
TASK = {
    "taskName": "a",
    "teacherModel": "qwen2.5-vl-7b",
    "studentModel": "resnet50",
    "datasetId": "x",
}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("localhost:8080", 200), ("LOCALHOST", 200), ("[::1]:9", 200),
        ("evil.example", 400), ("127.0.0.1.evil.example", 400), ("", 400), ("127.0.0.1@evil", 400),
        ("a b", 400), ("[::1", 400),
    ],
)  # fmt: skip
def test_only_its_own_names_are_answered(client: TestClient, host: str, status: int):
    answer = client.get(f"{A}/tasks", headers={"Host": host})
    assert answer.status_code == status, answer.text
    if status == 400:
        assert "TANDEM_ALLOWED_HOSTS" in answer.json()["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_a_page_elsewhere_changes_nothing(client: TestClient, headers: dict[str, str], status: int):
    assert client.post(f"{A}/tasks", json=TASK, headers=headers).status_code == status
    assert client.get(f"{A}/tasks", headers=headers).status_code == 200


def test_only_named_pages_may_read_from_elsewhere(
    sqlite: Database, settings_of: Callable[..., object]
):
    url = sqlite.url.render_as_string(hide_password=False)
    settings = settings_of(
        url, TANDEM_ALLOWED_ORIGINS="https://console.example, https://b.example/"
    )
    with TestClient(create_app(settings, FakeExecutor()), base_url="http://127.0.0.1") as client:
        for origin, allowed in (("https://b.example", True), ("https://evil.example", False)):
            headers = {"Origin": origin}
            seen = client.get(f"{A}/tasks", headers=headers).headers
            assert (seen.get("access-control-allow-origin") == origin) is allowed
            ask = headers | {"Access-Control-Request-Method": "POST"}
            preflight = client.options(f"{A}/tasks", headers=ask)
            assert (preflight.status_code == 204) is allowed
            assert client.post(f"{A}/tasks", json=TASK, headers=headers).is_success is allowed


@pytest.fixture
def guarded(sqlite: Database, settings_of: Callable[..., object]) -> Iterator[TestClient]:
    settings = settings_of(sqlite.url.render_as_string(hide_password=False))
    app = create_app(settings, FakeExecutor(), token="s3cret")
    with TestClient(app, base_url="http://box.example") as client:
        yield client


@pytest.mark.parametrize("shown", [None, "Bearer wrong", "Bearer ", "Basic czNjcmV0", "s3cret"])
def test_without_the_token_nothing_is_told(guarded: TestClient, shown: str | None):
    headers = {} if shown is None else {"Authorization": shown}
    for path in (f"{A}/tasks", "/api/v1/tasks", "/metrics", "/api/v1/events"):
        refused = guarded.get(path, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
    assert guarded.get("/actuator/health").status_code == 200
    right = guarded.get(f"{A}/tasks", headers={"Authorization": "Bearer s3cret"})
    assert right.status_code == 200


def test_a_runs_token_is_for_its_own_reports(guarded: TestClient):
    owner = {"Authorization": "Bearer s3cret"}
    mine, other = (
        guarded.post(f"{A}/tasks", json=TASK, headers=owner).json()["data"]["taskId"]
        for _ in range(2)
    )
    database: Database = guarded.app.state.context.database
    with database.write() as session:
        job = session.get(Job, mine)
        job.token_hash = hashlib.sha256(b"run-token").hexdigest()
    run = {"Authorization": "Bearer run-token"}

    def code(verb: str, path: str, **options: object) -> int:
        return guarded.request(verb, path, headers=run, **options).status_code

    assert code("PUT", f"{A}/tasks/{mine}/progress?currentEpoch=1") == 200
    assert code("POST", f"{A}/tasks/{mine}/history", json={"epoch": 1}) == 200
    assert code("GET", f"{A}/tasks/{mine}/history") == 200
    for verb, path in (
        ("PUT", f"{A}/tasks/{other}/progress?currentEpoch=1"),
        ("GET", f"{A}/tasks/{other}"),
        ("GET", f"{A}/tasks"),
        ("POST", f"{A}/tasks/{mine}/start"),
        ("DELETE", f"{A}/tasks/{mine}"),
        ("POST", f"{A}/tasks"),
        ("GET", "/api/v1/tasks"),
        ("POST", f"/api/v1/tasks/{other}/events"),
        ("GET", "/metrics"),
    ):
        assert code(verb, path) == 403, (verb, path)


def test_the_token_of_a_run_that_is_over_opens_nothing_here_too(client: TestClient):
    stale = {"Authorization": "Bearer tandem-run-whatever"}
    assert client.get(f"{A}/tasks", headers=stale).status_code == 401
    theirs = {"Authorization": "Bearer some-other-systems"}
    assert client.get(f"{A}/tasks", headers=theirs).status_code == 200


def test_a_creation_sent_twice_is_done_once(client: TestClient):
    headers = {"Idempotency-Key": "one"}
    first, again = (client.post(f"{A}/tasks", json=TASK, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    other = client.post(f"{A}/tasks", json=TASK | {"taskName": "b"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["data"][0]["field"] == "Idempotency-Key"
    wrong = [client.post(f"{A}/tasks", json={}, headers={"Idempotency-Key": "w"}) for _ in range(2)]
    assert [one.status_code for one in wrong] == [422, 422]
    created = client.post("/api/v1/tasks", json={"name": "v", "create": {}}, headers=headers)
    assert created.status_code == 422  # another address: another key
    assert _tasks(client) == 1


def test_two_at_once_make_one(client: TestClient):
    answers: list[httpx.Response] = []

    def post() -> None:
        headers = {"Idempotency-Key": "both"}
        answers.append(client.post(f"{A}/tasks", json=TASK, headers=headers))

    threads = [threading.Thread(target=post) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {one.status_code for one in answers} == {200}
    assert len({one.json()["data"]["taskId"] for one in answers}) == 1
    assert _tasks(client) == 1


def _tasks(client: TestClient) -> int:
    with client.app.state.context.database.read() as session:
        return session.scalar(select(func.count()).select_from(Task)) or 0


def test_an_answer_that_is_known_is_not_sent_again(client: TestClient):
    first = client.get(f"{A}/tasks?page=1")
    tag = first.headers["etag"]
    assert client.get(f"{A}/tasks?page=1", headers={"If-None-Match": tag}).status_code == 304
    client.post(f"{A}/tasks", json=TASK)
    again = client.get(f"{A}/tasks?page=1", headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again.headers["etag"] != tag


def test_long_answers_are_compressed(client: TestClient):
    for _ in range(3):
        client.post(f"{A}/tasks", json=TASK)
    for path in (f"{A}/tasks", f"{A}/tasks?page=1"):
        assert client.get(path).headers["content-encoding"] == "gzip"
    plain = client.get(f"{A}/tasks", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers


def test_the_reader_is_answered_in_his_language(client: TestClient):
    for language, word in (("zh-CN,zh;q=0.9,en;q=0.8", "没有"), ("en, zh;q=0.5", "There is no")):
        said = client.get(f"{A}/tasks/TASK_00000000", headers={"Accept-Language": language}).json()
        assert word in said["message"]


@pytest.mark.parametrize(
    ("header", "language"),
    [(None, None), ("fr", None), ("zh", "zh"), ("en-GB;q=0.3, zh-TW;q=0.4", "zh"), ("zh;q=0", None),
     ("*", None), (";;;,,q=9", None)],
)  # fmt: skip
def test_languages(header: str | None, language: str | None):
    assert preferred(header) == language


def test_a_browser_is_told_to_be_careful(client: TestClient):
    seen = client.get("/docs").headers
    assert seen["x-content-type-options"] == "nosniff"
    assert seen["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in seen["content-security-policy"]
    assert "server" not in seen


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, module_url: Callable[[str], str]):
    home = tmp_path_factory.mktemp("home")
    env = {"TANDEM_ACCESS_TOKEN": "s3cret-token"}
    with SmallServer(home, module_url("sqlite"), **env) as running:
        running.http.headers["Authorization"] = "Bearer s3cret-token"
        yield running


def test_a_length_that_lies_does_not_help(server: SmallServer):
    head = (
        f"POST {A}/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer s3cret-token\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(head.encode())
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        try:
            for _ in range(100):
                connection.sendall(piece)
        except OSError:
            pass  # it has hung up on us already
        connection.settimeout(20)
        try:
            said = connection.recv(4096)
        except ConnectionResetError:
            said = b"HTTP/1.1 413"
    assert said.startswith(b"HTTP/1.1 413")
    assert server.ask("GET", f"{A}/tasks").status_code == 200


def test_secrets_are_in_no_log(server: SmallServer):
    task_id = server.create(epochs=1, start=True)
    wait_for(lambda: server.task(task_id)["status"] == "COMPLETED")
    for where in (server.log, *server.run_dir(task_id).glob("*.*")):
        assert "s3cret-token" not in where.read_text(errors="replace")
    attempt = server.get(f"/api/v1/tasks/{task_id}/attempts")
    assert "token" not in json.dumps(attempt)


def test_sigterm_ends_open_streams(home: Path, make_url: Callable[[str], str]):
    with SmallServer(home, make_url("sqlite")) as server:
        task_id = server.create(epochs=1)
        with server.http.stream("GET", f"/api/v1/tasks/{task_id}/events") as stream:
            next(stream.iter_bytes())
            began = time.monotonic()
            assert server.terminate() == 0
            assert time.monotonic() - began < 9  # uvicorn would wait ten for the stream


def _serve(**env: str) -> subprocess.CompletedProcess[str]:
    whole = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TANDEM_LANG": "en", **env}
    return subprocess.run(
        [sys.executable, "-m", "tandem.cli", "serve"],
        env=whole, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_what_keeps_it_from_starting_is_one_sentence(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = _serve(TANDEM_HOME=str(tmp_path / "home"), TANDEM_PORT=port)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Port {port} is in use" in done.stderr
    assert done.stderr.count("\n") == 1
    (tmp_path / "file").touch()
    done = _serve(TANDEM_HOME=str(tmp_path / "file"), TANDEM_PORT="0")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1
    url = "mysql://nobody:s3cret@127.0.0.1:1/none"
    done = _serve(TANDEM_HOME=str(tmp_path / "h"), TANDEM_PORT="0", TANDEM_DATABASE_URL=url)
    assert done.returncode == 2
    assert "s3cret" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_beyond_loopback_a_token_is_made_and_never_printed(
    home: Path, make_url: Callable[[str], str]
):
    file = home / "access_token"
    command = [sys.executable, "-m", "tandem.cli", "serve", "--host", "0.0.0.0", "--port"]
    wide = SmallServer(home, make_url("sqlite"))
    wide.command = tuple(command)
    with wide:
        assert wide.ask("GET", f"{A}/tasks").status_code == 401
        token = file.read_text().strip()
        assert file.stat().st_mode & 0o777 == 0o600
        headers = {"Authorization": f"Bearer {token}"}
        assert wide.ask("GET", f"{A}/tasks", headers=headers).status_code == 200
        assert token not in wide.log.read_text()
        assert str(file) in wide.log.read_text()
