"""One thread, one loop: hear the runs, watch them, place those that wait.

Only the server that holds the lease dispatches; the others look on, and take over when it dies.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError

from tandem.server.context import Context
from tandem.server.db.tables import Job
from tandem.server.dispatch.launch import Launcher
from tandem.server.dispatch.lease import PATIENCE_SECONDS, LeaseHolder
from tandem.server.dispatch.scheduler import Scheduler
from tandem.server.dispatch.watch import Collect, RunWatcher

LIVE_SECONDS = 0.1
IDLE_SECONDS = 0.5
MOST_WAIT_SECONDS = 5.0
"""Between two tries while ticks fail."""
JOIN_SECONDS = 30.0
log = logging.getLogger(__name__)


class Dispatcher:
    """`start()` with the service, `stop()` at its end; trainings run on without it."""

    def __init__(
        self,
        context: Context,
        *,
        collect: Collect | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.context = context
        self.lease = LeaseHolder(context.database, patience_seconds=patience_seconds, clock=clock)
        self.launcher = Launcher(context)
        self.watcher = RunWatcher(context, self.launcher, collect or _collect, clock)
        self.scheduler = Scheduler(context, self.launcher)
        self.ticks = 0
        self.failed_ticks = 0
        self.live = 0
        """Runs that were alive at the last tick."""
        self._clock = clock
        self._failing = 0
        self._placed_at: float | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="dispatcher", daemon=True)

    @property
    def holds_lease(self) -> bool:
        return self.lease.held

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """After the present tick; the lease goes to whoever comes next."""
        self._ending.set()
        self.context.wake_event.set()
        # A round may hang on a disk or a data base that is away. After so long the service ends all
        # the same: the thread is a daemon.
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)
        try:
            self.lease.release()
        except DBAPIError as error:
            # Not given back, it runs out: the others take over once its beat has stood still.
            log.warning("The lease could not be given back: %s", error.orig)

    def tick(self) -> bool:
        """One round; whether something is live or has just changed."""
        is_woken = self.context.wake_event.is_set()
        # Before the work, not after it: what is asked meanwhile is done in the next round.
        self.context.wake_event.clear()
        if not self.lease.hold():
            self.live = 0
            return False
        ended = self.watcher.ended
        live: Sequence[Job] = self.watcher.tick()
        self.live = len(live)
        placed = 0
        now = self._clock()
        # With a run alive a round comes every tenth of a second. The queue is read in those in
        # which something may have changed, and twice a second for what another server has put
        # there: it cannot wake this one.
        is_due = self._placed_at is None or now - self._placed_at >= IDLE_SECONDS
        if is_woken or is_due or ended != self.watcher.ended:
            placed = self.scheduler.tick(live)
            self._placed_at = now
        self.ticks += 1
        return bool(live or placed)

    def _loop(self) -> None:
        while not self._ending.is_set():
            try:
                wait_seconds = LIVE_SECONDS if self.tick() else IDLE_SECONDS
                if self._failing:
                    log.warning("Dispatching goes on after %d failed rounds.", self._failing)
                self._failing = 0
            except Exception as error:  # noqa: BLE001  a boundary: one bad round ends no service
                wait_seconds = self._failed(error)
                self._ending.wait(wait_seconds)
                self.context.wake_event.set()  # what it was woken for may not have been done
                continue
            self.context.wake_event.wait(wait_seconds)

    def _failed(self, error: Exception) -> float:
        """Log it once, and how long to wait before the next round."""
        self.failed_ticks += 1
        # Counted to say it once, at the first: a data base away for a night would fill the log.
        self._failing += 1
        self._placed_at = None
        if self._failing == 1:
            if isinstance(error, DBAPIError):
                log.error("The data base does not answer the dispatcher: %s", error.orig)
            else:
                log.exception("A round of the dispatcher failed.")
        # The exponent is bounded, not the product alone: 2 ** 1100 is no float any more.
        return float(min(MOST_WAIT_SECONDS, LIVE_SECONDS * 2 ** min(self._failing, 10)))


def _collect(context: Context, jobs: Sequence[Job]) -> set[str]:
    from tandem.server.events.collect import collect

    return collect(context, jobs)
