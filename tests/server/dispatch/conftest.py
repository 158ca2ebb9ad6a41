"""A dispatcher whose rounds and clocks the test turns, with an executor that starts no process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tandem.executors.fake import FakeExecutor
from tandem.server.context import Context
from tandem.server.db.database import Database
from tandem.server.db.tables import Attempt, Job, Task, TaskEvent
from tandem.server.dispatch.dispatcher import Dispatcher
from tandem.server.events.hub import Hub
from tandem.server.host.clock import now
from tandem.server.settings import ServerSettings
from tandem.spec.run import RunSpec
from tests.server.events.rows import line

SPEC = {"mode": "direct", "data": {"dataset": "pictures"}, "student": {"size": "resnet18"}}


class House:
    """One service without routes; `again()` is the next one on the same data base."""

    def __init__(self, settings: ServerSettings, database: Database, executor: Any) -> None:
        self.settings, self.database, self.executor = settings, database, executor
        self.seconds = 0.0
        self.context = Context(settings, database, executor, Hub())
        self.dispatcher = Dispatcher(self.context, clock=lambda: self.seconds)

    def again(self) -> House:
        """After a kill: nothing but the rows and the processes is left. The lease runs out."""
        with self.database.write() as session:
            from tandem.server.db.tables import Lease

            session.execute(update(Lease).values(owner=""))
        return House(self.settings, self.database, self.executor)

    def tick(self, seconds: float = 1.1) -> None:
        self.seconds += seconds
        self.dispatcher.tick()

    def queue(self, name: str = "TASK_1", *, devices: Any = "cpu", **job: Any) -> str:
        run_dir = self.settings.home / "runs" / name
        spec = RunSpec.model_validate(
            {**SPEC, "task_id": name, "run": {"output_dir": str(run_dir), "devices": devices}}
        )
        with self.database.write() as session:
            row = Task(task_id=name, task_name="t", teacher_model="q", student_model="s")
            row.status, row.create_time, row.create_by = "QUEUED", now(), job.pop("owner", None)
            session.add(row)
            given = {"spec": spec.model_dump_json(), "run_dir": str(run_dir), "position": 1, **job}
            session.add(Job(task_id=name, **given))
        return name

    def says(self, *events: tuple[str, dict[str, Any]], name: str = "TASK_1") -> None:
        """The run writes its journal on."""
        file = self.settings.home / "runs" / name / "events.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        seq = len(file.read_bytes().splitlines()) if file.exists() else 0
        with file.open("ab") as stream:
            for kind, fields in events:
                seq += 1
                stream.write(line(seq, kind, name, **fields))

    def stderr(self, text: str, name: str = "TASK_1") -> None:
        folder = self.settings.home / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stderr.txt").write_text(text)

    def wish(self, wanted: str, name: str = "TASK_1") -> None:
        with self.database.write() as session:
            session.execute(update(Job).where(Job.task_id == name).values(wanted=wanted))

    def task(self, name: str = "TASK_1") -> Task:
        with self.database.read() as session:
            return session.scalars(select(Task).where(Task.task_id == name)).one()

    def job(self, name: str = "TASK_1") -> Job:
        with self.database.read() as session:
            return session.scalars(select(Job).where(Job.task_id == name)).one()

    def attempts(self, name: str = "TASK_1") -> list[Attempt]:
        with self.database.read() as session:
            wanted = select(Attempt).where(Attempt.task_id == name).order_by(Attempt.attempt)
            return list(session.scalars(wanted))

    def told(self, name: str = "TASK_1") -> list[str]:
        with self.database.read() as session:
            wanted = select(TaskEvent).where(TaskEvent.task_id == name).order_by(TaskEvent.id)
            return [f"{one.type} {one.body}" for one in session.scalars(wanted)]


@pytest.fixture
def house(sqlite: Database, settings_of: Callable[..., ServerSettings], home: Path) -> House:
    url = sqlite.url.render_as_string(hide_password=False)
    return House(settings_of(url, TANDEM_CPU_SLOTS="1"), sqlite, FakeExecutor())
