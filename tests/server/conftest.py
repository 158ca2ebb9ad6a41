"""Empty data bases of every kind; services that are down are started."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url as parsed

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.db.database import Database
from tandem.server.db.tables import Table
from tandem.server.settings import ServerSettings, read
from tests.server import mysql_server
from tests.server.machine import absent, listens

KINDS = ("sqlite", "mariadb", "mysql", "postgresql")
SERVERS = KINDS[1:]
PORTS = {"mariadb": 3306, "postgresql": 5432}
ADMIN = {
    "mariadb": "mysql+pymysql://root@127.0.0.1:{port}/test",
    "mysql": "mysql+pymysql://root@127.0.0.1:{port}",
    "postgresql": "postgresql+psycopg://root@127.0.0.1:{port}/postgres",
}


def admin_url(kind: str) -> str:
    """The administrator's address at a server that answers; the machine's own is started if down.

    Without one: fails under CI, else skips.
    """
    if kind == "mysql":
        return ADMIN[kind].format(port=mysql_server.shared())
    _start_service(kind)
    return ADMIN[kind].format(port=PORTS[kind])


def _start_service(kind: str) -> None:
    if listens(PORTS[kind]):
        return
    if kind == "mariadb" and shutil.which("mariadbd", path="/usr/sbin:/usr/bin"):
        command = ["start-stop-daemon", "--start", "--oknodo", "--background"]
        subprocess.run([*command, "--exec", "/usr/sbin/mariadbd"], check=False)
    elif kind == "postgresql" and shutil.which("pg_ctlcluster"):
        versions = sorted(p.name for p in Path("/etc/postgresql").iterdir())
        command = ["pg_ctlcluster", "--skip-systemctl-redirect", versions[-1], "main", "start"]
        subprocess.run(command, check=False)
    until = time.monotonic() + 30
    while not listens(PORTS[kind]):
        if time.monotonic() > until:
            absent(f"{kind} is not here")
        time.sleep(0.1)


@pytest.fixture
def make_url(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """`make_url(kind)`: the address of a new, empty data base; dropped after the test."""
    yield from _urls(tmp_path)


@pytest.fixture(scope="module")
def module_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The same, dropped after the module's tests."""
    yield from _urls(tmp_path_factory.mktemp("databases"))


def _urls(folder: Path) -> Iterator[Callable[[str], str]]:
    made: list[tuple[str, str]] = []

    def make(kind: str) -> str:
        name = f"tandem_{uuid.uuid4().hex[:12]}"
        if kind == "sqlite":
            return f"sqlite:///{folder / name}.db"
        server = parsed(admin_url(kind))
        _admin(kind, f"CREATE DATABASE {name}{_charset(kind)}")
        made.append((kind, name))
        plain = server.set(drivername=server.get_backend_name(), database=name)
        return plain.render_as_string(hide_password=False)

    yield make
    for kind, name in made:
        _admin(kind, f"DROP DATABASE {name}" + (" WITH (FORCE)" if kind == "postgresql" else ""))


def _charset(kind: str) -> str:
    return " CHARACTER SET utf8mb4" if kind in ("mariadb", "mysql") else ""


def _admin(kind: str, statement: str) -> None:
    engine = create_engine(admin_url(kind), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, make_url: Callable[[str], str]) -> str:
    """An empty data base of each kind in turn."""
    return make_url(request.param)


MakeUrl = Callable[[str], str]


@pytest.fixture(scope="session")
def tables_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeUrl]:
    """`tables_url(kind)`: the address of the session's own data base, whose tables are there."""
    addresses: dict[str, str] = {}
    urls = _urls(tmp_path_factory.mktemp("made"))
    make = next(urls)

    def address(kind: str) -> str:
        if kind not in addresses:
            url = make(kind)
            database = Database(url)
            Table.metadata.create_all(database.engine)
            database.close()  # SQLite puts its log into the file, which may then be copied
            addresses[kind] = url
        return addresses[kind]

    yield address
    next(urls, None)


@pytest.fixture(params=KINDS)
def database(
    request: pytest.FixtureRequest, tables_url: MakeUrl, tmp_path: Path
) -> Iterator[Database]:
    """Empty tables, of each kind in turn."""
    yield from _empty(request.param, tables_url, tmp_path)


@pytest.fixture
def sqlite(tables_url: MakeUrl, tmp_path: Path) -> Iterator[Database]:
    """Empty tables, in SQLite."""
    yield from _empty("sqlite", tables_url, tmp_path)


def _empty(kind: str, tables_url: MakeUrl, folder: Path) -> Iterator[Database]:
    """A file is copied. A server's tables are emptied: making them anew takes a second."""
    url = tables_url(kind)
    if kind == "sqlite":
        file = folder / f"tandem_{uuid.uuid4().hex[:12]}.db"
        shutil.copyfile(url.removeprefix("sqlite:///"), file)
        url = f"sqlite:///{file}"
    database = Database(url)
    if kind != "sqlite":
        with database.engine.begin() as connection:
            for table in reversed(Table.metadata.sorted_tables):
                connection.execute(table.delete())
    yield database
    database.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A TANDEM_HOME of the test's own."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def settings_of(home: Path) -> Callable[..., ServerSettings]:
    """`settings_of(url, TANDEM_CPU_SLOTS="2")`: the service's settings from an environment."""

    def make(url: str, **env: str) -> ServerSettings:
        return read({"TANDEM_HOME": str(home), "TANDEM_DATABASE_URL": url, **env}, port=0)

    return make


@pytest.fixture
def client(sqlite: Database, settings_of: Callable[..., ServerSettings]) -> Iterator[TestClient]:
    """The service in this process, on SQLite, with an executor that starts no process.

    `client.app.state.context` has its parts; the dispatcher does not run.
    """
    url = sqlite.url.render_as_string(hide_password=False)
    app = create_app(settings_of(url), FakeExecutor())
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def on_each(database: Database, settings_of: Callable[..., ServerSettings]) -> Iterator[TestClient]:
    """The service in this process, on each data base in turn."""
    url = database.url.render_as_string(hide_password=False)
    app = create_app(settings_of(url), FakeExecutor())
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client
