"""Batches and curves over HTTP."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tandem.server.db.database import Database
from tests.server.events.rows import job, line, task

TASK = "TASK_00000001"
EVENTS = f"/api/v1/tasks/{TASK}/events"
CURVES = f"/api/v1/tasks/{TASK}/curves"


def test_lines_and_arrays_are_taken_and_drawn(client: TestClient, sqlite: Database):
    task(sqlite, status="PENDING", run_dir=None)
    with sqlite.write() as session:
        session.delete(job(session))
    lines = [line(1, "started"), line(2, "metric"), line(3, "epoch", train_loss=float("nan"))]
    first = client.post(EVENTS, content=b"".join(lines[:2]))
    assert (first.status_code, first.json()) == (200, {"accepted": 2, "last_seq": 2})
    array = b"[" + b",".join(lines) + b"]"
    assert client.post(EVENTS, content=array).json() == {"accepted": 1, "last_seq": 3}
    gap = client.post(EVENTS, content=line(7, "notice"))
    assert gap.status_code == 409
    assert gap.headers["content-type"] == "application/problem+json"
    assert gap.json()["expected_seq"] == 4
    found = client.get(CURVES, params={"names": "loss,train_loss"}).json()
    assert {(one["name"], one["kind"]): one["y"] for one in found["series"]} == {
        ("loss", "step"): [0.5],
        ("train_loss", "epoch"): [None],
    }
    assert found["last_event_id"] == "3-0"
    # The page of a task listens from where the task itself was told.
    assert client.get(f"/api/v1/tasks/{TASK}").json()["last_event_id"] == "3-0"


def test_a_live_run_takes_no_batches(client: TestClient, sqlite: Database):
    task(sqlite, live=1)
    assert client.post(EVENTS, content=line(1, "started")).status_code == 409


def test_faults_of_a_batch_are_named(client: TestClient, sqlite: Database):
    task(sqlite)
    other = client.post(EVENTS, content=line(1, "started", "TASK_00000002"))
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "0.task_id"
    assert client.post(EVENTS, content=b"{").status_code == 422
    assert client.post(EVENTS, content=b"x" * (9 * 2**20)).status_code == 413
    unknown = EVENTS.replace(TASK, "TASK_FFFFFFFF")
    assert client.post(unknown, content=b"{").status_code == 404


@pytest.mark.parametrize(
    "asked", ["points=0", "points=1000000", "x=moon", "from=NaN", "to=inf", "points=many"]
)
def test_faults_of_a_question_for_curves(client: TestClient, sqlite: Database, asked: str):
    task(sqlite)
    assert client.get(f"{CURVES}?{asked}").status_code == 422


def test_an_unknown_task_has_no_curves(client: TestClient):
    assert client.get(CURVES).status_code == 404
