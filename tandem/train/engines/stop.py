"""SIGTERM and SIGINT ask a run to stop; the loop looks between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from tandem.spec.errors import StoppedError


class StoppedEarlyError(StoppedError):
    """Before the first step: other processes may be elsewhere, so nobody waits for them."""


class EvaluationStoppedError(Exception):
    """In the middle of an evaluation: the loop, which knows what to save, answers it."""


class StopRequest:
    """Set by the first signal. A second SIGINT interrupts at once, as a person expects."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        """Ask the run to stop after the step it is in."""
        self._asked.set()

    def listen(self) -> None:
        """Take over SIGTERM and SIGINT of this process (main thread only)."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # A second Ctrl-C means now; a second SIGTERM is a scheduler repeating itself.
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.ask()
