"""The service on each data base in turn, and a task as a client describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.db.database import Database
from tandem.server.settings import ServerSettings

A = "/model-distillation/tasks"
V1 = "/api/v1/tasks"


@pytest.fixture
def each(database: Database, settings_of: Callable[..., ServerSettings]) -> Iterator[TestClient]:
    """The service on each data base in turn, with nobody who dispatches."""
    url = database.url.render_as_string(hide_password=False)
    app = create_app(settings_of(url), FakeExecutor())
    yield TestClient(app, base_url="http://127.0.0.1")
    app.state.context.database.close()


@pytest.fixture
def one(sqlite: Database, settings_of: Callable[..., ServerSettings]) -> Iterator[TestClient]:
    """The service on SQLite, with nobody who dispatches."""
    url = sqlite.url.render_as_string(hide_password=False)
    app = create_app(settings_of(url), FakeExecutor())
    yield TestClient(app, base_url="http://127.0.0.1")
    app.state.context.database.close()


def body(**fields: Any) -> dict[str, Any]:
    return {
        "taskName": "测试 🙂",
        "teacherModel": "qwen2.5-vl-8b",
        "studentModel": "resnet/resnet50",
        "datasetId": "pictures",
        **fields,
    }


def make(client: TestClient, **fields: Any) -> dict[str, Any]:
    answer = client.post(A, json=body(**fields))
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


def data(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def set_row(client: TestClient, task_id: str, **columns: Any) -> None:
    """Put columns of the task's row, or of its job, as a dispatcher would."""
    from sqlalchemy import update

    from tandem.server.db.tables import Job, Task

    with client.app.state.context.database.write() as session:
        for name, value in columns.items():
            table = Task if hasattr(Task, name) else Job
            session.execute(update(table).where(table.task_id == task_id).values({name: value}))
