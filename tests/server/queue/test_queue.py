"""The queue is shown in its order, and put into another one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fastapi.testclient import TestClient

from tests.server.rows import add

QUEUE = "/api/v1/queue"


def _order(client: TestClient) -> list[str]:
    return [one["task_id"] for one in client.get(QUEUE).json()["waiting"]]


def _fill(client: TestClient, *priorities: int) -> None:
    for position, priority in enumerate(priorities, 1):
        job = {"priority": priority, "position": position}
        add(client, f"T{position}", job, status="QUEUED")


def test_a_task_goes_where_it_is_put(on_each: TestClient) -> None:
    _fill(on_each, 0, 0, 5, 0)
    add(on_each, "RUNS", {"devices": '["gpu:0"]'}, status="RUNNING")
    assert _order(on_each) == ["T3", "T1", "T2", "T4"]
    assert on_each.get(QUEUE).json()["running"][0]["devices"] == ["gpu:0"]
    for task_id, to, order in (
        ("T4", 2, ["T3", "T4", "T1", "T2"]),
        ("T3", 4, ["T4", "T1", "T2", "T3"]),
        ("T2", 1, ["T2", "T4", "T1", "T3"]),
        ("T2", 99, ["T4", "T1", "T3", "T2"]),
    ):
        assert on_each.post(f"{QUEUE}/{task_id}/move", json={"to": to}).status_code == 200
        assert _order(on_each) == order
    assert on_each.post(f"{QUEUE}/T3/move", json={"priority": 1}).status_code == 200
    assert _order(on_each) == ["T3", "T4", "T1", "T2"]
    assert on_each.post(f"{QUEUE}/RUNS/move", json={"to": 1}).status_code == 409
    assert on_each.post(f"{QUEUE}/NONE/move", json={"to": 1}).status_code == 404
    for body in ({}, {"to": 0}, {"to": 1, "priority": 1}, {"too": 1}):
        assert on_each.post(f"{QUEUE}/T1/move", json=body).status_code == 422


def test_movers_at_the_same_time_lose_no_task_and_no_place(on_each: TestClient) -> None:
    _fill(on_each, *[0] * 6)
    moves = [(f"T{1 + turn % 6}", 1 + (turn * 5) % 6) for turn in range(24)]
    with ThreadPoolExecutor(4) as pool:
        codes = list(
            pool.map(
                lambda one: on_each.post(f"{QUEUE}/{one[0]}/move", json={"to": one[1]}).status_code,
                moves,
            )
        )
    assert set(codes) == {200}
    assert sorted(_order(on_each)) == [f"T{turn}" for turn in range(1, 7)]
    on_each.post(f"{QUEUE}/T6/move", json={"to": 1})
    assert _order(on_each)[0] == "T6"
