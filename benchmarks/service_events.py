"""Events absorbed per second from 32 runs at once, on each data base, and how they get there.

A run speaks as the trainer does: `started`, 20 steps to an epoch, an `epoch`, a `checkpoint`. Once
the runs' journals are read as the dispatcher reads them, once 32 clients post batches of 50.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from benchmarks.row import Row
from benchmarks.services import KINDS, add_tasks, context_of, database_of, server_of
from tandem.server.context import Context
from tandem.server.db.database import Database
from tandem.server.db.tables import History, Job
from tandem.server.events.collect import collect
from tandem.spec.event import EVENT, Event

RUNS, EPOCHS, STEPS, BATCH = 32, 10, 20, 50
MUST = 1000.0


def measure() -> list[Row]:
    return [
        _row(kind, way, run)
        for kind in KINDS
        for way, run in (("journals", _journals), ("POST", _posts))
    ]


def _row(kind: str, way: str, run: Callable[[Context, list[str]], float]) -> Row:
    claim = f"events absorbed from {RUNS} runs at once, {way}, {kind}"
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        with database_of(kind, folder) as database:
            if database is None:
                return Row(claim, "no such server here", f"≥ {MUST:.0f}/s")
            context = context_of(database, folder / "home")
            tasks = add_tasks(database, folder / "runs", RUNS, live=way == "journals")
            seconds = run(context, tasks)
            count = _check(database)
    rate = count / seconds
    return Row(
        claim,
        f"{rate:,.0f}/s",
        f"≥ {MUST:,.0f}/s",
        rate >= MUST,
        f"{count:,} events with {RUNS * EPOCHS} epochs in {seconds:.1f} s",
    )


def events(task_id: str, epochs: int = EPOCHS) -> list[Event]:
    """What a run says."""
    said: list[dict[str, Any]] = [
        {"type": "started", "total_epochs": epochs, "device": "cpu", "processes": 1, "pid": 1}
    ]
    for epoch in range(1, epochs + 1):
        for step in range((epoch - 1) * STEPS + 1, epoch * STEPS + 1):
            values = {"loss": 1 / step, "loss/hard": 0.5 / step, "loss/kl_div": 0.5 / step}
            total = epochs * STEPS
            more = {"values": values | {"learning_rate": 0.001}, "images_per_second": 99.0}
            said.append(
                {"type": "metric", "epoch": epoch, "step": step, "total_steps": total} | more
            )
        terms = {"hard": 0.5, "kl_div": 0.5}
        speed = {"learning_rate": 0.001, "seconds": 2.0, "images_per_second": 99.0}
        known = {"train_loss": 1 / epoch, "terms": terms, "val_accuracy": 0.5} | speed
        said.append({"type": "epoch", "epoch": epoch, "total_epochs": epochs} | known)
        path = f"runs/{task_id}/checkpoints/{epoch}"
        said.append({"type": "checkpoint", "path": path, "epoch": epoch, "step": epoch * STEPS})
    shared = {"at": datetime.now(UTC), "task_id": task_id, "attempt": 1}
    return [EVENT.validate_python(one | shared | {"seq": n}) for n, one in enumerate(said, 1)]


def _journals(context: Context, tasks: list[str]) -> float:
    """The journals grow in steps of 50 lines; each step is one tick of the dispatcher."""
    lines = {task: [one.model_dump_json() + "\n" for one in events(task)] for task in tasks}
    with context.database.read() as session:
        jobs = list(session.scalars(select(Job)))
        session.expunge_all()
    seconds = 0.0
    for first in range(0, len(lines[tasks[0]]), BATCH):
        for job in jobs:
            with (Path(job.run_dir or "") / "events.jsonl").open("a") as file:
                file.writelines(lines[job.task_id][first : first + BATCH])
        began = time.perf_counter()
        while collect(context, jobs):
            pass
        seconds += time.perf_counter() - began
    return seconds


def _posts(context: Context, tasks: list[str]) -> float:
    """Over HTTP, to a server in a process of its own."""
    said = {task: events(task) for task in tasks}
    with server_of(context.database, context.settings.home) as (port, _):

        def one(task: str) -> None:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                for first in range(0, len(said[task]), BATCH):
                    part = said[task][first : first + BATCH]
                    body = b"\n".join(event.model_dump_json().encode() for event in part)
                    answer = client.post(f"/api/v1/tasks/{task}/events", content=body)
                    answer.raise_for_status()

        began = time.perf_counter()
        with ThreadPoolExecutor(RUNS) as pool:
            list(pool.map(one, tasks))
        return time.perf_counter() - began


def _check(database: Database) -> int:
    with database.read() as session:
        epochs = session.scalar(select(func.count()).select_from(History))
        total = session.scalar(select(func.sum(Job.last_seq))) or 0
    if epochs != RUNS * EPOCHS or int(total) != RUNS * (1 + EPOCHS * (STEPS + 2)):
        raise RuntimeError(f"{epochs} epochs and {total} events arrived")
    return int(total)
