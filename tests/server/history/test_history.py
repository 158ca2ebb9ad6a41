"""History and evaluations on surface A, on each data base."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.server.rows import add

BASE = "/model-distillation/tasks"
FIELDS = {
    "id",
    "taskId",
    "epoch",
    "trainLoss",
    "trainAccuracy",
    "valLoss",
    "valAccuracy",
    "distillLoss",
    "hardLoss",
    "softLoss",
    "gpuUsage",
    "memoryUsage",
    "epochTime",
    "recordTime",
}


def test_an_epoch_is_told_and_a_repeat_replaces_it(on_each: TestClient) -> None:
    path = f"{BASE}/{add(on_each, 'TASK_A')}/history"
    assert on_each.get(path).json() == {"code": 200, "message": "success", "data": []}
    for epoch, loss in ((2, 0.5), (1, 0.9), (2, 0.25)):
        answer = on_each.post(path, json={"epoch": epoch, "trainLoss": loss, "taskId": "TASK_A"})
        assert answer.json() == {"code": 200, "message": "success", "data": None}
    rows = on_each.get(path).json()["data"]
    assert [(row["epoch"], row["trainLoss"]) for row in rows] == [(1, 0.9), (2, 0.25)]
    newest = on_each.get(f"{path}/latest", params={"limit": 1}).json()["data"]
    assert newest == [rows[1]]
    assert rows[0]["recordTime"].endswith("Z")
    assert set(rows[0]) == FIELDS


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trainLoss", "NaN"),
        ("valLoss", "Infinity"),
        ("trainLoss", "10000"),
        ("valAccuracy", "100.5"),
        ("epoch", "-1"),
        ("epoch", "2147483648"),
        ("memoryUsage", "1e9"),
        ("lossy", "1"),
        ("taskId", '"TASK_B"'),
    ],
)
def test_a_figure_no_column_holds_is_refused_by_its_name(
    client: TestClient, field: str, value: str
) -> None:
    path = f"{BASE}/{add(client, 'TASK_A')}/history"
    body = ('{"epoch": 1,' if field != "epoch" else "{") + f'"{field}": {value}}}'
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["data"]] == [field]
    assert client.get(path).json()["data"] == []


def test_latest_and_best_evaluations(on_each: TestClient) -> None:
    path = f"{BASE}/{add(on_each, 'TASK_A')}/evaluations"
    assert on_each.get(f"{path}/best").json()["data"] is None
    for body in (
        {"map50": 99.0, "detailedResults": {"a": [1]}},
        {"f1Score": 80.0, "map50": 10.0, "evalDatasetId": 7},
        {"f1Score": 80.0, "map50": 20.0, "evalTime": "2030-01-01T10:00:00+08:00"},
        {"f1Score": 70.0, "evalTime": "2020-01-01T00:00:00"},
    ):
        assert on_each.post(path, json=body).status_code == 200
    rows = on_each.get(path).json()["data"]
    assert [row["f1Score"] for row in rows] == [None, 80.0, 80.0, 70.0]
    assert (rows[0]["detailedResults"], rows[1]["evalDatasetId"]) == ('{"a": [1]}', "7")
    assert on_each.get(f"{path}/best").json()["data"] == rows[2]
    latest = on_each.get(f"{path}/latest").json()["data"]
    assert (latest["id"], latest["evalTime"]) == (rows[2]["id"], "2030-01-01T02:00:00.000Z")


def test_details_that_do_not_fit_are_refused_not_cut(client: TestClient) -> None:
    path = f"{BASE}/{add(client, 'TASK_A')}/evaluations"
    answer = client.post(path, json={"detailedResults": "é" * 30_001})
    assert answer.status_code == 422
    assert answer.json()["data"][0]["field"] == "detailedResults"


@pytest.mark.parametrize("what", ["history", "history/latest", "evaluations", "evaluations/best"])
def test_a_task_that_is_not_there_or_deleted_is_404(client: TestClient, what: str) -> None:
    add(client, "TASK_GONE")
    told = client.post(f"{BASE}/TASK_GONE/history", json={"epoch": 1})
    assert told.status_code == 200
    assert client.delete(f"{BASE}/TASK_GONE").status_code == 200
    for task_id in ("TASK_GONE", "TASK_NONE", "a%00b"):
        assert client.get(f"{BASE}/{task_id}/{what}").status_code == 404
    assert client.post(f"{BASE}/TASK_GONE/history", json={"epoch": 1}).status_code == 404
    assert client.post(f"{BASE}/TASK_GONE/evaluations", json={}).status_code == 404
