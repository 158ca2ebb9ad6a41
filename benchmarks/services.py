"""Data bases, tasks and events for the benchmarks of the service."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import create_engine, insert, text
from sqlalchemy.exc import OperationalError

from tandem.executors.fake import FakeExecutor
from tandem.server.clock import now
from tandem.server.context import Context
from tandem.server.database import Database
from tandem.server.events.hub import Hub
from tandem.server.settings import read
from tandem.server.tables import Job, Table, Task

KINDS = ("sqlite", "mariadb", "postgresql")
ADMIN = {
    "mariadb": ("TANDEM_BENCH_MYSQL", "mysql+pymysql://root@127.0.0.1/test"),
    "postgresql": ("TANDEM_BENCH_POSTGRESQL", "postgresql+psycopg://root@127.0.0.1/postgres"),
}


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[Database | None]:
    """An empty data base with the tables; None where there is no such server."""
    if kind == "sqlite":
        database = Database(f"sqlite:///{folder / 'bench.db'}")
        Table.metadata.create_all(database.engine)
        yield database
        database.close()
        return
    variable, otherwise = ADMIN[kind]
    admin = create_engine(os.environ.get(variable, otherwise), isolation_level="AUTOCOMMIT")
    name = f"tandem_bench_{uuid.uuid4().hex[:8]}"
    try:
        with admin.connect() as connection:
            charset = " CHARACTER SET utf8mb4" if kind == "mariadb" else ""
            connection.execute(text(f"CREATE DATABASE {name}{charset}"))
    except OperationalError:
        yield None
        return
    plain = admin.url.set(drivername=admin.url.get_backend_name(), database=name)
    database = Database(plain.render_as_string(hide_password=False))
    try:
        Table.metadata.create_all(database.engine)
        yield database
    finally:
        database.close()
        with admin.connect() as connection, suppress(OperationalError):
            connection.execute(text(f"DROP DATABASE {name}"))
        admin.dispose()


def context_of(database: Database, folder: Path) -> Context:
    """The service's parts over it, without a server."""
    url = database.url.render_as_string(hide_password=False)
    env = {"TANDEM_HOME": str(folder), "TANDEM_DATABASE_URL": url}
    return Context(settings=read(env), database=database, executor=FakeExecutor(), hub=Hub())


def add_tasks(database: Database, folder: Path, count: int, *, live: bool) -> list[str]:
    """Running tasks with an empty run folder each."""
    names = [f"TASK_{number:08X}" for number in range(count)]
    for name in names:
        (folder / name).mkdir(parents=True)
    shared = {"task_name": "bench", "teacher_model": "q", "student_model": "s"}
    shared |= {"status": "RUNNING"}
    rows = [shared | {"task_id": name, "create_time": now()} for name in names]
    jobs = [{"task_id": n, "run_dir": str(folder / n), "live": int(live)} for n in names]
    with database.write() as session:
        session.execute(insert(Task), rows)
        session.execute(insert(Job), jobs)
    return names
