"""Tasks in the data base of a service under test."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

from tandem.server.context import Context
from tandem.server.db.tables import Job, Task


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
