"""One request: what is tried again, what is said when it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tandem.client import client as module
from tandem.client.client import Client
from tandem.client.connect import address, token
from tandem.client.errors import RefusedError, ServiceError, UnreachableError
from tandem.config.settings import load
from tandem.spec.errors import SpecError
from tests.server.faults.small_server import SmallServer, wait_for

SPEC = {"mode": "direct", "data": {"dataset": "pictures"}, "student": {"size": "resnet18"}}
TASK = {"task_id": "TASK_1", "name": "n", "status": "PENDING", "of a later version": 1}


def answering(*answers: Callable[[], httpx.Response]) -> tuple[Client, list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]()

    return Client("http://there", "secret", transport=httpx.MockTransport(answer)), seen


def busy() -> httpx.Response:
    return httpx.Response(503, json={"detail": "The data base does not answer."})


def task() -> httpx.Response:
    return httpx.Response(200, json=TASK)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_SECONDS", 0.0)
    monkeypatch.setenv("TANDEM_LANG", "en")


def test_what_may_be_repeated_is() -> None:
    client, seen = answering(busy, busy, task)
    assert client.task("TASK_1").status == "PENDING"
    assert len(seen) == 3
    client, seen = answering(busy, task)
    client.create("n", SPEC)
    keys = {request.headers["Idempotency-Key"] for request in seen}
    assert len(seen) == 2
    assert len(keys) == 1


def test_what_may_not_be_repeated_is_not() -> None:
    client, seen = answering(busy, task)
    with pytest.raises(RefusedError, match="data base") as caught:
        client.start("TASK_1")
    assert len(seen) == 1
    assert caught.value.exit_code == 1


def test_it_is_not_tried_for_ever() -> None:
    client, seen = answering(busy)
    with pytest.raises(RefusedError):
        client.task("TASK_1")
    assert len(seen) == module.TRIES


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(404, json={"detail": "There is no task T."}), "There is no task T."),
        (httpx.Response(404, json={"message": "None.", "data": None}), "None."),
        (httpx.Response(502, text="<html>Bad Gateway</html>"), "The service answered 502."),
        (httpx.Response(404, json=["what"]), "The service answered 404."),
    ],
)
def test_the_service_s_own_sentence_is_said(answer: httpx.Response, said: str) -> None:
    client, _ = answering(lambda: answer)
    with pytest.raises(RefusedError) as caught:
        client.start("T")
    assert caught.value.sentence() == said
    assert caught.value.exit_code == (2 if answer.status_code < 500 else 1)


def test_an_answer_of_another_kind_is_no_traceback() -> None:
    client, _ = answering(lambda: httpx.Response(200, text="<html>a router</html>"))
    with pytest.raises(ServiceError, match="same version"):
        client.task("T")


def test_nobody_there_names_the_fix() -> None:
    with pytest.raises(UnreachableError, match="nothing listens there.*`tandem serve`"):
        Client("http://127.0.0.1:9").task("T")


def test_a_name_stays_one_part_of_the_path() -> None:
    client, seen = answering(task)
    client.task("../queue?x=1#y")
    assert seen[0].url.raw_path == b"/api/v1/tasks/..%2Fqueue%3Fx%3D1%23y"


def test_the_token_is_shown_and_never_printed() -> None:
    client, seen = answering(task)
    client.task("T")
    assert seen[0].headers["Authorization"] == "Bearer secret"
    assert "secret" not in repr(client)


def test_the_token_comes_from_the_environment_or_the_file(tmp_path: Path) -> None:
    (tmp_path / "access_token").write_text("of the file\n")
    env = {"TANDEM_HOME": str(tmp_path)}
    assert token(load(env)) == "of the file"
    assert token(load({**env, "TANDEM_ACCESS_TOKEN": "of the environment"})) == "of the environment"
    assert token(load({"TANDEM_HOME": str(tmp_path / "other")})) is None


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"TANDEM_HOST": "0.0.0.0", "TANDEM_PORT": "81"}, "http://127.0.0.1:81"),
        ({"TANDEM_HOST": "::1"}, "http://[::1]:8080"),
        ({"TANDEM_SERVER_URL": "https://gpu.example/tandem/"}, "https://gpu.example/tandem"),
    ],
)
def test_where_the_service_is(env: dict[str, str], url: str, tmp_path: Path) -> None:
    assert address(None, load({"TANDEM_HOME": str(tmp_path), **env})) == url


@pytest.mark.parametrize("url", ["gpu", "ftp://gpu", "http://", "http://gpu:99999", "http://[::1"])
def test_what_is_no_address_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is none"):
        address(url, load({"TANDEM_HOME": str(tmp_path)}))


def test_the_same_key_makes_one_task(server: SmallServer, client: Client) -> None:
    pages = [client.create(f"many {n}", SPEC, start=False, key=f"k{n // 2}") for n in (0, 0, 2)]
    assert pages[0].task_id == pages[1].task_id != pages[2].task_id
    assert len(client.tasks(keyword="many")) == 2


def test_a_model_comes_whole_or_not_at_all(
    server: SmallServer, client: Client, tmp_path: Path
) -> None:
    task_id = server.create(epochs=1, start=True)
    wait_for(lambda: client.task(task_id).status == "COMPLETED")
    target = tmp_path / "out.zip"
    assert client.model(task_id, target) == target.stat().st_size > 0
    assert target.read_bytes()[:2] == b"PK"
    other = server.create(epochs=1)
    with pytest.raises(RefusedError):
        client.model(other, tmp_path / "none.zip")
    assert [path.name for path in tmp_path.iterdir() if "none" in path.name] == []


def test_long_lists_come_in_pages(
    server: SmallServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [client.create(f"n{n}", SPEC, start=False).task_id for n in range(5)]
    monkeypatch.setattr(module, "PAGE", 2)
    assert [one.task_id for one in client.tasks(limit=5)] == made[::-1]
    assert [one.task_id for one in client.tasks(limit=3)] == made[:1:-1]


def test_the_whole_spec_arrives(client: Client, server: SmallServer) -> None:
    made = client.create("whole", SPEC, description="d", priority=3, start=False)
    shown = json.loads(server.ask("GET", f"/api/v1/tasks/{made.task_id}").text)
    assert shown["spec"]["data"]["dataset"] == "pictures"
    assert (shown["priority"], shown["description"]) == (3, "d")
