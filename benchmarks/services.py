"""Data bases, tasks and a server for the benchmarks of the service.

`python -m benchmarks.services URL HOME PORT` serves, and reads the journals of live runs every
tenth of a second, as the dispatcher does.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import OperationalError

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.context import Context
from tandem.server.db.database import Database
from tandem.server.db.tables import Job, Task
from tandem.server.db.upgrade import upgrade
from tandem.server.events.collect import collect
from tandem.server.events.hub import Hub
from tandem.server.host.clock import now
from tandem.server.settings import read

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
        upgrade(database)
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
        upgrade(database)
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


def add_tasks(
    database: Database, folder: Path, count: int, *, live: bool, first: int = 0
) -> list[str]:
    """Running tasks with an empty run folder each."""
    names = [f"TASK_{number:08X}" for number in range(first, first + count)]
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


@contextmanager
def server_of(database: Database, home: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The service in a process of its own: its port, and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "benchmarks.services", url, str(home), str(port)]
    started = subprocess.Popen(command)
    try:
        until = time.monotonic() + 30
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if time.monotonic() > until or started.poll() is not None:
                raise RuntimeError("the server does not come up")
            time.sleep(0.05)
        yield port, psutil.Process(started.pid)
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _serve(url: str, home: str, port: str) -> None:
    import uvicorn

    from tandem.server.events.ending import EndingServer

    app = create_app(read({"TANDEM_HOME": home, "TANDEM_DATABASE_URL": url}), FakeExecutor())
    context: Context = app.state.context
    threading.Thread(target=_collect, args=(context,), daemon=True).start()
    config = uvicorn.Config(app, port=int(port), log_level="warning", lifespan="off")
    EndingServer(config, context.hub).run()


def _collect(context: Context) -> None:
    while True:
        with context.database.read() as session:
            jobs = list(session.scalars(select(Job).where(Job.live == 1)))
            session.expunge_all()
        collect(context, jobs)
        time.sleep(0.1)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
