"""What clumsy and hostile requests get: a sentence and a 4xx, never a 5xx, and nothing changes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.server.conftest import KINDS
from tests.server.faults.small_server import SmallServer

A = "/model-distillation"
HOSTILE_IDS = [
    "TASK_1", "x" * 300, "%2e%2e%2fetc%2fpasswd", "..%2f..", "%00", "a%00b", "🙂",
    "' OR 1=1 --", "%27%20OR%201%3D1", "-1", "1e999", "NaN", "%0d%0aX:1", "TASK_ABCDEFG\u202e",
]  # fmt: skip
GOOD = {"taskName": "a", "teacherModel": "qwen2.5-vl-7b", "studentModel": "resnet50",
        "datasetId": "pictures"}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, module_url):
    home = tmp_path_factory.mktemp("home")
    with SmallServer(home, module_url(request.param)) as running:
        yield running


@pytest.fixture
def http(server: SmallServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url, timeout=30) as client:
        yield client


# What is refused before any SQL is the same on each data base.
one_base = pytest.mark.parametrize("server", ["sqlite"], indirect=True)


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in (statuses or (400, 404, 422)), (answer.request, answer.text[:500])
    body = answer.json()
    message = body.get("message") or body.get("detail") or body.get("title")
    assert message
    assert "Traceback" not in answer.text
    assert "sqlalchemy" not in answer.text.lower()
    return body


def fields(answer: httpx.Response) -> list[str]:
    return [fault["field"] for fault in refused(answer, 422)["data"]]


@one_base
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("taskName", ""), ("taskName", 5), ("taskName", "x" * 256), ("taskName", "a\x00b"),
        ("taskName", "a\x1bb"), ("taskName", None), ("taskName", ["a"]),
        ("description", "x" * 501), ("epochs", 0), ("epochs", -1), ("epochs", 10**20),
        ("epochs", "many"), ("epochs", 1.5), ("batchSize", 0), ("learningRate", 0),
        ("learningRate", -0.1), ("learningRate", 1e9), ("temperature", 0), ("temperature", 1e6),
        ("alpha", 1.1), ("alpha", -1), ("loraRank", -1), ("loraDropout", 1),
        ("trainingMode", "magic"), ("optimizer", "sdg"), ("lrScheduler", "x"),
        ("gpuDevices", "a,b"), ("gpuDevices", [-1]), ("checkpointInterval", 0),
        ("teacherQuantization", "int3"), ("studentInitMethod", "x"), ("numClasses", 1),
        ("imageSize", 3), ("loraBiasTrain", "x"), ("distillationType", "x"),
        ("hardLabelWeight", -1), ("trainingConfig", "{not json"), ("trainingConfig", [1]),
        ("trainingConfig", {"optimiser": "adam"}), ("nonsense", 1),
        ("teacherModel", "no-such-teacher"), ("studentModel", "no-such-student"),
        ("datasetId", {"a": 1}), ("datasetId", True),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(http: httpx.Client, field: str, value: Any):
    before = http.get(f"{A}/tasks", params={"page": 1}).json()["data"]["total"]
    named = fields(http.post(f"{A}/tasks", json={**GOOD, field: value}))
    assert any(name.split(".")[0] == field for name in named), named
    assert http.get(f"{A}/tasks", params={"page": 1}).json()["data"]["total"] == before


@one_base
@pytest.mark.parametrize(
    "path",
    ["../secret", "/etc", "a/../../x", "..", "%2e%2e/x", "pictures/../../..", "a\x00b", "~/x"],
)
@pytest.mark.parametrize("field", ["datasetId", "valDatasetId", "teacherModelPath"])
def test_a_path_that_leaves_its_root_is_refused(http: httpx.Client, field: str, path: str):
    answer = http.post(f"{A}/tasks", json={**GOOD, field: path})
    refused(answer, 403, 422)
    if path in ("../secret", "/etc", ".."):
        assert answer.status_code == 403


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_no_number_that_is_none(http: httpx.Client, number: str):
    body = json.dumps(GOOD)[:-1] + f', "learningRate": {number}}}'
    headers = {"Content-Type": "application/json"}
    refused(http.post(f"{A}/tasks", content=body, headers=headers), 400, 422)
    task_id = http.post(f"{A}/tasks", json=GOOD).json()["data"]["taskId"]
    # A trainer's fault: the figure is left out, the epoch is kept.
    url = f"{A}/tasks/{task_id}/progress"
    answer = http.put(url, params={"currentEpoch": 1, "loss": number})
    assert answer.status_code == 200
    assert (answer.json()["data"]["currentEpoch"], answer.json()["data"]["loss"]) == (1, None)


@one_base
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b"{}" * 2, b"1" * 9999]
)
def test_a_body_that_is_none(http: httpx.Client, body: bytes):
    headers = {"Content-Type": "application/json"}
    for path in ("tasks", "lora-presets"):
        refused(http.post(f"{A}/{path}", content=body, headers=headers), 400, 422)


@one_base
def test_ten_megabytes_are_too_much(http: httpx.Client):
    answer = http.post(f"{A}/tasks", json={**GOOD, "description": "x" * 10_000_000})
    refused(answer, 413)
    refused(http.get(f"{A}/tasks", params={"keyword": "x" * 20_000}), 400, 414, 422, 431)


def test_emoji_and_chinese_work(http: httpx.Client):
    task = http.post(f"{A}/tasks", json={**GOOD, "taskName": "猫🙂"}).json()["data"]
    assert task["taskName"] == "猫🙂"
    found = http.get(f"{A}/tasks", params={"keyword": "🙂", "page": 1}).json()["data"]
    assert task["taskId"] in [one["taskId"] for one in found["items"]]


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE md_training_task; --", "%' OR '1'='1", "\\", '"', "%", "_%", "a\x00b"]
)
def test_sql_in_a_keyword_is_text(http: httpx.Client, text: str):
    answer = http.get(f"{A}/tasks", params={"keyword": text, "page": 1})
    if "\x00" in text:
        refused(answer, 400, 422)
    else:
        assert answer.status_code == 200
        assert answer.json()["data"]["total"] == 0
    assert http.get(f"{A}/tasks").status_code == 200


@one_base
@pytest.mark.parametrize(
    "order", ["taskName; DROP TABLE x", "task_name)", "1", "sleep(5)", "nothing", "taskName up"]
)
def test_order_by_is_one_of_the_columns(http: httpx.Client, order: str):
    assert fields(http.get(f"{A}/tasks", params={"orderBy": order})) == ["orderBy"]


@one_base
@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "page=1e3", "pageSize=0", "page=1&pageSize=100000",
     "page=99999999999999999999", "status=DANCING"],
)  # fmt: skip
def test_bad_pages(http: httpx.Client, query: str):
    refused(http.get(f"{A}/tasks?{query}"), 422)


def test_a_status_that_is_no_move(http: httpx.Client):
    task_id = http.post(f"{A}/tasks", json=GOOD).json()["data"]["taskId"]
    url = f"{A}/tasks/{task_id}/progress"
    refused(http.put(url, json={"currentEpoch": 1, "status": "DANCING"}), 422)
    refused(http.put(url, json={"currentEpoch": 1, "status": "PAUSED"}), 409)
    refused(http.put(url, json={"currentEpoch": 10**12}), 422)
    refused(http.put(url, json={"currentEpoch": -1}), 422)
    refused(http.put(url), 422)
    assert http.get(f"{A}/tasks/{task_id}").json()["data"]["status"] == "PENDING"


@pytest.mark.parametrize(
    "changed",
    [
        {"epoch": -1}, {"epoch": "x"}, {"trainLoss": 1e4}, {"trainLoss": "x"}, {"gpuUsage": 1e9},
        {"recordTime": "yesterday"}, {"nonsense": 1}, {"taskId": "TASK_OTHER000"},
    ],
)  # fmt: skip
def test_bad_history(http: httpx.Client, changed: dict[str, Any]):
    task_id = http.post(f"{A}/tasks", json=GOOD).json()["data"]["taskId"]
    url = f"{A}/tasks/{task_id}/history"
    assert fields(http.post(url, json={"epoch": 1, **changed})) == list(changed)
    assert http.get(url).json()["data"] == []


def _routes(server: SmallServer) -> list[tuple[str, str]]:
    paths = server.get("/openapi.json")["paths"]
    verbs = ("get", "post", "put", "patch", "delete")
    return [(verb, path) for path, item in paths.items() for verb in verbs if verb in item]


def test_every_route_with_hostile_names(server: SmallServer, http: httpx.Client):
    named = [(verb, path) for verb, path in _routes(server) if "{" in path]
    assert len(named) > 20
    for (verb, path), name in itertools.product(named, HOSTILE_IDS):
        parts = [name if part.startswith("{") else part for part in path.split("/")]
        answer = http.request(verb, "/".join(parts), json={} if verb != "get" else None)
        assert 300 <= answer.status_code < 500, (verb, path, name, answer.text[:300])


@one_base
def test_every_route_with_a_wrong_body(server: SmallServer, http: httpx.Client):
    for verb, path in _routes(server):
        if verb == "get":
            continue
        url = path.replace("{task_id}", "TASK_00000000")
        for body in ([], "x", 5, {"nonsense": [1]}, {"a": None}):
            answer = http.request(verb, url, json=body)
            assert answer.status_code < 500, (verb, path, body, answer.text[:300])
