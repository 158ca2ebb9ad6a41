"""Lists and details with 100,000 tasks and 1,000,000 rows of history, beside the health route.

On each data base, with the real `tandem serve`. The requests take turns over one connection, so
that a machine that is busy for a while slows all of them alike.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import insert, text

from benchmarks.row import Row
from benchmarks.service_start import serving
from benchmarks.services import KINDS, database_of
from tandem.server.db.database import Database
from tandem.server.db.tables import History, Job, Task

TASKS, EPOCHS = 100_000, 10
ROUNDS = 200
CHUNK = 5_000
STATES = ("COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "STOPPED", "PENDING")
MIDDLE = f"TASK_{TASKS // 2:08X}"
HEALTH = "/actuator/health"
ROUTES = {
    "task list page": "/model-distillation/tasks?page=1&pageSize=20",
    "task list page by status": "/model-distillation/tasks?page=1&pageSize=20&status=FAILED",
    "task detail": f"/model-distillation/tasks/{MIDDLE}",
    "history of a task": f"/model-distillation/tasks/{MIDDLE}/history",
    "v1 list page": "/api/v1/tasks",
    "v1 detail": f"/api/v1/tasks/{MIDDLE}",
}
SHOWN = {
    "page 2,500": "/model-distillation/tasks?page=2500&pageSize=20",
    "keyword": "/model-distillation/tasks?page=1&pageSize=20&keyword=net-9999",
    "keyword of two ideographs": "/model-distillation/tasks?page=1&pageSize=20&keyword=检测",
    "keyword that nothing has": "/model-distillation/tasks?page=1&pageSize=20&keyword=nowhere",
    "keyword that all have": "/model-distillation/tasks?page=1&pageSize=20&keyword=net-",
}
KEYWORD_SECONDS = 0.05
MOST = dict.fromkeys(list(SHOWN)[1:], "≤ 50 ms")


def measure() -> list[Row]:
    rows: list[Row] = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
            home = Path(folder)
            with database_of(kind, home) as database:
                if database is None:
                    rows.append(Row(f"lists of 100,000 tasks: {kind}", "not here"))
                    continue
                fill(database)
                url = database.url.render_as_string(hide_password=False)
                with serving(home, url.replace("+pymysql", "").replace("+psycopg", "")) as served:
                    rows += _rows(kind, served[0])
    return rows


def _rows(kind: str, http: httpx.Client) -> list[Row]:
    seconds: dict[str, list[float]] = {name: [] for name in (HEALTH, *ROUTES, *SHOWN)}
    for number in range(ROUNDS + 10):
        for name, path in {HEALTH: HEALTH, **ROUTES}.items():
            took = _timed(http, path)
            if number >= 10:
                seconds[name].append(took)
        if number % 2:  # a p95 of twenty requests would be the slowest of them
            for name, path in SHOWN.items():
                seconds[name].append(_timed(http, path))
    base = _p95(seconds[HEALTH])
    made = []
    for name in (*ROUTES, *SHOWN):
        p95 = _p95(seconds[name])
        ratio = p95 / base
        must = "≤ 5 × health" if name in ROUTES else MOST.get(name, "shown")
        within = ratio <= 5 if name in ROUTES else p95 <= KEYWORD_SECONDS if name in MOST else None
        made.append(
            Row(
                f"{kind}: {name}, 100,000 tasks, p95 over the health route's",
                f"{ratio:.1f} ({1000 * _p95(seconds[name]):.1f} ms over {1000 * base:.1f} ms)",
                must,
                within,
                f"{len(seconds[name])} requests in turn, one connection; median "
                f"{1000 * statistics.median(seconds[name]):.1f} ms",
            )
        )
    return made


def _timed(http: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    http.get(path).raise_for_status()
    return time.perf_counter() - began


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def fill(database: Database) -> None:
    """In bulk, then the statistics a data base in use would have."""
    start = datetime(2026, 1, 1)  # noqa: DTZ001  the tables keep UTC without a zone
    for first in range(0, TASKS, CHUNK):
        numbers = range(first, first + CHUNK)
        tasks = [
            {
                "task_id": f"TASK_{n:08X}", "task_name": f"net-{n}", "teacher_model": "qwen2.5-vl",
                "student_model": "resnet50", "status": STATES[n % len(STATES)], "del_flag": 0,
                "accuracy": n % 100, "create_time": start + timedelta(seconds=n),
                "training_config": '{"optimizer": "adamw"}',
                "description": "检测任务" if n % 1000 == 0 else None,
            }
            for n in numbers
        ]  # fmt: skip
        jobs = [{"task_id": f"TASK_{n:08X}"} for n in numbers]
        history = [
            {"task_id": f"TASK_{n:08X}", "epoch": epoch, "train_loss": 1 / epoch}
            for n in numbers
            for epoch in range(1, EPOCHS + 1)
        ]
        with database.write() as session:
            session.execute(insert(Task), tasks)
            session.execute(insert(Job), jobs)
            session.execute(insert(History), history)
    analyse = "ANALYZE TABLE md_training_task, md_training_history, md_task_job, md_search_gram"
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if database.dialect == "postgresql":
            connection.execute(text("VACUUM ANALYZE"))
        else:
            connection.execute(text("ANALYZE" if database.dialect == "sqlite" else analyse))
