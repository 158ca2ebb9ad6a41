"""Engine and sessions: one data base, whichever of the three it is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import CursorResult, Engine, Update, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from tandem.spec.errors import SpecError

DRIVERS = {
    "sqlite": "sqlite",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
BUSY_SECONDS = 15
TRIES = 6
# MySQL: deadlock, lock wait. PostgreSQL: serialization, deadlock.
_AGAIN = {1213, 1205, "40001", "40P01"}
T = TypeVar("T")


def address(text: str) -> URL:
    """The URL with its driver. SpecError on one that is none of ours; it never shows a password."""
    try:
        url = make_url(text)
    except ArgumentError:
        url = URL.create("?")
    driver = DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise SpecError(
            "The database address is none that Tandem speaks.",
            got=url.get_backend_name(),
            allowed=["sqlite:///file", "mysql://user@host/name", "postgresql://user@host/name"],
            fix="Mend TANDEM_DATABASE_URL.",
        )
    if driver == "sqlite" and url.database in {None, "", ":memory:"}:
        raise SpecError(
            "A data base in memory is lost with its process.",
            fix="Give a file: TANDEM_DATABASE_URL=sqlite:////folder/tandem.db.",
        )
    if driver.startswith("mysql") and "charset" not in url.query:
        url = url.update_query_dict({"charset": "utf8mb4"})
    return url.set(drivername=driver)


class Database:
    """The data base. `read()` and `write()` give sessions; `write()` commits once, at its end."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.url = address(url)
        self.engine = _engine(self.url, pool_size)
        # SQLite lets one write at a time: whoever will write says so at the start, and waits.
        self._writing = self.engine.execution_options(tandem_write=True)

    @property
    def dialect(self) -> str:
        """`sqlite`, `mysql`, `mariadb` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def run(self, work: Callable[[Session], T]) -> T:
        """`work` in one write transaction; again from its start where the data base asks for it."""
        for left in reversed(range(TRIES)):
            try:
                with self.write() as session:
                    return work(session)
            except DBAPIError as error:
                if not left or not is_transient(error):
                    raise
                time.sleep(random.uniform(0.005, 0.05) * (TRIES - left))  # noqa: S311
        raise AssertionError("unreachable")

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except OperationalError:
            return False
        return True

    def close(self) -> None:
        self.engine.dispose()


def changed_rows(session: Session, statement: Update) -> int:
    """Do an UPDATE and tell how many rows it found: the compare-and-set of all who may race.

    Objects that the session holds are not brought up to date: nobody reads them after it.
    """
    done = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(done, CursorResult)
    return done.rowcount


def is_transient(error: DBAPIError) -> bool:
    """A deadlock, a lock wait or a busy SQLite: the same transaction may pass in a moment."""
    original: Any = error.orig
    # PyMySQL has both: its own number first among the arguments, and a state that says less.
    codes = {getattr(original, "sqlstate", None), *getattr(original, "args", ())[:1]}
    return not codes.isdisjoint(_AGAIN) or "database is locked" in str(original)


def _engine(url: URL, pool_size: int) -> Engine:
    options: dict[str, object] = {"pool_pre_ping": True, "pool_size": pool_size, "max_overflow": 20}
    dialect = url.get_backend_name()
    if dialect == "sqlite":
        engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=20,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _on_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options["pool_recycle"] = 1800
    options["pool_timeout"] = 10
    if dialect == "mysql":
        options["isolation_level"] = "READ COMMITTED"  # a long read must not see an old world
        options["connect_args"] = {"connect_timeout": 5, "read_timeout": 30, "write_timeout": 30}
    else:
        options["connect_args"] = {"connect_timeout": 5}
    return create_engine(url, **options)


def _on_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy says BEGIN, below
    for pragma in (
        "journal_mode=WAL",
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    writing = connection.get_execution_options().get("tandem_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
