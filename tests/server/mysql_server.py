"""MySQL itself, which Debian's stable releases lack: fetched from sid once, run without a root.

python -m tests.server.mysql_server          # fetch it, if it is not here

The packages are unpacked, not installed, and started by their own loader with their own libraries:
nothing of this system is touched. One server is shared by all tests of this machine: each process
that uses it holds a lock, and the server ends when the last lock is gone, however that came.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from tests.server.machine import absent, free_port, listens

SITE = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
START_SECONDS = 120
SMALL = (
    "--no-defaults", "--mysqlx=0", "--secure-file-priv=NULL", "--innodb-redo-log-capacity=16M",
    "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=OFF", "--skip-log-bin", "--performance-schema=OFF",
    "--max-connections=300",
)  # fmt: skip


def cache() -> Path:
    """Where the unpacked server is kept between runs: outside of the repository."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "tandem-tests"


def fetched() -> Path:
    """The folder with `tree` and an empty `data`. Without it: fails under CI, else skips."""
    folder = cache() / "mysql"
    cache().mkdir(parents=True, exist_ok=True)
    with FileLock(cache() / "mysql.lock"):
        if not folder.is_dir():
            made = Path(tempfile.mkdtemp(prefix=".mysql-", dir=cache()))
            try:
                _fetch(made)
                made.rename(folder)
            except (OSError, subprocess.CalledProcessError) as error:
                said = getattr(error, "stderr", None) or str(error)
                absent(f"MySQL cannot be fetched from Debian's sid: {said[-500:]}")
            finally:
                shutil.rmtree(made, ignore_errors=True)
    return folder


def _fetch(folder: Path) -> None:
    """By apt, with lists and packages of its own; nothing is installed and no script is run."""
    for name in ("lists/partial", "archives/partial", "tree"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {SITE} sid main\n")
    settings = {
        "Dir::State::lists": folder / "lists", "Dir::State::status": folder / "status",
        "Dir::Cache": folder, "Dir::Cache::archives": folder / "archives",
        "Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null", "APT::Install-Recommends": "false",
        "Acquire::Languages": "none", "Acquire::Check-Valid-Until": "false",
        "Acquire::Retries": 2, "APT::Update::Error-Mode": "any", "Debug::NoLocking": "true",
        "APT::Sandbox::User": "",
    }  # fmt: skip
    options = [word for name in settings for word in ("-o", f"{name}={settings[name]}")]
    for work in (["update"], ["install", "--yes", "--download-only", "mysql-server-core"]):
        _do(["apt-get", "-qq", *options, *work])
    for package in sorted((folder / "archives").glob("*.deb")):
        if not package.name.startswith("perl"):  # of its helpers, not of the server
            _do(["dpkg-deb", "--extract", str(package), str(folder / "tree")])
    for name in ("lists", "archives", "pkgcache.bin", "srcpkgcache.bin"):
        found = folder / name
        shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
    # Once, as it takes six seconds: each server begins with a copy.
    _do([*command(folder), f"--datadir={folder / 'data'}", "--initialize-insecure"])


def _do(words: Sequence[str]) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def command(folder: Path) -> list[str]:
    """What starts the server of `fetched()`; its data folder and port are still to be named."""
    tree = folder / "tree"
    [loader] = tree.glob("usr/lib*/ld-linux*.so.*")
    libraries = [str(one) for one in tree.glob("usr/lib/*-linux-gnu")]
    words = [str(loader), "--library-path", ":".join(libraries), str(tree / "usr/sbin/mysqld")]
    words += [*SMALL, f"--basedir={tree / 'usr'}", f"--lc-messages-dir={tree / 'usr/share/mysql'}"]
    return [*words, "--user=root"] if os.geteuid() == 0 else words


def copy_data(to: Path) -> None:
    """An empty data folder, of a user `root` without a password."""
    shutil.copytree(fetched() / "data", to)
    (to / "auto.cnf").unlink(missing_ok=True)  # the server's number: each makes its own


def shared() -> int:
    """The port of the server that all tests share; this process holds it up until it ends."""
    global _held  # noqa: PLW0603  the lock is this process's, however many tests ask
    folder = fetched()
    users, place = cache() / "mysql.users", cache() / "mysql.port"
    with FileLock(cache() / "mysql.start"):
        if _held is None:
            # Never closed: the lock is to be held until this process is no more.
            _held = os.open(users, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            # Waits while a server that nobody used any more is on its way out.
            fcntl.flock(_held, fcntl.LOCK_SH)
        if place.is_file() and listens(int(place.read_text())):
            return int(place.read_text())
        place.unlink(missing_ok=True)
        # A process of init's: this one may end before the last of those that use it.
        keeper = ["setsid", "--fork", sys.executable, "-m", __name__, "keep", str(folder)]
        root = Path(__file__).parents[2]
        with (cache() / "mysql.log").open("ab") as log:
            subprocess.run(
                keeper, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True
            )
        until = time.monotonic() + START_SECONDS
        while not (place.is_file() and listens(int(place.read_text()))):
            if time.monotonic() > until:
                pytest.fail(f"MySQL does not start: {cache() / 'mysql.log'}")
            time.sleep(0.05)
        return int(place.read_text())


_held: int | None = None


def _keep(folder: Path) -> None:
    """Run the shared server until no process holds the lock of its users."""
    users, place = cache() / "mysql.users", cache() / "mysql.port"
    work = Path(tempfile.mkdtemp(prefix="tandem-mysql-"))
    try:
        copy_data(work / "data")
        port = free_port()
        server = subprocess.Popen(
            [*command(folder), f"--datadir={work / 'data'}", "--bind-address=127.0.0.1",
             f"--port={port}", f"--socket={work / 'socket'}", f"--pid-file={work / 'pid'}"],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        hidden = place.with_suffix(".new")
        hidden.write_text(str(port))
        hidden.replace(place)
        with users.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given when the last of the users has ended
            place.unlink(missing_ok=True)
            server.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(30)
            server.kill()
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["keep"]:
        _keep(Path(sys.argv[2]))
    else:
        fetched()
