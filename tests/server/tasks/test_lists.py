"""Lists: filters, orders, pages, cursors; long ones whole."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, text

from tandem.server.db.tables import Task
from tandem.server.tasks import queries, service
from tandem.spec.state import State
from tests.server.tasks.conftest import V1, A, data, make, set_row


def fill(client: TestClient, count: int) -> None:
    rows = [
        {"task_id": f"TASK_{n:08X}", "task_name": f"n{n}", "teacher_model": "t",
         "student_model": "s", "status": "STOPPED", "del_flag": 0, "loss": n % 7 or None}
        for n in range(count)
    ]  # fmt: skip
    with client.app.state.context.database.write() as session:
        session.execute(insert(Task), rows)


def ids(answer: object) -> list[str]:
    return [task["taskId"] for task in data(answer)]


def test_newest_first_filters_and_pages(each: TestClient):
    made = [make(each, taskName=f"名 {n}", description="100%_\\'")["taskId"] for n in range(5)]
    set_row(each, made[1], status="RUNNING")
    newest = made[::-1]
    assert ids(each.get(A)) == newest
    assert ids(each.get(f"{A}/recent?limit=2")) == newest[:2]
    assert ids(each.get(f"{A}/running")) == [made[1]]
    assert ids(each.get(f"{A}/status/RUNNING")) == [made[1]]
    assert len(ids(each.get(f"{A}?status=PENDING"))) == 4
    page = data(each.get(f"{A}?page=2&pageSize=2"))
    assert [one["taskId"] for one in page["items"]] == newest[2:4]
    assert (page["total"], page["page"], page["pageSize"]) == (5, 2, 2)
    assert ids(each.get(A, params={"orderBy": "taskName"})) == made
    assert ids(each.get(A, params={"orderBy": "taskName desc"})) == newest
    for keyword, found in (("名 3", [made[3]]), ("%_\\'", newest), ("%%", []), ("_", newest),
                           (made[2][5:].lower(), [made[2]]), ("' OR 1=1 --", [])):  # fmt: skip
        assert ids(each.get(A, params={"keyword": keyword})) == found, keyword
    data(each.delete(f"{A}/{made[0]}"))
    assert data(each.get(f"{A}?page=1"))["total"] == 4


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=x", "page=1&pageSize=0", "page=1&pageSize=1001", "status=DONE",
        "orderBy=x", "orderBy=taskName;drop", "orderBy=task_name", "keyword=%00",
        "orderBy=trainingConfig", f"keyword={'x' * 201}",
    ],
)  # fmt: skip
def test_what_cannot_be_asked(one: TestClient, query: str):
    assert data(one.get(f"{A}?{query}"), 422)[0]["problem"]
    data(one.get(f"{A}/status/DONE"), 422)


def test_a_cursor_walks_all_of_them_once(each: TestClient):
    fill(each, 25)
    seen: list[str] = []
    cursor = ""
    while True:
        answer = each.get(V1, params={"page_size": 10, **({"cursor": cursor} if cursor else {})})
        page = answer.json()
        seen += [task["task_id"] for task in page["items"]]
        assert page["total"] == 25
        cursor = page["next_cursor"]
        if cursor is None:
            break
        make(each)  # what is new comes before, and moves nothing
        set_row(each, seen[-1], status="FAILED")
        with each.app.state.context.database.write() as session:
            session.query(Task).filter(Task.teacher_model != "t").delete()
        from tandem.server.tasks import totals

        totals.changed(each.app.state.context.database)
    assert seen == [f"TASK_{n:08X}" for n in reversed(range(25))]
    worst = each.get(V1, params={"sort": "-loss", "page_size": 3}).json()["items"]
    assert [task["loss"] for task in worst] == [6, 6, 6]
    none = each.get(V1, params={"sort": "loss", "page": 3, "page_size": 10}).json()["items"]
    assert none[-1]["loss"] is None
    for query in ("cursor=x", "sort=x", "sort=-", "cursor=dDE&sort=loss"):
        assert each.get(f"{V1}?{query}").status_code == 422


def test_a_long_list_comes_whole(each: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "CHUNK", 10)
    for count in (0, 1, 10, 21):
        with each.app.state.context.database.write() as session:
            session.query(Task).delete()
        if count:
            fill(each, count)
        newest = [f"TASK_{n:08X}" for n in reversed(range(count))]
        assert ids(each.get(A)) == newest
        assert ids(each.get(A, params={"orderBy": "id"})) == newest[::-1]


def test_several_states_a_kind_and_an_owner(each: TestClient):
    made = [make(each)["taskId"] for _ in range(5)]
    set_row(each, made[0], status="RUNNING", create_by="ann")
    set_row(each, made[1], status="FAILED", task_type="detection", create_by="bo")
    set_row(each, made[3], status="QUEUED", create_by="ann")

    def found(**asked: str) -> list[str]:
        body = each.get(V1, params=asked).json()
        assert body["total"] == len(body["items"])
        return [task["task_id"] for task in body["items"]]

    assert found(status="RUNNING,QUEUED") == [made[3], made[0]]
    assert found(status="QUEUED, FAILED ,RUNNING", page="1") == [made[3], made[1], made[0]]
    assert found(status="RUNNING,FAILED", sort="task_id") == sorted([made[0], made[1]])
    assert found(status="FAILED") == [made[1]]
    assert found(kind="detection") == found(owner="bo") == [made[1]]
    assert found(owner="ann", status="RUNNING,FAILED") == [made[0]]
    shown = each.get(f"{V1}/{made[1]}").json()
    assert shown["created_by"] == "bo"
    first = each.get(f"{V1}?status=RUNNING,QUEUED,FAILED&page_size=2").json()
    assert [task["task_id"] for task in first["items"]] == [made[3], made[1]]
    rest = each.get(f"{V1}?status=RUNNING,QUEUED,FAILED&cursor={first['next_cursor']}").json()
    assert [task["task_id"] for task in rest["items"]] == [made[0]]
    wrong = each.get(f"{V1}?status=RUNNING,DONE")
    assert wrong.status_code == 422
    assert "QUEUED" in wrong.json()["errors"][0]["problem"]


def test_the_few_that_run_are_found_by_an_index(one: TestClient):
    database = one.app.state.context.database
    with database.read() as session:
        wanted = queries.TaskFilter(statuses=(State.RUNNING, State.QUEUED))
        keys = queries._keys(wanted, None, 20)
        asked = keys.compile(session.connection(), compile_kwargs={"literal_binds": True})
        plan = " | ".join(row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {asked}")))
    assert plan.count("idx_task_page_status (del_flag=? AND status=?)") == 2, plan
    assert "SCAN md_training_task" not in plan
