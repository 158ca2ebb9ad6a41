"""Tasks and events for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tandem.server.db.database import Database
from tandem.server.db.tables import EvaluationRow, History, Job, Task, TaskEvent
from tandem.server.host.clock import now
from tandem.spec.event import EVENT, Event

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DEFAULTS: dict[str, dict[str, Any]] = {
    "started": {"total_epochs": 4, "device": "cpu", "processes": 1, "pid": 1},
    "metric": {"epoch": 1, "step": 1, "total_steps": 8, "values": {"loss": 0.5}},
    "epoch": {
        "epoch": 1,
        "total_epochs": 4,
        "train_loss": 0.5,
        "terms": {"hard": 0.2, "kl_div": 0.3},
        "learning_rate": 0.001,
        "seconds": 2.0,
        "images_per_second": 10.0,
    },
    "evaluation": {"who": "student", "dataset": "数据", "samples": 9, "metrics": {"f1": 0.5}},
    "checkpoint": {"path": "runs/a/checkpoints/1", "epoch": 1, "step": 2},
    "artifact": {"name": "final_model", "path": "runs/a/final_model", "size_bytes": 5},
    "heartbeat": {"doing": "reading", "done": 1, "total": 2},
    "notice": {"message": "hello 🙂"},
    "finished": {"seconds": 9.0, "metrics": {}},
    "failed": {"failure_class": "data", "message": "no pictures"},
    "stopped": {"epoch": 1, "step": 2, "checkpoint": None},
}


def task(database: Database, task_id: str = "TASK_00000001", **columns: Any) -> str:
    """A task in the data base, with its job."""
    job = {name: columns.pop(name) for name in list(columns) if name in Job.__table__.columns}
    with database.write() as session:
        row: dict[str, Any] = {"status": "RUNNING", "total_epochs": 4, "create_time": now()}
        given = {"task_name": "t", "teacher_model": "q", "student_model": "s"} | row | columns
        session.add(Task(task_id=task_id, **given))
        session.add(Job(task_id=task_id, **job))
    return task_id


def event(seq: int, type: str, task_id: str = "TASK_00000001", **fields: Any) -> Event:
    body = {"seq": seq, "at": AT, "task_id": task_id, "attempt": 1} | DEFAULTS[type]
    return EVENT.validate_python({"type": type} | body | fields)


def line(seq: int, type: str, task_id: str = "TASK_00000001", **fields: Any) -> bytes:
    return event(seq, type, task_id, **fields).model_dump_json().encode() + b"\n"


def row(session: Session, task_id: str = "TASK_00000001") -> Task:
    return session.scalars(select(Task).where(Task.task_id == task_id)).one()


def job(session: Session, task_id: str = "TASK_00000001") -> Job:
    return session.scalars(select(Job).where(Job.task_id == task_id)).one()


def epochs(session: Session, task_id: str = "TASK_00000001") -> list[History]:
    wanted = select(History).where(History.task_id == task_id).order_by(History.epoch)
    return list(session.scalars(wanted))


def evaluations(session: Session, task_id: str = "TASK_00000001") -> list[EvaluationRow]:
    return list(session.scalars(select(EvaluationRow).where(EvaluationRow.task_id == task_id)))


def told(session: Session, task_id: str = "TASK_00000001") -> list[str]:
    wanted = select(TaskEvent).where(TaskEvent.task_id == task_id).order_by(TaskEvent.id)
    return [f"{one.type} {one.body}" for one in session.scalars(wanted)]
