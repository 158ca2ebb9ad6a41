"""From the start request to the trainer's first event, beside the same trainer started by hand.

The difference is what the service adds: the queue, the claim, the launch. The rest is Python
importing torch. The two take turns; the real `tandem serve`, dispatcher, executor and trainer.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks.images import write_tiny
from benchmarks.row import Row

ROUNDS = 5
MOST_SECONDS = 120.0
DATASET = "small"


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        home = Path(folder)
        write_tiny(home / "datasets" / DATASET, train=64, val=20, classes=4)
        port = free_port()
        env = clean_environment(home)
        command = [sys.executable, "-m", "tandem.cli", "serve", "--port", str(port)]
        server = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
                _wait_until_up(http)
                served, bare = [], []
                for number in range(ROUNDS):
                    served.append(_served(http, home))
                    bare.append(_bare(home, env, number))
        finally:
            server.terminate()
            server.wait(30)
    added = statistics.median(served) - statistics.median(bare)
    return [
        Row(
            "from the start request to the trainer's first event, beyond the trainer's own start",
            f"{added:.2f} s",
            "≤ 1 s",
            added <= 1.0,
            f"{statistics.median(served):.2f} s by the service, {statistics.median(bare):.2f} s by "
            f"hand (Python's imports, reading the data); medians of {ROUNDS} in turn",
        )
    ]


def _spec(output: Path | None, home: Path) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "mode": "direct",
        "data": {"dataset": DATASET, "image_size": 32, "workers": 0},
        "student": {"size": "resnet18"},
        "optim": {"epochs": 1, "batch_size": 8},
        "run": {"devices": "cpu"},
        "report": {"tensorboard": False},
    }
    if output is not None:
        spec |= {"task_id": output.name, "run": {"devices": "cpu", "output_dir": str(output)}}
        spec["data"]["root"] = str(home / "datasets")
    return spec


def _served(http: httpx.Client, home: Path) -> float:
    body = {"name": "launch", "spec": _spec(None, home)}
    made = http.post("/api/v1/tasks", json=body).raise_for_status().json()
    began = time.time()
    http.post(f"/api/v1/tasks/{made['task_id']}/start").raise_for_status()
    seconds = _first_event(home / "runs" / made["task_id"]) - began
    _until(lambda: _status(http, made["task_id"]) == "COMPLETED")
    return seconds


def _bare(home: Path, env: dict[str, str], number: int) -> float:
    output = home / "by-hand" / f"run-{number}"
    file = home / f"run-{number}.json"
    file.write_text(json.dumps(_spec(output, home)))
    began = time.time()
    command = [sys.executable, "-m", "tandem.train", str(file)]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return _first_event(output) - began


def _first_event(folder: Path) -> float:
    file = folder / "events.jsonl"
    _until(lambda: file.is_file() and b"\n" in file.read_bytes())
    first = json.loads(file.read_bytes().split(b"\n")[0])
    return datetime.fromisoformat(first["at"]).timestamp()


def _status(http: httpx.Client, task_id: str) -> str:
    return str(http.get(f"/api/v1/tasks/{task_id}").json()["status"])


def _wait_until_up(http: httpx.Client) -> None:
    def up() -> bool:
        try:
            return http.get("/actuator/health").is_success
        except httpx.TransportError:
            return False

    _until(up)


def _until(reached: Any) -> None:
    until = time.monotonic() + MOST_SECONDS
    while not reached():
        if time.monotonic() > until:
            raise RuntimeError("it took too long")
        time.sleep(0.02)


def clean_environment(home: Path) -> dict[str, str]:
    """This process's, but for Tandem's own settings."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")}
    return env | {"TANDEM_HOME": str(home), "OMP_NUM_THREADS": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
