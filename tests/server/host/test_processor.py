"""The processor's figure is a measurement, whichever thread asks for it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tandem.server.host.processor import LEAST_SECONDS, Cpu


def _work(until: threading.Event) -> None:
    while not until.is_set():
        sum(range(1000))


def test_a_thread_that_never_asked_is_told_what_was_measured():
    processor, done = Cpu(), threading.Event()
    busy = threading.Thread(target=_work, args=(done,))
    busy.start()
    try:
        time.sleep(2 * LEAST_SECONDS)
        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(lambda _: processor.percent(), range(4)))
    finally:
        done.set()
        busy.join()
    assert min(told) > 5  # one core of however many was busy all the time
    assert max(told) <= 100
