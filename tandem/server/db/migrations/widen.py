"""Make a column hold more; its values, default, comment, indexes and neighbours stay."""

from __future__ import annotations

import re
from typing import Any

from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.types import TypeEngine

from tandem.spec.errors import SpecError

_NUMBER_OR_TEXT = r"\w+(?:\s*\([^)]*\))?(?:\s+unsigned)?(?:\s+zerofill)?"


def widen(connection: Connection, table: str, column: str, to: TypeEngine[Any]) -> None:
    """Change the type of `column`; numbers become their digits."""
    wanted = to.compile(connection.dialect)
    if connection.dialect.name == "sqlite":
        _rebuild(connection, table, column, wanted)
    elif connection.dialect.name == "postgresql":
        op.alter_column(table, column, type_=to, postgresql_using=f'"{column}"::{wanted}')
    else:
        _modify(connection, table, column, wanted)


def _modify(connection: Connection, table: str, column: str, wanted: str) -> None:
    """MODIFY wants the whole definition again: the server's own words but for the type."""
    made = connection.exec_driver_sql(f"SHOW CREATE TABLE `{table}`").one()[1]
    found = re.search(rf"^\s*`{column}` {_NUMBER_OR_TEXT}(.*?),?$", made, re.MULTILINE)
    if found is None:
        raise _not_understood(table, column)
    rest = found[1].replace("%", "%%")  # the driver's own escape
    connection.exec_driver_sql(f"ALTER TABLE `{table}` MODIFY COLUMN `{column}` {wanted}{rest}")


def _rebuild(connection: Connection, table: str, column: str, wanted: str) -> None:
    """SQLite changes no type: its manual's way (lang_altertable.html, 7). Foreign keys are off."""
    statement = text(
        "SELECT type, sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
    )
    parts = connection.execute(statement, {"table": table}).all()
    made = next(sql for type_, sql in parts if type_ == "table")
    typed, changed = re.subn(
        rf"([(,]\s*[\"`\[]?{column}[\"`\]]?\s+){_NUMBER_OR_TEXT}", rf"\g<1>{wanted}", made,
        count=1, flags=re.IGNORECASE,
    )  # fmt: skip
    named, renamed = re.subn(
        rf"^(\s*CREATE\s+TABLE\s+)[\"`\[]?{table}[\"`\]]?", rf'\g<1>"{table}_new"', typed,
        count=1, flags=re.IGNORECASE,
    )  # fmt: skip
    if not changed or not renamed:
        raise _not_understood(table, column)
    highest = _highest(connection, table)
    names = [row[1] for row in connection.exec_driver_sql(f'PRAGMA table_info("{table}")')]
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    connection.exec_driver_sql(named)
    connection.exec_driver_sql(
        f'INSERT INTO "{table}_new" ({columns}) SELECT {columns} FROM "{table}"'  # noqa: S608
    )
    connection.exec_driver_sql(f'DROP TABLE "{table}"')
    connection.exec_driver_sql(f'ALTER TABLE "{table}_new" RENAME TO "{table}"')
    for type_, sql in parts:
        if type_ != "table":
            connection.exec_driver_sql(sql)
    if highest is not None:
        again = text("UPDATE sqlite_sequence SET seq = :highest WHERE name = :table")
        connection.execute(again, {"highest": highest, "table": table})


def _highest(connection: Connection, table: str) -> int | None:
    """The highest key an AUTOINCREMENT ever gave."""
    there = text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")
    if connection.execute(there).scalar() is None:
        return None
    asked = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    found: int | None = connection.execute(asked, {"table": table}).scalar()
    return found


def _not_understood(table: str, column: str) -> SpecError:
    return SpecError(
        "The definition of {table}.{column} is not understood.",
        table=table,
        column=column,
        fix="Make it varchar(100) by hand, and upgrade again.",
    )
