"""What a data base refuses or leaves unfinished becomes an answer that says so."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError, OperationalError

from tandem.server.db.database import Database
from tandem.server.db.tables import History, Lease, Task
from tandem.server.events import stream
from tandem.server.events.channel import StreamPosition
from tandem.server.http.boundary import failure
from tandem.server.tasks import apply, service
from tests.server.tasks.conftest import A, make


def refused(database: Database, row: dict[str, object]) -> DBAPIError:
    def write() -> None:
        with database.write() as session:
            session.execute(insert(Lease), [{"name": "a", "owner": "me", "beat": 0}])
            session.execute(insert(Lease), [row])

    with pytest.raises(DBAPIError) as caught:
        write()
    return caught.value


@pytest.mark.parametrize(
    ("row", "status"),
    [({"name": "a", "owner": "you", "beat": 0}, 409), ({"name": "b", "beat": 0}, 422)],
)
@pytest.mark.parametrize("path", ["/model-distillation/x", "/api/training/x", "/api/v1/x"])
def test_what_a_key_or_an_empty_column_refuses(
    database: Database, row: dict[str, object], status: int, path: str
):
    answer = failure(path, refused(database, row))
    assert answer.status_code == status
    said = bytes(answer.body).decode()
    assert "md_lease" not in said
    assert "INSERT" not in said


def test_an_epoch_that_no_column_holds_is_left_out_and_the_others_stay(database: Database):
    with database.write() as session:
        session.add(Task(task_id="T", task_name="n", teacher_model="t", student_model="s",
                         del_flag=0))  # fmt: skip
        session.flush()
        rows = [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2**40, "train_loss": 0.4}]
        assert apply.histories(session, "T", rows) == ["epoch"]
        assert session.scalars(select(History.epoch)).all() == [1]


def test_an_epoch_that_an_installed_system_wrote_twice_is_replaced(database: Database):
    with database.write() as session:
        session.add(Task(task_id="T", task_name="n", teacher_model="t", student_model="s",
                         del_flag=0))  # fmt: skip
        rows = [{"task_id": "T", "epoch": 1, "train_loss": loss} for loss in (1.0, 2.0)]
        session.execute(insert(History), rows)
        session.flush()
        apply.histories(session, "T", [{"epoch": 1, "train_loss": 0.25}])
        assert session.scalars(select(History.train_loss)).all() == [0.25, 0.25]


def away() -> OperationalError:
    return OperationalError("SELECT", {}, Exception("server closed the connection"))


def test_a_list_that_breaks_off_says_so(client: TestClient, monkeypatch, caplog):
    made = [make(client)["taskId"] for _ in range(6)]
    monkeypatch.setattr(service, "CHUNK", 2)
    asked = service.queries.after
    calls: list[int] = []

    def after(*given: object, **more: object) -> object:
        calls.append(1)
        if len(calls) > 2:
            raise away()
        return asked(*given, **more)

    whole = client.get(A).json()
    assert [one["taskId"] for one in whole["data"]] == made[::-1]
    assert (whole["code"], whole["message"]) == (200, "success")
    monkeypatch.setattr(service.queries, "after", after)
    broken = client.get(A).json()
    assert broken["code"] == 503
    assert "went away" in broken["message"]
    assert len(broken["data"]) == 4
    assert "already started" not in caplog.text


@pytest.mark.anyio
async def test_a_stream_of_events_ends_with_a_word(client: TestClient, monkeypatch):
    class Gone:
        def __init__(self, *_: object) -> None:
            pass

        async def next(self) -> tuple[bytes, bool]:
            raise away()

    monkeypatch.setattr(stream, "Listener", Gone)
    context = client.app.state.context
    found = [one async for one in stream.frames(context, None, StreamPosition(), None)]
    kind, data, _ = found[-1].decode().split("\n", 2)
    assert kind == "event: error"
    assert json.loads(data.removeprefix("data: "))["status"] == 503
