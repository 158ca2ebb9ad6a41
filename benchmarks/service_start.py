"""From the start of `tandem serve` to its first healthy answer, and what it holds when idle."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from benchmarks.row import Row
from benchmarks.service_launch import clean_environment, free_port

ROUNDS = 5
IDLE_SECONDS = 3.0
REQUESTS = 300
IMPORTS = """
import json, sys
import tandem.server.http.serve, tandem.executors.local, tandem.server.dispatch.dispatcher
print(json.dumps(sorted({"torch", "transformers", "numpy", "alembic"} & set(sys.modules))))
"""


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        home = Path(folder)
        with serving(home):
            pass  # the first start makes the data base
        seconds, megabytes, health = [], [], []
        for _ in range(ROUNDS):
            with serving(home) as (http, process, healthy_seconds):
                seconds.append(healthy_seconds)
                time.sleep(IDLE_SECONDS)
                megabytes.append(process.memory_info().rss / 2**20)
                health += [_timed(http) for _ in range(REQUESTS)]
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", IMPORTS]))
    p95_milliseconds = 1000 * statistics.quantiles(health, n=20)[-1]
    start, memory = statistics.median(seconds), statistics.median(megabytes)
    return [
        Row(
            "tandem serve: start to healthy", f"{start:.2f} s", "≤ 2 s", start <= 2.0,
            f"a data base that is there; median of {ROUNDS}, the slowest {max(seconds):.2f} s",
        ),
        Row(
            "tandem serve: idle memory", f"{memory:.0f} MB", "≤ 200 MB", memory <= 200,
            f"resident, {IDLE_SECONDS:.0f} s after the start; median of {ROUNDS}",
        ),
        Row(
            "tandem serve: torch imported", ", ".join(loaded) or "never", "never",
            "torch" not in loaded,
            "modules after importing the server, the executor and the dispatcher",
        ),
        Row(
            "health route, p95", f"{p95_milliseconds:.1f} ms", "shown", None,
            f"SQLite, one connection, {ROUNDS * REQUESTS} requests",
        ),
    ]  # fmt: skip


@contextmanager
def serving(
    home: Path, url: str | None = None
) -> Iterator[tuple[httpx.Client, psutil.Process, float]]:
    """`tandem serve` on a free port: a client, its process, and the seconds until it answered."""
    env = clean_environment(home) | ({"TANDEM_DATABASE_URL": url} if url else {})
    port = free_port()
    command = [sys.executable, "-m", "tandem.cli", "serve", "--port", str(port)]
    began = time.perf_counter()
    server = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            while not _is_up(http):
                if server.poll() is not None or time.perf_counter() - began > 60:
                    raise RuntimeError("the service does not come up")
                time.sleep(0.01)
            yield http, psutil.Process(server.pid), time.perf_counter() - began
    finally:
        server.terminate()
        server.wait(30)


def _is_up(http: httpx.Client) -> bool:
    try:
        return http.get("/actuator/health").is_success
    except httpx.TransportError:
        return False


def _timed(http: httpx.Client) -> float:
    began = time.perf_counter()
    http.get("/actuator/health").raise_for_status()
    return time.perf_counter() - began
