"""Small runs for an executor's tests: a script in place of the trainer, and a fake's stage."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tandem.executors.base import Handle, Launch
from tandem.executors.fake import FakeExecutor
from tandem.executors.local import LocalExecutor
from tandem.executors.registry import ExecutorClass

SCRIPT = Path(__file__).with_name("script.py")
SECRET = f"secret-{os.getpid()}"
"""A run's token. Tests that run beside these in another process have their own: an executor finds
processes by it."""
COMMAND = (sys.executable, "-S", "-E", str(SCRIPT))


def until(found: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class RealStage:
    """Real processes that do what the test says, launched by any executor there is."""

    def __init__(self, folder: Path, make: ExecutorClass) -> None:
        self.folder = folder
        self.executor = make(command=COMMAND)
        self.started: list[tuple[Handle, str]] = []

    def launch(self, *, token: str = SECRET, attempt: int = 1, deaf: bool = False) -> Handle:
        spec = self.folder / f"TASK_1-{attempt}.json"
        spec.write_text(json.dumps({"folder": str(self.folder), "deaf": deaf}))
        handle = self.executor.launch(Launch("TASK_1", attempt, spec, self.folder / "run", token))
        self.started.append((handle, digest(token)))
        until(lambda: (self.folder / "ready").exists())
        return handle

    def end(self, handle: Handle, code: int) -> None:
        hidden = self.folder / "end.new"  # renamed: the script may look between open and write
        hidden.write_text(str(code))
        hidden.replace(self.folder / "end")

    def was_asked(self, handle: Handle) -> bool:
        return (self.folder / "asked").exists()

    def close(self) -> None:
        for handle, token in self.started:
            until(lambda h=handle, k=token: self._gone(h, k))

    def _gone(self, handle: Handle, token: str) -> bool:
        self.executor.kill(handle, token)
        return self.executor.status(handle, token).state != "alive"


class LocalStage(RealStage):
    executor: LocalExecutor

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, LocalExecutor)


class FakeStage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.executor = FakeExecutor()

    def launch(self, *, token: str = SECRET, attempt: int = 1, deaf: bool = False) -> Handle:
        spec = self.folder / f"TASK_1-{attempt}.json"
        return self.executor.launch(Launch("TASK_1", attempt, spec, self.folder / "run", token))

    def end(self, handle: Handle, code: int) -> None:
        self.executor.end(handle.id, code)

    def was_asked(self, handle: Handle) -> bool:
        return handle.id in self.executor.asked

    def close(self) -> None:
        pass
