"""Sample rows are there to be looked at: nothing is done with them, and all of them say so."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tandem.server.db.sample_rows import add_samples
from tandem.server.dispatch.dispatcher import Dispatcher
from tests.server.tasks.conftest import V1, A, data

M = "/model-distillation"


@pytest.fixture
def shown(client: TestClient) -> TestClient:
    assert len(add_samples(client.app.state.context.database)) == 5
    return client


def test_four_are_completed_one_runs_and_all_are_marked(shown: TestClient):
    states = [task["status"] for task in data(shown.get(A))]
    assert sorted(states) == ["COMPLETED"] * 4 + ["RUNNING"]
    [runs] = data(shown.get(f"{A}/running"))
    assert runs["taskId"] == "TASK_005"
    assert all("sample" in one["taskName"] for one in data(shown.get(f"{M}/completed-models")))
    assert all(one["sample"] for one in shown.get(V1).json()["items"])
    models = shown.get("/api/v1/models").json()["items"]
    assert {one["sample"] for one in models} == {True}
    assert {one["here"] for one in models} == {False}


def test_no_server_launches_adopts_or_ends_one(shown: TestClient):
    dispatcher = Dispatcher(shown.app.state.context, collect=lambda *_: set())
    for _ in range(3):
        dispatcher.tick()
    dispatcher.lease.release()
    assert data(shown.get(f"{A}/TASK_005"))["status"] == "RUNNING"
    assert shown.app.state.context.executor.launched == []


@pytest.mark.parametrize("task_id", ["TASK_001", "TASK_005"])
def test_nothing_is_done_with_one_but_to_delete_it(shown: TestClient, task_id: str):
    for action in ("start", "stop"):
        answer = shown.post(f"{A}/{task_id}/{action}")
        assert answer.status_code == 409
        assert "sample data" in answer.json()["message"] or task_id == "TASK_001"
    assert shown.post(f"{V1}/{task_id}/pause").status_code == 409
    assert data(shown.delete(f"{A}/{task_id}")) is None
    assert shown.get(f"{A}/{task_id}").status_code == 404


def test_one_has_no_model_and_says_why(shown: TestClient):
    asked = {"taskId": "distillation_TASK_002", "inputDir": "new", "datasetId": "x"}
    context = shown.app.state.context
    (context.settings.datasets_root / "x").mkdir(parents=True)
    (context.settings.datasets_root / "new").mkdir()
    answer = shown.post(f"{M}/inference/submit", params=asked)
    assert answer.status_code == 409, answer.text
    assert "TASK_002 is sample data" in answer.json()["message"]
