"""One process that keeps a model loaded and answers: `python -m tandem.predict.serve`."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from tandem.server.errors import UnavailableError
from tandem.server.models.children import environment
from tandem.spec.errors import StudentError
from tandem.spec.i18n import language

log = logging.getLogger("tandem.server")
MODULE = "tandem.predict.serve"
LOADING_SECONDS = 180.0
ANSWER_SECONDS = 60.0
LINE_BYTES = 32 * 2**20
"""An answer with a mask has some megabytes at most."""
LAST_BYTES = 4000
WorkerMessage = dict[str, object]


class Worker:
    """Not shared by two questions at once: whoever asks holds `lock`."""

    def __init__(self, model: Path, home: Path) -> None:
        self.lock = threading.Lock()
        self.used_at = time.monotonic()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by `end`
        self._child = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(home, language()),
            start_new_session=True,  # a terminal's Ctrl-C is for the service, which ends it
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._is_ready = False
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        return self._child.poll() is None

    def ask(self, question: WorkerMessage, seconds: float = ANSWER_SECONDS) -> WorkerMessage:
        """Its answer. StudentError where the model cannot be loaded; UnavailableError where it
        has died or does not answer in time: it is ended then."""
        if not self._is_ready:
            said = self._next(LOADING_SECONDS)
            if "failed" in said:
                self.end()
                raise StudentError("{reason}", reason=said["failed"])
            self._is_ready = True
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(question).encode() + b"\n")
            self._child.stdin.flush()
        except (OSError, ValueError):  # it has ended, or the service is ending it
            raise self._died() from None
        return self._next(seconds)

    def end(self) -> None:
        """Now; it has nothing that would be lost."""
        with suppress(OSError):
            self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._errors):
            if stream is not None:
                with suppress(OSError, ValueError):
                    stream.close()

    def _next(self, seconds: float) -> WorkerMessage:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.end()
            raise UnavailableError(
                "The model gave no answer within {seconds} seconds.",
                seconds=round(seconds),
                fix="Try a smaller picture, or try again when the machine is less busy.",
            ) from None
        if not line.endswith(b"\n"):
            raise self._died()
        said: WorkerMessage = json.loads(line)
        return said

    def _died(self) -> UnavailableError:
        last = self._said_last()
        self.end()
        log.warning(
            "The process of a model ended with %s and said: %s", self._child.returncode, last or "-"
        )
        return UnavailableError(
            "The process that runs this model ended before it answered.",
            fix="Try again; if it ends again, the service's log says what it said last.",
        )

    def _said_last(self) -> str:
        try:
            self._errors.seek(0, 2)
            self._errors.seek(max(0, self._errors.tell() - LAST_BYTES))
            return self._errors.read().decode("utf-8", "replace").strip()
        except ValueError:  # closed: the service is ending it
            return ""

    def _listen(self) -> None:
        """Lines as they come; at the end, or after too long a line, one that is not whole."""
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            while True:
                line = lines.readline(LINE_BYTES)
                self._lines.put(line)
                if not line.endswith(b"\n"):
                    return
