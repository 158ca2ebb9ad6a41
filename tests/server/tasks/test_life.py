"""Start, stop, pause, delete: what each does in each state, on each data base."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, func, select

from tandem.server.db.tables import EvaluationRow, History, Job, Task, TaskEvent
from tandem.spec.state import State
from tests.server.tasks.conftest import V1, A, data, make, set_row


def job(client: TestClient, task_id: str) -> Job | None:
    with client.app.state.context.database.read() as session:
        return session.get(Job, task_id)


@pytest.mark.parametrize("state", list(State))
def test_start_from_each_state(one: TestClient, state: State):
    task_id = make(one)["taskId"]
    set_row(one, task_id, status=state, error_message="no", resumes=2, wanted="stop")
    may = state in ("PENDING", "STOPPED", "FAILED", "PAUSED")
    answer = one.post(f"{A}/{task_id}/start")
    data(answer, 200 if may else 409)
    if may:
        told = answer.json()["data"]
        assert (told["status"], told["errorMessage"]) == ("QUEUED", None)
        known = job(one, task_id)
        assert (known.resumes, known.wanted, known.position) == (0, None, 1)
        assert one.app.state.context.wake_event.is_set()
    else:
        assert str(state) in answer.json()["message"]


def test_next_in_line_but_a_paused_one_at_its_old_place(each: TestClient):
    ids = [make(each)["taskId"] for _ in range(3)]
    for task_id in ids:
        data(each.post(f"{A}/{task_id}/start"))
    paused = each.post(f"{V1}/{ids[0]}/pause").json()
    assert (paused["status"], paused["queue_position"]) == ("PAUSED", None)
    data(each.post(f"{A}/{ids[1]}/stop"))
    data(each.post(f"{A}/{ids[1]}/start"))
    assert each.post(f"{V1}/{ids[0]}/resume").json()["queue_position"] == 1
    shown = {one["task_id"]: one["queue_position"] for one in each.get(V1).json()["items"]}
    assert shown == {ids[0]: 1, ids[2]: 2, ids[1]: 3}
    assert each.patch(f"{V1}/{ids[1]}", json={"priority": 5}).json()["queue_position"] == 1


def test_of_many_starts_one_wins(each: TestClient):
    task_id = make(each)["taskId"]
    codes: list[int] = []

    def start() -> None:
        codes.append(each.post(f"{A}/{task_id}/start").status_code)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] + [409] * 7
    with each.app.state.context.database.read() as session:
        told = select(func.count()).where(TaskEvent.type == "state")
        assert session.scalar(told) == 1


def test_a_task_of_an_installed_system_gets_its_job(each: TestClient):
    task_id = make(each, optimizer="sgd", epochs=9)["taskId"]
    with each.app.state.context.database.write() as session:
        session.execute(delete(Job))
    assert data(each.get(f"{A}/{task_id}"))["totalEpochs"] == 9
    assert each.get(f"{V1}/{task_id}").json()["spec"] is None
    data(each.post(f"{A}/{task_id}/start"))
    spec = each.get(f"{V1}/{task_id}").json()["spec"]
    assert (spec["optim"]["optimizer"], spec["optim"]["epochs"]) == ("sgd", 9)
    assert job(each, task_id).run_dir.endswith(f"/runs/{task_id}")


def test_an_installed_task_that_cannot_run_says_why(one: TestClient):
    task_id = make(one)["taskId"]
    with one.app.state.context.database.write() as session:
        session.execute(delete(Job))
    set_row(one, task_id, training_config="[1")
    assert data(one.post(f"{A}/{task_id}/start"), 422)[0]["field"] == "trainingConfig"
    set_row(one, task_id, training_config='{"optimizer": "lion"}')
    assert "optimizer" in data(one.post(f"{A}/{task_id}/start"), 422)[0]["field"]
    set_row(one, task_id, training_config='{"wrong": 1}')
    assert "wrong" in data(one.post(f"{A}/{task_id}/start"), 422)[0]["problem"]
    assert data(one.get(f"{A}/{task_id}"))["status"] == "PENDING"


def test_stop_of_a_live_run_is_a_wish(each: TestClient):
    task_id = make(each)["taskId"]
    set_row(each, task_id, status="RUNNING", live=1)
    each.post(f"{V1}/{task_id}/pause")
    assert job(each, task_id).wanted == "pause"
    assert data(each.post(f"{A}/{task_id}/stop"))["status"] == "RUNNING"
    data(each.post(f"{A}/{task_id}/stop"))
    assert job(each, task_id).wanted == "stop"
    assert each.app.state.context.wake_event.is_set()
    each.post(f"{V1}/{task_id}/pause")
    assert job(each, task_id).wanted == "stop"


@pytest.mark.parametrize("verb", ["stop", "pause"])
@pytest.mark.parametrize("state", list(State))
def test_stop_and_pause_where_no_process_is(one: TestClient, state: State, verb: str):
    task_id = make(one)["taskId"]
    set_row(one, task_id, status=state, live=0)
    may = state in ("QUEUED", "RUNNING")
    answer = one.post(f"{V1}/{task_id}/{verb}")
    assert answer.status_code == (200 if may else 409), answer.text
    end = "STOPPED" if verb == "stop" else "PAUSED"
    assert one.get(f"{V1}/{task_id}").json()["status"] == (end if may else state)


@pytest.mark.parametrize("state", list(State))
def test_delete(each: TestClient, state: State):
    task_id, other = make(each)["taskId"], make(each)["taskId"]
    for one in (task_id, other):
        each.put(f"{A}/{one}/progress", json={"currentEpoch": 1, "trainLoss": 0.5})
    set_row(each, task_id, status=state)
    may = state != "RUNNING"
    data(each.delete(f"{A}/{task_id}"), 200 if may else 409)
    data(each.get(f"{A}/{task_id}"), 404 if may else 200)
    data(each.delete(f"{A}/{task_id}"), 404 if may else 409)
    with each.app.state.context.database.read() as session:
        rows = session.scalars(select(History.task_id).order_by(History.id)).all()
        assert rows == ([other] if may else [task_id, other])
        assert session.scalar(select(func.count()).select_from(EvaluationRow)) == 0
        kept = session.execute(select(Task.del_flag).where(Task.task_id == task_id)).scalar()
        assert kept == int(may)
        assert (session.get(Job, task_id) is None) == may


def test_files_go_only_when_asked(one: TestClient):
    root = one.app.state.context.settings.output_root
    for ask, stays in (("", True), ("?files=true", False)):
        task_id = make(one)["taskId"]
        (root / task_id).mkdir(parents=True)
        (root / task_id / "log.txt").write_text("x")
        assert one.delete(f"{V1}/{task_id}{ask}").status_code == 204
        assert (root / task_id).exists() is stays


def test_edit_and_clone(each: TestClient):
    first = make(each, epochs=4)["taskId"]
    set_row(each, first, status="COMPLETED", best_accuracy=90.0, model_path="x", progress=100)
    edit: dict[str, Any] = {"name": "new 🙂", "remark": "r", "description": None}
    told = each.patch(f"{V1}/{first}", json=edit).json()
    assert (told["name"], told["remark"], told["status"]) == ("new 🙂", "r", "COMPLETED")
    assert each.patch(f"{V1}/{first}", json={"status": "PENDING"}).status_code == 422
    assert each.patch(f"{V1}/{first}", json={"name": None}).status_code == 422
    copied = each.post(f"{V1}/{first}/clone", json={"start": True})
    assert copied.status_code == 201, copied.text
    copy = copied.json()
    assert (copy["name"], copy["status"], copy["progress"]) == ("new 🙂", "QUEUED", 0)
    assert (copy["best_accuracy"], copy["model_path"]) == (None, None)
    assert copy["spec"]["task_id"] == copy["task_id"] != first
    assert copy["spec"]["run"]["output_dir"].endswith(copy["task_id"])
    assert each.get(f"{V1}/{copy['task_id']}/attempts").json() == []


def test_a_task_that_is_not_there(each: TestClient):
    """Every verb, each with every name."""
    verbs = [
        ("GET", ""), ("POST", "/start"), ("POST", "/stop"), ("POST", "/complete"),
        ("DELETE", ""), ("PUT", "/progress?currentEpoch=1"), ("PUT", "/error?errorMessage=x"),
        ("PUT", "/model-path?modelPath=x&modelUrl=x"),
    ]  # fmt: skip
    for method, path in verbs:
        for task_id in ("TASK_00000000", "x", "%00", "x" * 900, "%27%20OR%201=1"):
            answer = each.request(method, f"{A}/{task_id}{path}")
            assert answer.status_code == 404, (method, path, task_id, answer.text)
