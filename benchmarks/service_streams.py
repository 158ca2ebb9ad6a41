"""200 open event streams: what they add to the server's memory, and how late an event arrives.

Eight runs write a line every 50 ms each, with the time in it; 25 clients listen to each.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.row import Row
from benchmarks.services import add_tasks, database_of, server_of
from tandem.spec.event import EVENT

STREAMS, RUNS, SECONDS, EVERY_SECONDS = 200, 8, 6.0, 0.05


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        with database_of("sqlite", folder) as database:
            if database is None:
                raise RuntimeError("there is no SQLite")
            tasks = add_tasks(database, folder / "runs", RUNS, live=True)
            with server_of(database, folder / "home") as (port, server):
                before, during, delays = asyncio.run(_listen(port, server, folder, tasks))
    added = (during - before) / 2**20
    ranked = sorted(delays)
    p95 = 1000 * ranked[int(0.95 * len(ranked))]
    return [
        Row(
            f"{STREAMS} open event streams: added memory",
            f"{added:.0f} MB",
            "≤ 100 MB",
            added <= 100,
            f"resident memory of the server's process, {before / 2**20:.0f} MB before",
        ),
        Row(
            f"{STREAMS} open event streams: delay of an event, p95",
            f"{p95:.0f} ms",
            "≤ 250 ms",
            p95 <= 250,
            f"from the line in the journal to the client; median "
            f"{1000 * statistics.median(ranked):.0f} ms, most {1000 * ranked[-1]:.0f} ms of "
            f"{len(ranked):,} arrivals; {RUNS} runs with a line every "
            f"{1000 * EVERY_SECONDS:.0f} ms each; journals read every 100 ms",
        ),
    ]


async def _listen(
    port: int, server: psutil.Process, folder: Path, tasks: list[str]
) -> tuple[int, int, list[float]]:
    await _warm_up(port, tasks[0])
    before: int = server.memory_info().rss
    delays: list[float] = []
    ready = asyncio.Semaphore(0)
    streams = [
        asyncio.create_task(_stream(port, tasks[n % RUNS], delays, ready)) for n in range(STREAMS)
    ]
    for _ in streams:
        await ready.acquire()
    await asyncio.to_thread(_write, folder / "runs", tasks)
    await asyncio.sleep(1.0)
    during: int = server.memory_info().rss
    expected = STREAMS * int(SECONDS / EVERY_SECONDS)
    if len(delays) != expected:
        raise RuntimeError(f"{len(delays)} of {expected} events arrived")
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return before, during, delays


async def _warm_up(port: int, task: str) -> None:
    """One stream that comes and goes: what the first one loads is not added by 200."""
    stream = asyncio.create_task(_stream(port, task, [], asyncio.Semaphore(0)))
    await asyncio.sleep(1.0)
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)


async def _stream(port: int, task: str, delays: list[float], ready: asyncio.Semaphore) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/v1/tasks/{task}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    try:
        while line := await reader.readline():
            if line.startswith(b"retry:"):
                ready.release()
            elif line.startswith(b"data: "):
                said = json.loads(line[6:])
                if said["type"] == "notice":
                    delays.append(time.time() - float(said["message"]))
    finally:
        writer.close()


def _write(runs: Path, tasks: list[str]) -> None:
    began = time.monotonic()
    for seq in range(1, int(SECONDS / EVERY_SECONDS) + 1):
        for task in tasks:
            shared = {"seq": seq, "at": datetime.now(UTC), "task_id": task, "attempt": 1}
            event = EVENT.validate_python(
                shared | {"type": "notice", "message": f"{time.time():.6f}"}
            )
            with (runs / task / "events.jsonl").open("a") as file:
                file.write(event.model_dump_json() + "\n")
        time.sleep(max(0.0, began + seq * EVERY_SECONDS - time.monotonic()))
