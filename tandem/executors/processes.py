"""Processes of this machine as /proc shows them: a pid alone is not enough to know one again."""

from __future__ import annotations

import hashlib
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROC = Path("/proc")
TOKEN_VARIABLE = "TANDEM_RUN_TOKEN"  # noqa: S105  the variable's name, not a token
_PREFIX = f"{TOKEN_VARIABLE}=".encode()
# Fields of /proc/<pid>/stat after the name in brackets, which may hold anything: proc(5).
_STATE, _PARENT, _START = 0, 1, 19


@dataclass(frozen=True)
class Seen:
    """A live process: not a zombie."""

    pid: int
    parent: int
    born: str
    """Clock ticks from boot to its start, and which boot."""


@cache
def boot_id() -> str:
    """Changes with each boot: after one, all pids and ticks begin anew."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def look(pid: int) -> Seen | None:
    """The process with this pid; None when there is none, or only its zombie."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rfind(b")") + 2 :].split()
    if len(fields) <= _START or fields[_STATE] in (b"Z", b"X"):
        return None
    born = f"{fields[_START].decode()} {boot_id()}"
    return Seen(pid, int(fields[_PARENT]), born)


def has_token(pid: int, token_hash: str) -> bool:
    """Whether the process was started with the token of this SHA-256 in its environment."""
    try:
        variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(
        hashlib.sha256(one[len(_PREFIX) :]).hexdigest() == token_hash
        for one in variables
        if one.startswith(_PREFIX)
    )


def all_of(token_hash: str) -> list[Seen]:
    """Every live process of the run with this token, whatever session it is in: torchrun gives
    each of its ranks one of its own."""
    found = []
    for name in os.listdir(PROC):  # noqa: PTH208 -- a Path for each process of the machine is slow
        if name.isdigit() and has_token(int(name), token_hash):
            seen = look(int(name))
            if seen is not None:
                found.append(seen)
    return found


def send(seen: Seen, number: signal.Signals, token_hash: str) -> None:
    """A signal to this process and no other: a descriptor holds it, whatever becomes of its pid."""
    try:
        descriptor = os.pidfd_open(seen.pid)
    except OSError:
        return
    try:
        now = look(seen.pid)
        if now is not None and now.born == seen.born and has_token(seen.pid, token_hash):
            with suppress(OSError):
                signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)
