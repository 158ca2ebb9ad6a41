"""The curves of a run with 1,000,000 points, down-sampled to 1,000, over HTTP.

Once with the index that a live run keeps, once with the last part of the journal not in it yet.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import httpx
from sqlalchemy import update

from benchmarks.row import Row
from benchmarks.services import add_tasks, database_of, server_of
from tandem.server.db.tables import Job
from tandem.server.events.curve_index import CHUNK_BYTES, CurveIndex
from tandem.spec import journal

POINTS, SHOWN, TIMES = 1_000_000, 1_000, 9
LINE = (
    '{{"seq":{n},"at":"2026-03-01T12:00:00.{us:06d}Z","task_id":"{task}","attempt":1,'
    '"type":"metric","epoch":1,"step":{n},"total_steps":1000000,"values":{{"loss":{loss:.6f}}},'
    '"images_per_second":null}}\n'
)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        with database_of("sqlite", folder) as database:
            if database is None:
                raise RuntimeError("there is no SQLite")
            (task,) = add_tasks(database, folder / "runs", 1, live=False)
            run = folder / "runs" / task
            _write(run / journal.NAME, task, 1, POINTS)
            with database.write() as session:
                session.execute(update(Job).values(last_seq=POINTS))
            index = CurveIndex(folder / "home", task)
            began = time.perf_counter()
            with index.lock:
                index.catch_up(run)
            cold = time.perf_counter() - began
            with server_of(database, folder / "home") as (port, _):
                warm = [_ask(port, task) for _ in range(TIMES + 1)][1:]
                late = [_late(port, task, run, turn) for turn in range(3)]
    seconds, later = statistics.median(warm), statistics.median(late)
    return [
        Row(
            "curves of a run with 1,000,000 points, down-sampled to 1,000",
            f"{1000 * seconds:.0f} ms",
            "≤ 200 ms",
            seconds <= 0.2,
            f"a whole request, median of {TIMES}; {1000 * later:.0f} ms when {CHUNK_BYTES // 1024} "
            f"KB of the journal are not in the index yet, the most that a live run leaves; all of "
            f"the journal takes {cold:.1f} s once, when nobody read it while it was written",
        )
    ]


def _late(port: int, task: str, run: Path, turn: int) -> float:
    count = CHUNK_BYTES // len(LINE.format(n=POINTS, us=0, task=task, loss=0.5))
    _write(run / journal.NAME, task, POINTS + 1 + turn * count, count)
    return _ask(port, task)


def _ask(port: int, task: str) -> float:
    began = time.perf_counter()
    asked = {"points": str(SHOWN), "names": "loss"}
    answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/tasks/{task}/curves", params=asked)
    seconds = time.perf_counter() - began
    (series,) = answer.raise_for_status().json()["series"]
    if series["total"] < POINTS or not SHOWN // 2 < len(series["y"]) <= SHOWN:
        raise RuntimeError(f"{len(series['y'])} of {series['total']} points came")
    return seconds


def _write(path: Path, task: str, first: int, count: int) -> None:
    with path.open("a") as file:
        for n in range(first, first + count):
            file.write(LINE.format(n=n, us=n % 1_000_000, task=task, loss=(n * 7919 % 1000) / 1000))
