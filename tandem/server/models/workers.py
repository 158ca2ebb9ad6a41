"""The models that are loaded at the moment: a few, each ended when nobody has asked for long."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tandem.server.errors import UnavailableError
from tandem.server.models.worker import ANSWER_SECONDS, Worker, WorkerMessage

MOST = 2
IDLE_SECONDS = 300.0
BUSY_SECONDS = 60.0
"""How long a question waits for the ones before it."""
_LoadedModel = tuple[Path, int]


class Workers:
    """One process for each model, `most` at once, all gone with `close`."""

    def __init__(self, *, most: int = MOST, idle_seconds: float = IDLE_SECONDS) -> None:
        self.most, self.idle_seconds = most, idle_seconds
        self._there: dict[_LoadedModel, Worker] = {}
        self._free = threading.Condition()
        self._timer: threading.Timer | None = None
        self._is_closed = False

    def ask(
        self, model: Path, home: Path, question: WorkerMessage, seconds: float = ANSWER_SECONDS
    ) -> tuple[WorkerMessage, bool]:
        """The answer, and whether the model was loaded for it. See `Worker.ask` for what fails."""
        key = (model, _changed_at(model))
        worker, is_new = self._taken(key, home)
        try:
            return worker.ask(question, seconds), is_new
        finally:
            with self._free:
                worker.used_at = time.monotonic()
                if not worker.is_alive:
                    self._drop(worker)
                worker.lock.release()
                self._free.notify_all()
                self._sweep_later()

    @property
    def pids(self) -> dict[Path, int]:
        """The process of each model that is loaded."""
        with self._free:
            return {model: one.pid for (model, _), one in self._there.items()}

    def close(self) -> None:
        """End them all; what asks meanwhile gets UnavailableError."""
        with self._free:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()
            for one in list(self._there.values()):
                one.end()
            self._there.clear()
            self._free.notify_all()

    def _taken(self, key: _LoadedModel, home: Path) -> tuple[Worker, bool]:
        """The model's process with its lock held; a new one, once there is room for it."""
        until = time.monotonic() + BUSY_SECONDS
        with self._free:
            while not self._is_closed:
                there = self._there.get(key)
                if there is not None and there.lock.acquire(blocking=False):
                    if there.is_alive:
                        return there, False
                    self._drop(there)
                    there.lock.release()
                    continue
                if there is None and self._has_room():
                    new = Worker(key[0], home)
                    new.lock.acquire()
                    self._there[key] = new
                    return new, True
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._free.wait(left)
        raise UnavailableError(
            "The models that are loaded are all busy.", fix="Try again in a moment."
        )

    def _has_room(self) -> bool:
        """The one that was asked longest ago makes room, unless all are being asked."""
        while len(self._there) >= self.most:
            idle = [one for one in self._there.values() if not one.lock.locked()]
            if not idle:
                return False
            self._drop(min(idle, key=lambda one: one.used_at))
        return True

    def _drop(self, worker: Worker) -> None:
        worker.end()
        self._there = {key: one for key, one in self._there.items() if one is not worker}

    def _sweep_later(self) -> None:
        """One timer at most: the next look is when the first may have been idle for long."""
        if self._is_closed or (self._timer is not None and self._timer.is_alive()):
            return
        if self._there:
            self._timer = threading.Timer(self.idle_seconds, self._sweep)
            self._timer.daemon = True
            self._timer.start()

    def _sweep(self) -> None:
        with self._free:
            self._timer = None
            now = time.monotonic()
            for one in list(self._there.values()):
                if not one.lock.locked() and now - one.used_at >= self.idle_seconds:
                    self._drop(one)
            self._sweep_later()


def _changed_at(model: Path) -> int:
    """A model that was trained further is another one."""
    weights = model / "model.safetensors" if model.is_dir() else model
    try:
        return weights.stat().st_mtime_ns
    except OSError:
        return 0
