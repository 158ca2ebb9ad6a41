"""Runs as processes of this machine, each in a session of its own that outlives the server.

The session's leader is a small shell script: it starts the trainer, waits, and leaves its exit code
in a file, so that a server that was not there learns it. It begins by making the pid file, which
can be made once only: whoever makes it first has decided whether the run is started.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tandem.executors import processes
from tandem.executors.base import TRAINER, Handle, Launch, LaunchError, RunStatus
from tandem.executors.processes import TOKEN_VARIABLE, Seen
from tandem.executors.registry import register
from tandem.spec.os_errors import FULL

TRAINER_COMMAND = (sys.executable, "-m", TRAINER)
STDERR = "stderr.txt"
BEGINS = "== attempt {attempt} ==\n"
"""Written to stderr.txt at each launch."""
# $1: the pid file, $2: the exit file, the rest: the command. `set -C`: never over a file.
_SHELL = (
    'pid_file=$1; exit_file=$2; shift 2; set -C; printf %s "$$" > "$pid_file" || exit 0; set +C; '
    '"$@"; code=$?; printf %s "$code" > "$exit_file.new" && mv "$exit_file.new" "$exit_file"'
)
_SECRET = re.compile(r"PASSWORD|PASSWD|SECRET|_PWD$|^TANDEM_(ACCESS_TOKEN|RUN_TOKEN|DATABASE_)")
_LOGIN = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_CLASSES = dict.fromkeys((errno.ENOMEM, errno.EAGAIN), "out_of_memory")
_CLASSES |= dict.fromkeys(FULL, "disk")
_SIGNALLED = 128
"""A shell's exit code for a command that a signal ended, less the signal's number."""

_children: dict[int, tuple[subprocess.Popen[bytes], str]] = {}
"""The shells that this process started and that have not ended, with the hash of their token; it
outlives any executor."""


@register
class LocalExecutor:
    """Launches `command SPEC`; another server's runs are found by their handle all the same."""

    name = "local"

    def __init__(self, *, command: Sequence[str] = TRAINER_COMMAND) -> None:
        self.command = tuple(command)
        self.host = socket.gethostname()
        self._given_up: set[Handle] = set()

    def launch(self, launch: Launch) -> Handle:
        pid_file, exit_file = _files(launch.spec_file)
        command = ["/bin/sh", "-c", _SHELL, "tandem-run", str(pid_file), str(exit_file)]
        is_training = launch.module == TRAINER
        work = self.command if is_training else (sys.executable, "-m", launch.module)
        try:
            launch.run_dir.mkdir(parents=True, exist_ok=True)
            with (launch.run_dir / STDERR).open("ab") as stream:
                stream.write(BEGINS.format(attempt=launch.attempt).encode())
                stream.flush()
                child = subprocess.Popen(
                    [*command, *work, str(launch.spec_file)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stream,
                    env=_environment(os.environ, launch),
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:
            number = error.errno if isinstance(error, OSError) else None
            raise LaunchError(
                "The run cannot be started: {reason}.",
                reason=(isinstance(error, OSError) and os.strerror(number or 0)) or error,
                failure_class=_CLASSES.get(number or 0, "user_input"),
                fix="See that {path} can be written, and that the machine has room.",
                path=launch.run_dir,
            ) from error
        token_hash = hashlib.sha256(launch.token.encode()).hexdigest()
        _children[child.pid] = (child, token_hash)
        seen = processes.look(child.pid)
        return self._handle(child.pid, seen.born if seen else "", exit_file)

    def status(self, handle: Handle, token_hash: str) -> RunStatus:
        _reap()
        code = _exit_code(handle)
        if handle.host != self.host:
            # Nobody here can see it: believed until its exit file, or its silence, says otherwise.
            if code is not None:
                return RunStatus("ended", code)
            return RunStatus("gone" if handle in self._given_up else "alive")
        if self._leader(handle, token_hash) or processes.all_of(token_hash):
            return RunStatus("alive")
        code = _exit_code(handle)  # it may have been left since
        return RunStatus("gone") if code is None else RunStatus("ended", code)

    def find(self, spec_file: Path, token_hash: str) -> Handle | None:
        pid_file, exit_file = _files(spec_file)
        try:
            pid_file.parent.mkdir(parents=True, exist_ok=True)
            pid_file.touch(exist_ok=False)
            return None
        except FileExistsError:
            pass
        text = pid_file.read_text(encoding="ascii", errors="replace")
        if not text:  # this shell is about to write it, or another server has made it
            running = processes.all_of(token_hash)
            if not running:
                return None
            pids = {one.pid for one in running}
            text = str(next(one.pid for one in running if one.parent not in pids))
        pid = int(text) if text.isdigit() else 0
        seen = processes.look(pid)
        mine = seen is not None and processes.has_token(pid, token_hash)
        return self._handle(pid, seen.born if mine and seen else "", exit_file)

    def stop(self, handle: Handle, token_hash: str) -> None:
        if handle.host != self.host:
            return
        running = processes.all_of(token_hash)
        pids = {one.pid for one in running}
        for one in running:
            # The shell's child, or the trainer of a shell that is dead; never the shell, which
            # would end without waiting for it.
            is_shell = str(one.pid) == handle.id
            if not is_shell and (str(one.parent) == handle.id or one.parent not in pids):
                processes.send(one, signal.SIGTERM, token_hash)

    def kill(self, handle: Handle, token_hash: str) -> None:
        if handle.host != self.host:
            self._given_up.add(handle)
            return
        had_trainers = False
        for _ in range(3):  # one may have forked in between
            running = processes.all_of(token_hash)
            trainers = [one for one in running if str(one.pid) != handle.id]
            # A shell whose trainers were ended just now is about to tell how.
            for one in trainers or ([] if had_trainers else running):
                processes.send(one, signal.SIGKILL, token_hash)
            if not trainers:
                break
            had_trainers = True
        _reap()

    def _handle(self, pid: int, born: str, exit_file: Path) -> Handle:
        return Handle(
            executor=self.name, id=str(pid), born=born, host=self.host, exit_file=str(exit_file)
        )

    def _leader(self, handle: Handle, token_hash: str) -> Seen | None:
        if not handle.id.isdigit():
            return None
        seen = processes.look(int(handle.id))
        if seen is None or (handle.born and seen.born != handle.born):
            return None
        # In the middle of its exec a process has no environment yet: one's own child needs none.
        child = _children.get(seen.pid)
        is_mine = child is not None and child[1] == token_hash
        return seen if is_mine or processes.has_token(seen.pid, token_hash) else None


def _files(spec_file: Path) -> tuple[Path, Path]:
    """Where the shell of a launch leaves its pid and its exit code."""
    return spec_file.with_suffix(".pid"), spec_file.with_suffix(".exit")


def _exit_code(handle: Handle) -> int | None:
    """As subprocess has it: -9 for a trainer that signal 9 ended. None when nothing is left."""
    try:
        code = int(Path(handle.exit_file).read_text(encoding="ascii")) if handle.exit_file else None
    except (OSError, ValueError):
        return None
    return _SIGNALLED - code if code is not None and code > _SIGNALLED else code


def _environment(env: Mapping[str, str], launch: Launch) -> dict[str, str]:
    return {**without_secrets(env), **launch.env, TOKEN_VARIABLE: launch.token}


def without_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """The server's own, without what opens its doors."""
    return {
        name: value
        for name, value in env.items()
        if not _SECRET.search(name.upper())
        and (name.lower().endswith("_proxy") or not _LOGIN.search(value))
    }


def _reap() -> None:
    """An ended child is a zombie until its parent has asked."""
    for pid in [pid for pid, (child, _) in list(_children.items()) if child.poll() is not None]:
        _children.pop(pid, None)
