"""The service on each data base, and tasks in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.context import Context
from tandem.server.db.database import Database
from tandem.server.db.tables import Job, Task
from tandem.server.settings import ServerSettings


@pytest.fixture
def on_each(database: Database, settings_of: Callable[..., ServerSettings]) -> Iterator[TestClient]:
    """The service in this process, on each data base in turn."""
    url = database.url.render_as_string(hide_password=False)
    app = create_app(settings_of(url), FakeExecutor())
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def here(client: TestClient) -> Context:
    context: Context = client.app.state.context  # type: ignore[attr-defined]
    return context


def add(client: TestClient, task_id: str, job: dict[str, Any] | None = None, **row: Any) -> str:
    """A task as the rows say it; its run's folder is made."""
    context = here(client)
    run_dir = context.settings.output_root / task_id
    run_dir.mkdir(parents=True)
    columns = {"task_name": task_id, "teacher_model": "vit", "student_model": "resnet18"}
    with context.database.write() as session:
        session.add(Task(task_id=task_id, **({"status": "PENDING"} | columns | row)))
        session.add(Job(task_id=task_id, run_dir=str(run_dir), **(job or {})))
    return task_id
