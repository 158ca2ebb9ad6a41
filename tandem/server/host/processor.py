"""How busy the processor is, for whoever asks.

psutil's own `cpu_percent` counts for each thread since this thread asked last, and says 0.0 to one
that never did: a service that answers from a pool of threads would show figures nobody measured.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

import psutil

LEAST_SECONDS = 0.25
"""Over less, the kernel's ticks are too coarse."""


class _Seen(NamedTuple):
    at: float
    busy: float
    whole: float


class Cpu:
    """The share of its time that it was not idle, between two looks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = _look()
        self._percent: float | None = None

    def percent(self) -> float:
        """0 to 100, since the last look; waits where there is none yet that is long enough."""
        with self._lock:
            now = _look()
            if now.at - self._seen.at < LEAST_SECONDS:
                if self._percent is not None:
                    return self._percent
                time.sleep(LEAST_SECONDS)
                now = _look()
            whole = now.whole - self._seen.whole
            busy = now.busy - self._seen.busy
            self._seen = now
            self._percent = round(100 * min(1.0, max(0.0, busy / whole)), 1) if whole > 0 else 0.0
            return self._percent


def _look() -> _Seen:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Guests' time is in user's already.
    whole = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return _Seen(time.monotonic(), whole - idle, whole)
