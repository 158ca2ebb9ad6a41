"""MariaDB, MySQL and PostgreSQL servers of a test's own: it may kill them and start them again.

with private_server("mariadb") as server:
    database = Database(server.url)
    server.kill()       # kill -9; what was committed is there after server.start()
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tandem.server.db.database import address
from tests.server import mysql_server
from tests.server.machine import absent, free_port

SERVERS = ("mariadb", "mysql", "postgresql")
START_SECONDS = 60
NAME = "tandem_test"


class PrivateServer(ABC):
    """One server on a free port of loopback; user `root`, no password, an empty data base."""

    kind: str
    admin_name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_folder = folder / "data"
        self.port = free_port()
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of(NAME)

    def url_of(self, name: str) -> str:
        return f"{self.kind}://root@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Return once it answers. It recovers by itself what a kill left."""
        assert self._running is None
        log = (self.folder / "server.log").open("ab")
        with log:
            self._running = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.wait()

    def kill(self) -> None:
        """kill -9."""
        backends = psutil.Process(self._pid()).children()  # PostgreSQL's, each in its own session
        self._end(signal.SIGKILL)
        for one in backends:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(backends, START_SECONDS)

    def stop(self) -> None:
        """As an administrator would: connections are cut, data is written."""
        self._end(self.gentle)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing answers; until `thaw`."""
        os.kill(self._pid(), signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid(), signal.SIGCONT)

    def run(self, statement: str, name: str | None = None) -> None:
        """One statement as the administrator, in data base `name`."""
        engine = create_engine(
            address(self.url_of(name or self.admin_name)), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.run("SELECT 1")
            except OperationalError:
                ended = self._running is None or self._running.poll() is not None
                if ended or time.monotonic() > until:
                    log = (self.folder / "server.log").read_text(errors="replace")
                    pytest.fail(f"{self.kind} did not start: {log[-2000:]}")
                time.sleep(0.05)
            else:
                return

    gentle = signal.SIGTERM

    @abstractmethod
    def prepare(self) -> None:
        """Make its data folder."""

    @abstractmethod
    def _command(self) -> list[str]:
        """What starts it, in the foreground."""

    def _pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def _end(self, number: signal.Signals) -> None:
        assert self._running is not None
        with suppress(ProcessLookupError):
            os.kill(self._pid(), signal.SIGCONT)
            self._running.send_signal(number)
        self._running.wait(START_SECONDS)
        self._running = None


class PrivateMariaDB(PrivateServer):
    kind = "mysql"
    admin_name = ""

    def prepare(self) -> None:
        self.data_folder.mkdir()
        command = [*self._base(), "--bootstrap"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def _command(self) -> list[str]:
        return [
            *self._base(),
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            "--max-connections=300",
        ]

    def _base(self) -> list[str]:
        """No system tables and no rights: a data folder in a fifth of a second."""
        server = shutil.which("mariadbd", path="/usr/sbin:/usr/bin")
        server = server or absent("mariadbd is not here")
        command = [server, "--no-defaults", f"--datadir={self.data_folder}"]
        command += ["--skip-grant-tables", "--skip-networking=0", "--skip-name-resolve"]
        command += ["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M"]
        command += ["--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync"]
        return [*command, "--user=root"] if os.geteuid() == 0 else command


class PrivateMySQL(PrivateServer):
    kind = "mysql"
    admin_name = ""

    def prepare(self) -> None:
        mysql_server.copy_data(self.data_folder)

    def _command(self) -> list[str]:
        return [
            *mysql_server.command(mysql_server.fetched()),
            f"--datadir={self.data_folder}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
        ]


class PrivatePostgreSQL(PrivateServer):
    kind = "postgresql"
    admin_name = "postgres"
    gentle = signal.SIGINT  # "fast": does not wait until everybody has left

    def prepare(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        command = [_postgres("initdb"), "-D", str(self.data_folder), "-U", "root"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run([*_as_postgres(), *command], check=True, capture_output=True)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 300,
            "shared_buffers": "16MB",
        }
        command = [*_as_postgres(), _postgres("postgres"), "-D", str(self.data_folder)]
        return command + [word for name in settings for word in ("-c", f"{name}={settings[name]}")]


def _as_postgres() -> list[str]:
    """PostgreSQL refuses root. `setpriv` execs, so the child's pid is the server's."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _postgres(program: str) -> str:
    folders = [str(found) for found in sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    return shutil.which(program, path=":".join([*reversed(folders), os.environ["PATH"]])) or (
        absent(f"{program} is not here")
    )


@contextmanager
def private_server(kind: str) -> Iterator[PrivateServer]:
    """One of SERVERS, started, with an empty data base; gone with its data afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-server-"))
    made = {"mariadb": PrivateMariaDB, "mysql": PrivateMySQL, "postgresql": PrivatePostgreSQL}
    server: PrivateServer = made[kind](folder)
    try:
        server.prepare()
        server.start()
        charset = " CHARACTER SET utf8mb4" if server.kind == "mysql" else ""
        server.run(f"CREATE DATABASE {NAME}{charset}")
        yield server
    finally:
        if server._running is not None:
            server.kill()
        shutil.rmtree(folder)
