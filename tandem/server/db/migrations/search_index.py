"""Triggers that keep `md_search_gram`: which tasks have which three letters in a row.

Of the data base itself, as installed systems write tasks too. Each is one INSERT for each text,
over the numbers of `md_search_number`; nothing is deleted, as whoever searches compares the texts
as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

from sqlalchemy import Connection, Table, insert, select, text
from sqlalchemy.exc import DBAPIError

from tandem.server.db.migrations.adopt import say
from tandem.spec.i18n import t

MOST_LETTERS = 1000
TEXTS = ("task_name", "description", "task_id")
TRIGGERS = ("md_search_inserted", "md_search_updated")
FUNCTION = "md_search_index"


def make(connection: Connection, numbers: Table) -> None:
    """Triggers, then the rows that are there, then the numbers: with them searches use it.

    Without the right to make a trigger there is no index, which is said: searches read all rows.
    """
    if connection.dialect.name == "mysql" and not _same_collations(connection):
        say(_without(t("the texts of md_training_task have several collations")))
        return
    if connection.execute(select(numbers.c.n).limit(1)).first() is None:
        rows = [{"n": n} for n in range(1, MOST_LETTERS + 1)]
        connection.execute(insert(numbers), rows)
    try:
        _make_triggers(connection)
    except DBAPIError as error:
        drop(connection)
        connection.execute(numbers.delete())
        arguments: tuple[object, ...] = getattr(error.orig, "args", ())
        said = str(arguments[1] if len(arguments) > 1 else error.orig)
        say(_without(" ".join(said.split()).rstrip(".")))
        return
    for statement in _inserts(connection, "t", "md_training_task t"):
        connection.exec_driver_sql(statement)


def _make_triggers(connection: Connection) -> None:
    # One that is refused must not take the tables with it. MySQL commits at each of them.
    unmade = nullcontext() if connection.dialect.name == "mysql" else connection.begin_nested()
    with unmade:
        for statement in (*_dropped(connection), *_made(connection)):
            connection.exec_driver_sql(statement)


def drop(connection: Connection) -> None:
    """The triggers; the tables are the revision's."""
    for statement in _dropped(connection):
        connection.exec_driver_sql(statement)


def _without(reason: str) -> str:
    return t(
        "Keywords are searched without an index: {reason}. Mend it, then run"
        " `tandem db downgrade 0003` and `tandem db upgrade`.",
        reason=reason,
    )


def _same_collations(connection: Connection) -> bool:
    """Whether letters that a text takes for the same are the same for the index."""
    found = connection.execute(
        text(
            "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema ="
            " DATABASE() AND (table_name = 'md_search_gram' AND column_name = 'gram' OR table_name"
            " = 'md_training_task' AND column_name IN ('task_name', 'description', 'task_id'))"
        )
    )
    return len(found.all()) == 1


def _inserts(connection: Connection, row: str, source: str) -> Iterator[str]:
    """What puts the grams of `row`, of a table or a trigger, into the index."""
    mysql = connection.dialect.name == "mysql"
    ignore = "IGNORE " if mysql else "OR IGNORE " if connection.dialect.name == "sqlite" else ""
    after = " ON CONFLICT DO NOTHING" if connection.dialect.name == "postgresql" else ""
    into = f"INSERT {ignore}INTO md_search_gram (gram, task_key)"
    also = f", {source}" if source else ""
    length = "LENGTH" if connection.dialect.name == "sqlite" else "CHAR_LENGTH"
    for column in TEXTS:
        found = f"LOWER({row}.{column})"
        for letters in (3, 2):
            gram = f"SUBSTR({found}, n.n, {letters})"
            fits = f"n.n <= {length}({found}) - {letters - 1}"
            if letters == 2:  # of ASCII they are too common to be worth their room
                size = f"LENGTH(CAST({gram} AS BLOB))"
                if mysql:
                    size = f"LENGTH(CONVERT({gram} USING utf8mb4))"
                elif connection.dialect.name == "postgresql":
                    size = f"OCTET_LENGTH({gram})"
                fits += f" AND {size} > {length}({gram})"
            yield (
                f"{into} SELECT {gram}, {row}.id FROM md_search_number n{also} WHERE {fits}{after}"
            )
        too_long = f"{length}({found}) > {MOST_LETTERS}"
        source_of = f" FROM {source}" if source else " FROM md_search_number n"
        one = "" if source else " AND n.n = 1"
        yield f"{into} SELECT '', {row}.id{source_of} WHERE {too_long}{one}{after}"


def _made(connection: Connection) -> Iterator[str]:
    body = "; ".join(_inserts(connection, "NEW", ""))
    inserted, updated = TRIGGERS
    match connection.dialect.name:
        case "postgresql":
            yield (
                f"CREATE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS"
                f" $body$ BEGIN {body}; RETURN NULL; END $body$"
            )
            run = f"FOR EACH ROW EXECUTE PROCEDURE {FUNCTION}()"
            yield f"CREATE TRIGGER {inserted} AFTER INSERT ON md_training_task {run}"
            of = f"UPDATE OF {', '.join(TEXTS)}"
            yield f"CREATE TRIGGER {updated} AFTER {of} ON md_training_task {run}"
        case "sqlite":
            body = f"BEGIN {body}; END"
            yield f"CREATE TRIGGER {inserted} AFTER INSERT ON md_training_task {body}"
            of = f"UPDATE OF {', '.join(TEXTS)}"
            yield f"CREATE TRIGGER {updated} AFTER {of} ON md_training_task {body}"
        case _:
            each = "ON md_training_task FOR EACH ROW"
            yield f"CREATE TRIGGER {inserted} AFTER INSERT {each} BEGIN {body}; END"
            same = " AND ".join(f"NEW.{one} <=> OLD.{one}" for one in TEXTS)
            changed = f"BEGIN IF NOT ({same}) THEN {body}; END IF; END"
            yield f"CREATE TRIGGER {updated} AFTER UPDATE {each} {changed}"


def _dropped(connection: Connection) -> Iterator[str]:
    on = " ON md_training_task" if connection.dialect.name == "postgresql" else ""
    for name in TRIGGERS:
        yield f"DROP TRIGGER IF EXISTS {name}{on}"
    if connection.dialect.name == "postgresql":
        yield f"DROP FUNCTION IF EXISTS {FUNCTION}()"
