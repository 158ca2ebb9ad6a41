"""A server process of the test's own, that can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
from PIL import Image

from tests.server.machine import free_port

T = TypeVar("T")
MOST_SECONDS = 120.0
SCRIPT = Path(__file__).with_name("serve_small.py")
ROOT = SCRIPT.parents[3]


def wait_for(found: Callable[[], T], seconds: float = MOST_SECONDS) -> T:
    """What `found` gives once it is something; fails after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        result = found()
        if result:
            return result
        assert time.monotonic() < until, f"not within {seconds:g} s"
        time.sleep(0.04)


class SmallServer:
    """`with SmallServer(home, url, **env) as server`: runs until the end of the block."""

    command = (sys.executable, str(SCRIPT))

    def __init__(self, home: Path, url: str, *, clock_file: Path | None = None, **env: str) -> None:
        self.home, self.url = home, url
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")},
            "TANDEM_HOME": str(home),
            "TANDEM_DATABASE_URL": url,
            "TANDEM_CPU_SLOTS": "1",
            "TANDEM_LANG": "en",
            "PYTHONPATH": str(ROOT),
            **env,
        }
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.base_url, timeout=30)
        self.arguments = [str(self.port), *([str(clock_file)] if clock_file else [])]
        self.log = home.parent / f"server-{self.port}.log"

    def __enter__(self) -> SmallServer:
        if not self.url.startswith("sqlite"):
            from tandem.server.db.database import Database
            from tandem.server.db.upgrade import upgrade

            database = Database(self.url)
            upgrade(database)
            database.close()
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.http.close()
        for process in _processes_of(self.home):
            process.kill()

    def start(self) -> SmallServer:
        """Start it (again), on the same port, and wait until it answers."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*self.command, *self.arguments], env=self.env, stdout=log, stderr=log
            )
        wait_for(self._healthy)
        return self

    def _healthy(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        try:
            return self.http.get("/actuator/health").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.http.request(method, path, **options)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.ask("POST", path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def put_images(self) -> None:
        """The data set `pictures`: the service looks for it, the small run does not."""
        image = self.home / "datasets" / "pictures" / "train" / "cat" / "0.png"
        if not image.exists():
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(image)

    def create(self, *, epochs: int, start: bool = False, **pace: float) -> str:
        """A task that runs so many epochs at this pace; its id."""
        self.put_images()
        spec = {
            "mode": "direct",
            "data": {"dataset": "pictures"},
            "student": {"size": "resnet18"},
            "optim": {"epochs": epochs},
            "loss": {"options": {"pace": pace}},
            "run": {"devices": "cpu"},
        }
        body = {"name": "small", "spec": spec, "start": start}
        return str(self.post("/api/v1/tasks", body)["task_id"])

    def task(self, task_id: str) -> dict[str, Any]:
        return dict(self.get(f"/model-distillation/tasks/{task_id}")["data"])

    def v1_task(self, task_id: str) -> dict[str, Any]:
        return dict(self.get(f"/api/v1/tasks/{task_id}"))

    def queued(self) -> list[str]:
        """The ids of those that wait, in order."""
        waiting = self.get("/api/v1/queue")["waiting"]
        return [one["task_id"] for one in waiting]

    def run_dir(self, task_id: str) -> Path:
        return self.home / "runs" / task_id


def trainer_pids(home: Path, task_id: str, *, shim: bool = False) -> list[int]:
    """The trainers of a task (`shim`: also the shells they were started by)."""
    found = [(process.pid, _words(process)) for process in _processes_of(home)]
    mine = [(pid, words) for pid, words in found if any(f"{task_id}-" in one for one in words)]
    return [pid for pid, words in mine if shim or not words[0].endswith("sh")]


def _processes_of(home: Path) -> list[psutil.Process]:
    """Every process that was started with a spec of this home."""
    found = [p for p in psutil.process_iter() if any(str(home) in word for word in _words(p))]
    return [p for p in found if p.pid != os.getpid()]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
