"""The schema of the data base: what it is, and how it becomes this version's.

Alembic is imported only where something is to be changed: a server that finds its schema current
starts without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, NullPool, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from tandem.server.db.database import Database
from tandem.server.db.schema_faults import busy, fault, file_of, prepare_file
from tandem.spec.errors import SpecError
from tandem.spec.i18n import t

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "md_alembic_version"
REVISIONS = ("0001", "0002", "0003", "0004")
"""Oldest first. A test holds it against the scripts."""
CONTRACT = frozenset(
    {"md_training_task", "md_training_history", "md_lora_preset", "md_model_evaluation"}
)
EPHEMERAL = frozenset({"md_lease", "md_search_gram", "md_search_number"})
"""Rows that nobody misses, or that are made again."""
LOCK_SECONDS = 60
_LOCK_NUMBER = 7_264_326_001  # PostgreSQL: any, but always the same


class SchemaState(StrEnum):
    EMPTY = "empty"
    UNADOPTED = "unadopted"
    """An installed system's tables, which no upgrade has seen to its end."""
    BEHIND = "behind"
    CURRENT = "current"
    NEWER = "newer"


@dataclass(frozen=True)
class SchemaStatus:
    state: SchemaState
    revision: str | None
    head: str


def head() -> str:
    """This version's revision."""
    return REVISIONS[-1]


def status(database: Database) -> SchemaStatus:
    """What is there; nothing is changed or made. SpecError if the data base cannot be used."""
    if database.dialect == "sqlite" and not file_of(database.url).exists():
        return SchemaStatus(SchemaState.EMPTY, None, head())
    try:
        with database.engine.connect() as connection:
            return _status(connection)
    except DBAPIError as error:
        raise fault(database.url, error) from error


def upgrade(database: Database) -> list[str]:
    """Make the schema this version's; the sentences say what was done, none if nothing was.

    Two at once wait for each other. SpecError if it is newer than this version, or cannot be.
    """
    with _alone(database) as connection:
        found = _status(connection)
        if found.state is SchemaState.NEWER:
            raise _newer(found)
        if found.state is SchemaState.CURRENT:
            return []
        from alembic import command

        command.upgrade(_config(connection), head())
        return _done(connection)


def downgrade(database: Database, revision: str) -> list[str]:
    """Go back to `revision`. SpecError if a row, or a table of installed systems, would go."""
    if revision not in REVISIONS:
        raise SpecError(
            "There is no revision {revision} to go back to.",
            revision=revision,
            allowed=REVISIONS,
            fix="The tables of installed systems are never taken away; a backup can be restored.",
        )
    with _alone(database) as connection:
        found = _status(connection)
        if found.state is SchemaState.NEWER:
            raise _newer(found)
        if found.revision is None or found.revision <= revision:
            return []
        _check_nothing_is_lost(connection)
        from alembic import command

        command.downgrade(_config(connection), revision)
        return [t("Went back to revision {revision}.", revision=revision)]


def check_at_start(database: Database) -> list[str]:
    """SQLite is upgraded; a server's data base must be current. SpecError, with the fix, if not."""
    found = status(database)
    if found.state is SchemaState.CURRENT:
        return []
    if found.state is SchemaState.NEWER:
        raise _newer(found)
    if database.dialect == "sqlite":
        return upgrade(database)
    raise SpecError(
        "The data base {name} is not ready for this version of Tandem ({state}).",
        name=database.url.database or "-",
        state=found.state.value,
        fix="Back it up, then run `tandem db upgrade`: it adds what is missing and loses no row.",
    )


def _status(connection: Connection) -> SchemaStatus:
    tables = set(inspect(connection).get_table_names())
    found: list[str] = []
    if VERSION_TABLE in tables:
        asked = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608
        found = list(connection.execute(asked).scalars())
    if not found:
        state = SchemaState.UNADOPTED if tables & CONTRACT else SchemaState.EMPTY
        return SchemaStatus(state, None, head())
    revision = max(found)
    if any(one not in REVISIONS for one in found):
        return SchemaStatus(SchemaState.NEWER, revision, head())
    state = SchemaState.CURRENT if revision == head() else SchemaState.BEHIND
    return SchemaStatus(state, revision, head())


def _newer(found: SchemaStatus) -> SpecError:
    return SpecError(
        "The data base has revision {revision}, made by a newer Tandem; this one knows {head}.",
        revision=found.revision,
        head=found.head,
        fix="Install that version, or restore the backup of before its upgrade.",
    )


def _check_nothing_is_lost(connection: Connection) -> None:
    """What a way back takes away must be empty. There is one such way: to the contract's tables."""
    for table in inspect(connection).get_table_names():
        if not table.startswith("md_") or table in CONTRACT | EPHEMERAL | {VERSION_TABLE}:
            continue
        known = table in _own_tables()
        if known and connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first():  # noqa: S608
            raise SpecError(
                "The table {table} holds rows, and would be lost.",
                table=table,
                fix="Restore the backup of before the upgrade instead.",
            )


def _own_tables() -> frozenset[str]:
    from tandem.server.db.tables import Table

    return frozenset(Table.metadata.tables) - CONTRACT


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _done(connection: Connection) -> list[str]:
    from tandem.server.db.migrations.adopt import DONE

    return list(connection.info.get(DONE, []))


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A connection of its own in one transaction, while no other upgrades. Drivers' errors told."""
    ways = {"sqlite": _alone_in_file, "postgresql": _alone_in_postgresql}
    try:
        with ways.get(database.dialect, _alone_in_mysql)(database) as connection:
            yield connection
    except DBAPIError as error:
        raise fault(database.url, error) from error


@contextmanager
def _alone_in_file(database: Database) -> Iterator[Connection]:
    prepare_file(database.url)
    with database.engine.connect().execution_options(tandem_write=True) as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys=OFF")  # a table that is rebuilt must take no row along
        driver.execute("PRAGMA legacy_alter_table=ON")
        connection.detach()  # so that nobody gets it afterwards
        with connection.begin():
            yield connection


@contextmanager
def _alone_in_mysql(database: Database) -> Iterator[Connection]:
    # A big table takes its time: no time-out on reading, unlike the service's connections.
    engine = create_engine(database.url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        # Installed rows may hold '0000-00-00', which a stricter mode refuses to copy.
        connection.exec_driver_sql("SET SESSION sql_mode = 'STRICT_TRANS_TABLES'")
        connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
        name = connection.execute(text("SELECT DATABASE()")).scalar() or ""
        # Here and not there: MySQL has no MD5 of its own since 9.6. Earlier versions of Tandem, who
        # asked it for one, take the same lock.
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:16]
        asked = text("SELECT GET_LOCK(:name, :seconds)")
        wanted = {"name": f"md_upgrade.{digest}", "seconds": LOCK_SECONDS}
        if connection.execute(asked, wanted).scalar() != 1:
            raise busy()
        connection.commit()
        with connection.begin():
            yield connection


@contextmanager
def _alone_in_postgresql(database: Database) -> Iterator[Connection]:
    engine = create_engine(database.url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({_LOCK_NUMBER})")
        connection.commit()
        with connection.begin():
            yield connection
