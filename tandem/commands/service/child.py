"""A service for as long as a command needs one: a child of this process.

Where one runs already on the same data base, that one dispatches and this one answers beside it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tandem.client.client import Client
from tandem.client.connect import local_address, token
from tandem.config.settings import Settings
from tandem.spec.errors import TandemError
from tandem.spec.i18n import t

START_SECONDS = 60.0
STOP_SECONDS = 20.0


class NoServiceError(TandemError):
    pass


@dataclass(frozen=True)
class ChildService:
    """One that answers."""

    client: Client
    child: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Until it ends, or Ctrl-C."""
        self.child.wait()


@contextmanager
def child_service(env: Mapping[str, str], settings: Settings) -> Iterator[ChildService]:
    """A child with `env` besides; ended on leaving, as SIGTERM does: trainings go on."""
    with tempfile.TemporaryFile() as errors:
        port = _port(settings)
        child = _start(port, env, errors.fileno())
        try:
            with Client(f"http://127.0.0.1:{port}", token(settings)) as client:
                _wait(client, child, errors.fileno())
                yield ChildService(client, child)
        finally:
            _end(child)


def _port(settings: Settings) -> int:
    """The configured one, or where that is taken any free one."""
    for port in (urlsplit(local_address(settings)).port or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise NoServiceError("There is no free port on this machine.", fix="Close other programs.")


def _start(port: int, env: Mapping[str, str], errors: int) -> subprocess.Popen[bytes]:
    """Away from the terminal: Ctrl-C reaches this process, which then ends it."""
    command = [sys.executable, "-m", "tandem.cli", "serve", "--host", "127.0.0.1"]
    return subprocess.Popen(
        [*command, "--port", str(port)],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=errors,
        stderr=errors,
        start_new_session=True,
    )


def _wait(client: Client, child: subprocess.Popen[bytes], errors: int) -> None:
    until = time.monotonic() + START_SECONDS
    while not client.is_up():
        if child.poll() is not None or time.monotonic() > until:
            output = os.pread(errors, 100_000, 0).decode("utf-8", "replace").strip().splitlines()
            raise NoServiceError(
                "The service did not start: {reason}.",
                reason=(output or [t("it said nothing")])[-1].rstrip("."),
                fix="Run `tandem serve` by itself to see more.",
            )
        time.sleep(0.05)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
