"""Reports to a service while the training runs, and later what it missed."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tandem.spec import journal
from tandem.spec.errors import OutputFolderError, TandemError
from tandem.spec.event import Event
from tandem.spec.i18n import t
from tandem.train.sinks.base import Sink
from tandem.train.sinks.delivery import LOCK, Delivery, LockedOutError, waiting
from tandem.train.sinks.service import TOKEN_VARIABLE, AwayError, ServiceClient
from tandem.train.sinks.wire import FORWARDED
from tandem.train.types import ProgressReporter, SilentProgress

BACKOFF_SECONDS = (0.5, 30.0)
LAST_BACKOFF_SECONDS = 1.0  # once the run is over, and only the delivery is waited for


class Http(Sink):
    """Its own thread reads the run folder; the training only rings a bell."""

    def __init__(self, base_url: str, grace_seconds: float = 30.0) -> None:
        """SpecError when the address is none. `grace_seconds`: how long close() waits."""
        self._service = ServiceClient(base_url, os.environ.get(TOKEN_VARIABLE, "").strip() or None)
        self._grace_seconds = grace_seconds
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._work, name="http sink", daemon=True)

    def open(self, run_dir: Path, progress: ProgressReporter) -> None:
        self._run_dir, self._progress = run_dir, progress
        self._thread.start()

    def receive(self, event: Event) -> None:
        if event.type in FORWARDED:
            self._bell.set()

    def close(self) -> None:
        """Waits for the delivery, at most the grace; says what stays behind."""
        self._closing.set()
        self._bell.set()
        # Then halted: it ends after the request that is under way, and the cursor says how far it
        # is.
        self._thread.join(self._grace_seconds)
        self._halt.set()
        left = waiting(self._run_dir)
        if left:
            self._progress.notice(
                t(
                    "{count} events have not reached {service}; they are kept."
                    " `tandem report {run} --send` delivers them.",
                    count=left,
                    service=self._service.name,
                    run=self._run_dir,
                ),
                warning=True,
            )

    def _work(self) -> None:
        lock = FileLock(self._run_dir / LOCK)
        while not self._halt.is_set():  # `tandem report --send` may be at it
            try:
                lock.acquire(timeout=0.2)
                break
            except Timeout:
                continue
        try:
            _Courier(self).run()
        finally:
            lock.release()
            self._service.close()


class _Courier:
    """The thread's loop: forward, wait for the bell; when the service is away, wait longer."""

    def __init__(self, sink: Http) -> None:
        self.sink = sink
        self.delivery = Delivery(sink._run_dir, sink._service, sink._progress)
        self.failures = 0

    def run(self) -> None:
        sink = self.sink
        while not sink._halt.is_set():
            # Cleared before the file is read, not after: what is said meanwhile rings it again.
            sink._bell.clear()
            closing = sink._closing.is_set()  # read first: what is said until then is in the file
            try:
                self.delivery.forward(sink._halt.is_set)
                self._back()
                if closing:
                    return
                sink._bell.wait()
            except LockedOutError:
                return
            except AwayError as away:
                self._away(str(away), away.wait_seconds)
            except (OSError, TandemError) as problem:  # the run folder's disk is full or gone
                self._away(str(problem), 0.0, tell=False)

    def _back(self) -> None:
        if self.failures:
            self.failures = 0
            self._tell(t("The service {service} answers again.", service=self.sink._service.name))

    def _away(self, reason: str, wait_seconds: float, tell: bool = True) -> None:
        self.failures += 1
        if self.failures == 1 and tell:
            self._tell(
                t(
                    "The service {service} does not answer ({reason}); what it should hear is"
                    " kept and sent when it is back.",
                    service=self.sink._service.name,
                    reason=reason,
                ),
                warning=True,
            )
        pause = max(wait_seconds, _backoff_seconds(self.failures))
        # Not for the bell: each new event would end the pause, and the service have no rest.
        self.sink._closing.wait(pause)
        if self.sink._closing.is_set():
            self.sink._halt.wait(min(pause, LAST_BACKOFF_SECONDS))

    def _tell(self, message: str, warning: bool = False) -> None:
        with suppress(OSError, TandemError):  # a full disk: the training itself will say so
            self.sink._progress.notice(message, warning)


def _backoff_seconds(failures: int) -> float:
    first, most = BACKOFF_SECONDS
    # The exponent is bounded as well: a service away for a day would make it no float.
    return float(min(most, first * 2 ** min(failures - 1, 10)))


@dataclass(frozen=True)
class Delivered:
    sent: int
    """Requests the service took now."""
    left: int
    """Events that it has yet to hear."""


def deliver(
    run_dir: Path,
    base_url: str,
    *,
    token: str | None = None,
    wait_seconds: float = 10.0,
    progress: ProgressReporter | None = None,
) -> Delivered:
    """Send what a finished or interrupted run could not: `tandem report RUN --send`.

    Tries for `wait_seconds` when the service is away. OutputFolderError when there is no run, or
    another process is sending.
    """
    if not (run_dir / journal.NAME).is_file():
        raise OutputFolderError(
            "There is no run in {path}: it has no {name}.", path=run_dir, name=journal.NAME
        )
    token = token or os.environ.get(TOKEN_VARIABLE, "").strip() or None
    service = ServiceClient(base_url, token)
    try:
        with FileLock(run_dir / LOCK, timeout=0):
            return _deliver(
                run_dir, service, progress or SilentProgress(), time.monotonic() + wait_seconds
            )
    except Timeout:
        raise OutputFolderError(
            "Another process is sending the events of {path}.",
            path=run_dir,
            fix="Wait until it has ended.",
        ) from None
    finally:
        service.close()


def _deliver(
    run_dir: Path, service: ServiceClient, progress: ProgressReporter, until: float
) -> Delivered:
    delivery = Delivery(run_dir, service, progress)
    failures = 0
    while True:
        try:
            delivery.forward(lambda: False)
            break
        except LockedOutError:
            break
        except AwayError as away:
            failures += 1
            pause = max(away.wait_seconds, _backoff_seconds(failures))
            if time.monotonic() + pause > until:
                progress.notice(
                    t("{service} does not answer: {reason}", service=service.name, reason=away),
                    warning=True,
                )
                break
            time.sleep(pause)
    return Delivered(delivery.sent, waiting(run_dir))
