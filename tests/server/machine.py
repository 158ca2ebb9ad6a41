"""What this machine has to run servers on: ports, and programs that may be absent."""

from __future__ import annotations

import os
import socket
from typing import NoReturn

import pytest


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def absent(reason: str) -> NoReturn:
    """Fail under CI, else skip."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI wants it")
    pytest.skip(reason)
