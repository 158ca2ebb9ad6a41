"""Triggers that keep `md_search_gram`: which tasks have which three letters in a row.

Of the data base itself, as installed systems write tasks too. Each is one INSERT for each text,
over the numbers of `md_search_number`; nothing is deleted, as whoever searches compares the texts
as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

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


@dataclass(frozen=True)
class _Dialect:
    """What the data bases call differently."""

    insert: str
    """Adds rows, and passes over those that are there: with what `after` says at its end."""
    length: str
    """Counts letters."""
    size: str
    """Counts the bytes of a text in UTF-8."""
    after: str = ""


_DIALECTS = {
    "mysql": _Dialect("INSERT IGNORE", "CHAR_LENGTH", "LENGTH(CONVERT({} USING utf8mb4))"),
    "sqlite": _Dialect("INSERT OR IGNORE", "LENGTH", "LENGTH(CAST({} AS BLOB))"),
    "postgresql": _Dialect(
        "INSERT", "CHAR_LENGTH", "OCTET_LENGTH({})", after=" ON CONFLICT DO NOTHING"
    ),
}


def _inserts(connection: Connection, row: str, source: str = "") -> Iterator[str]:
    """What puts the grams of `row`, of the table `source` or a trigger, into the index."""
    says = _DIALECTS[connection.dialect.name]
    into = f"{says.insert} INTO md_search_gram (gram, task_key)"
    tables = f"md_search_number n{source and f', {source}'}"

    def put(gram: str, fits: str) -> str:
        return f"{into} SELECT {gram}, {row}.id FROM {tables} WHERE {fits}{says.after}"

    for column in TEXTS:
        found = f"LOWER({row}.{column})"
        length = f"{says.length}({found})"
        yield put(f"SUBSTR({found}, n.n, 3)", f"n.n <= {length} - 2")
        pair = f"SUBSTR({found}, n.n, 2)"
        # Of ASCII they are too common to be worth their room.
        no_ascii = f"{says.size.format(pair)} > {says.length}({pair})"
        yield put(pair, f"n.n <= {length} - 1 AND {no_ascii}")
        yield put("''", f"n.n = 1 AND {length} > {MOST_LETTERS}")


def _made(connection: Connection) -> Iterator[str]:
    body = "; ".join(_inserts(connection, "NEW"))
    run = changed = f"BEGIN {body}; END"
    update = f"UPDATE OF {', '.join(TEXTS)}"
    match connection.dialect.name:
        case "postgresql":
            yield (
                f"CREATE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS"
                f" $body$ BEGIN {body}; RETURN NULL; END $body$"
            )
            run = changed = f"EXECUTE PROCEDURE {FUNCTION}()"
        case "mysql":  # has no UPDATE OF
            update = "UPDATE"
            same = " AND ".join(f"NEW.{one} <=> OLD.{one}" for one in TEXTS)
            changed = f"BEGIN IF NOT ({same}) THEN {body}; END IF; END"
    inserted, updated = TRIGGERS
    on = "ON md_training_task FOR EACH ROW"
    yield f"CREATE TRIGGER {inserted} AFTER INSERT {on} {run}"
    yield f"CREATE TRIGGER {updated} AFTER {update} {on} {changed}"


def _dropped(connection: Connection) -> Iterator[str]:
    on = " ON md_training_task" if connection.dialect.name == "postgresql" else ""
    for name in TRIGGERS:
        yield f"DROP TRIGGER IF EXISTS {name}{on}"
    if connection.dialect.name == "postgresql":
        yield f"DROP FUNCTION IF EXISTS {FUNCTION}()"
