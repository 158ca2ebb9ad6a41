"""What runs elsewhere report by surface A."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from tandem.server.db.tables import History, TaskEvent
from tandem.spec.state import MOVES, State
from tests.server.tasks.conftest import A, data, make, set_row


def test_progress_by_query_and_by_body(each: TestClient):
    url = f"{A}/{make(each, epochs=3)['taskId']}/progress"
    task = data(each.put(f"{url}?currentEpoch=1&accuracy=75.5&loss=0.45"))
    assert (task["currentEpoch"], task["progress"], task["accuracy"]) == (1, 33, 75.5)
    assert (task["bestAccuracy"], task["loss"], task["status"]) == (75.5, 0.45, "PENDING")
    said = {"currentEpoch": 2, "totalEpochs": 8, "valAccuracy": 60, "trainLoss": 0.3}
    task = data(each.put(url, json=said | {"valLoss": 0.5, "status": "RUNNING"}))
    assert (task["progress"], task["accuracy"], task["bestAccuracy"]) == (25, 60, 75.5)
    assert (task["loss"], task["status"], task["totalEpochs"]) == (0.3, "RUNNING", 8)
    with each.app.state.context.database.read() as session:
        row = session.scalars(select(History)).one()
        assert (row.epoch, row.train_loss, row.val_loss, row.val_accuracy) == (2, 0.3, 0.5, 60)


@pytest.mark.parametrize("figure", ["nan", "inf", "-inf", "1e300", "12345678"])
def test_a_figure_that_no_column_holds_costs_no_epoch(each: TestClient, figure: str):
    task_id = make(each)["taskId"]
    said = {"currentEpoch": 3, "loss": figure, "accuracy": figure}
    task = data(each.put(f"{A}/{task_id}/progress", params=said))
    assert (task["currentEpoch"], task["loss"], task["accuracy"]) == (3, None, None)
    with each.app.state.context.database.read() as session:
        told = session.scalars(
            select(TaskEvent.body).where(TaskEvent.type == "figures_left_out")
        ).one()
        assert "accuracy" in told
        assert "loss" in told


@pytest.mark.parametrize(
    "said",
    [{}, {"loss": 1}, {"currentEpoch": -1}, {"currentEpoch": 2**31}, {"currentEpoch": "x"},
     {"currentEpoch": 1, "status": "DONE"}, {"currentEpoch": 1, "epoch": 1},
     {"currentEpoch": 1, "totalEpochs": 0}],
)  # fmt: skip
def test_progress_that_says_nothing(one: TestClient, said: dict[str, object]):
    url = f"{A}/{make(one)['taskId']}/progress"
    assert data(one.put(url, json=said), 422)[0]["field"]


TOLD = ["RUNNING", "STOPPED", "COMPLETED", "FAILED", "PAUSED"]


@pytest.mark.parametrize("to", TOLD)
@pytest.mark.parametrize("state", list(State))
def test_states_move_by_the_table(one: TestClient, state: State, to: str):
    task_id = make(one)["taskId"]
    set_row(one, task_id, status=state)
    legal = state == to or to in MOVES[state]
    said = {"currentEpoch": 1, "status": to}
    data(one.put(f"{A}/{task_id}/progress", json=said), 200 if legal else 409)
    task = data(one.get(f"{A}/{task_id}"))
    assert task["status"] == (to if legal else state)
    assert (task["currentEpoch"] == 1) == legal


@pytest.mark.parametrize("state", list(State))
def test_complete_and_error(one: TestClient, state: State):
    task_id = make(one)["taskId"]
    set_row(one, task_id, status=state)
    may = state in ("PENDING", "QUEUED", "RUNNING", "COMPLETED")
    data(one.post(f"{A}/{task_id}/complete"), 200 if may else 409)
    assert data(one.get(f"{A}/{task_id}"))["status"] == ("COMPLETED" if may else state)
    set_row(one, task_id, status=state)
    may = state in ("PENDING", "QUEUED", "RUNNING", "FAILED")
    told = {"errorMessage": "内存不足 " + "x" * 9000}
    data(one.put(f"{A}/{task_id}/error", params=told), 200 if may else 409)
    task = data(one.get(f"{A}/{task_id}"))
    assert (task["status"], task["errorMessage"]) == (
        ("FAILED", told["errorMessage"]) if may else (state, None)
    )


def test_of_our_own_runs_only_their_journal_tells_the_state(one: TestClient):
    task_id = make(one)["taskId"]
    set_row(one, task_id, status="RUNNING", live=1)
    url = f"{A}/{task_id}"
    data(one.post(f"{url}/complete"), 409)
    data(one.put(f"{url}/error?errorMessage=x"), 409)
    data(one.put(f"{url}/progress", json={"currentEpoch": 1, "status": "STOPPED"}), 409)
    data(one.put(f"{url}/progress", json={"currentEpoch": 1, "status": "RUNNING"}))


@pytest.mark.parametrize(
    ("path", "url", "status"),
    [
        ("x", "file:x", 200),
        ("x/final_model", "http://host/x?a=1", 200),
        ("x", None, 200),
        ("../x", "", 403),
        ("/etc/passwd", "", 403),
        ("a/%2e%2e/%2e%2e/x", "", 403),
        ("a\0b", "", 403),
        ("x", "file:///etc/passwd", 403),
        ("x", "javascript:alert(1)", 422),
        ("x" * 501, "", 422),
    ],
)
def test_model_path(one: TestClient, path: str, url: str | None, status: int):
    task_id = make(one)["taskId"]
    said = {"modelPath": path} | ({} if url is None else {"modelUrl": url})
    data(one.put(f"{A}/{task_id}/model-path", params=said), status)
    assert data(one.get(f"{A}/{task_id}"))["modelPath"] == (path if status == 200 else None)
