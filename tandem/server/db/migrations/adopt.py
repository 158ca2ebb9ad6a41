"""Make tables what a revision says without losing or changing what is there.

A missing table is made; one that exists gets its missing columns and indexes and its narrow texts
widened. Nothing is dropped, renamed or narrowed. Each step looks first, so that an upgrade that was
cut in the middle (MySQL commits at every DDL statement) is finished by the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from alembic import op
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine

from tandem.server.db.migrations.widen import widen
from tandem.spec.errors import SpecError
from tandem.spec.i18n import t

DONE = "tandem_done"


def say(what: str) -> None:
    """Something was done: `upgrade` gives the list to its caller."""
    op.get_bind().info.setdefault(DONE, []).append(what)


def adopt(tables: Sequence[Table]) -> None:
    """Make or complete `tables`. SpecError, before anything is changed, where that cannot be."""
    connection = op.get_bind()
    found = set(inspect(connection).get_table_names())
    for table in tables:
        if table.name in found:
            _check(connection, table)
    for table in tables:
        if table.name in found:
            _complete(connection, table)
        else:
            connection.execute(CreateTable(_as_its_neighbours(connection, table)))
            say(t("Created the table {table}.", table=table.name))
        _add_indexes(connection, table, table.name not in found)


def _check(connection: Connection, table: Table) -> None:
    """Refuse a table of the same name that cannot be ours."""
    have = {column["name"]: column for column in inspect(connection).get_columns(table.name)}
    for key in [column.name for column in table.primary_key] + ["task_id"]:
        if key in table.columns and key not in have:
            raise SpecError(
                "The table {table} has no column {column}: it is not the one of a distillation.",
                table=table.name,
                column=key,
                fix="Rename it, or set TANDEM_DATABASE_URL to another data base.",
            )
    for name, column in have.items():
        if name not in table.columns and _must_be_given(column):
            raise SpecError(
                "The column {table}.{column} is not Tandem's, and no row goes in without it.",
                table=table.name,
                column=name,
                fix="Give it a default, or let it be NULL.",
            )
    if "id" in table.columns and not _counts_up(connection, have["id"]):
        raise SpecError(
            "The column {table}.{column} does not count up by itself.",
            table=table.name,
            column="id",
            fix="Make it AUTO_INCREMENT (PostgreSQL: an identity).",
        )


def _must_be_given(column: Any) -> bool:
    filled = column.get("identity") or column.get("computed") or column.get("autoincrement") is True
    return not column["nullable"] and column["default"] is None and not filled


def _counts_up(connection: Connection, column: Any) -> bool:
    if connection.dialect.name == "sqlite":
        return str(column["type"]) == "INTEGER"
    return bool(column.get("identity") or column["default"] or column.get("autoincrement") is True)


def _complete(connection: Connection, table: Table) -> None:
    have = {column["name"]: column for column in inspect(connection).get_columns(table.name)}
    for column in table.columns:
        old = have.get(column.name)
        if old is None:
            op.add_column(table.name, _addable(column))
            say(t("Added the column {table}.{column}.", table=table.name, column=column.name))
        elif _is_narrower(connection, old, column.type):
            widen(connection, table.name, column.name, column.type)
            say(
                t(
                    "Widened the column {table}.{column} from {old} to {new}.",
                    table=table.name,
                    column=column.name,
                    old=old["type"],
                    new=column.type.compile(connection.dialect),
                )
            )


def _addable(column: Column[Any]) -> Column[Any]:
    """As rows there have no value for it: its default, else nothing."""
    default = column.server_default
    nullable = column.nullable or default is None
    return Column(
        column.name,
        column.type,
        nullable=nullable,
        server_default=getattr(default, "arg", None),
    )


def _is_narrower(connection: Connection, old: Any, new: TypeEngine[Any]) -> bool:
    if not isinstance(new, String):
        return False
    if isinstance(old["type"], Integer):
        return True
    if connection.dialect.name == "sqlite" or not isinstance(old["type"], String):
        return False  # SQLite counts no characters
    if isinstance(old["type"], Text) or old["type"].length is None:
        return False
    if isinstance(new, Text):
        return old["default"] is None  # MySQL lets no text have one
    return bool(new.length and old["type"].length < new.length)


def add_indexes(table: Table) -> None:
    """Those that an existing table lacks."""
    _add_indexes(op.get_bind(), table, is_new=False)


def _add_indexes(connection: Connection, table: Table, is_new: bool) -> None:
    for unique, name, columns in _wanted(table):
        if _has_index(connection, table.name, columns, unique):
            continue
        named = ", ".join(columns)
        if unique and _has_doubles(connection, table, columns):
            unique = False
            say(
                t(
                    "Rows of {table} share a value of {columns}: its index is not unique.",
                    table=table.name,
                    columns=named,
                )
            )
            if _has_index(connection, table.name, columns, unique):
                continue
        op.create_index(
            _free_name(connection, name, table.name), table.name, columns, unique=unique
        )
        if not is_new:
            say(t("Added an index on {table} ({columns}).", table=table.name, columns=named))


def _wanted(table: Table) -> Iterable[tuple[bool, str, list[str]]]:
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            columns = [column.name for column in constraint.columns]
            yield True, f"uk_{'_'.join(columns)}", columns
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        yield bool(index.unique), str(index.name), [column.name for column in index.columns]


def _has_index(connection: Connection, table: str, columns: list[str], unique: bool) -> bool:
    """Whether an index starts with `columns`, or, if unique, is on them and no others."""
    there = inspect(connection)
    known: list[tuple[bool, Sequence[str | None]]] = [
        (bool(index["unique"]), index["column_names"])
        for index in there.get_indexes(table)
        if not any("where" in option for option in index.get("dialect_options", {}))
    ]
    known += [(True, one["column_names"]) for one in there.get_unique_constraints(table)]
    known.append((True, there.get_pk_constraint(table)["constrained_columns"]))
    if unique:
        return any(is_unique and list(names) == columns for is_unique, names in known)
    return any(list(names[: len(columns)]) == columns for _, names in known)


def _has_doubles(connection: Connection, table: Table, columns: list[str]) -> bool:
    keys = [table.columns[name] for name in columns]
    doubles = select(*keys).group_by(*keys).having(func.count() > 1)
    present = [key.is_not(None) for key in keys]
    return connection.execute(doubles.where(*present).limit(1)).first() is not None


def _free_name(connection: Connection, name: str, table: str) -> str:
    """MySQL holds an index's name once for a table, the others once for a schema."""
    there = inspect(connection)
    tables = [table] if connection.dialect.name == "mysql" else there.get_table_names()
    taken = {index["name"] for one in tables for index in there.get_indexes(one)}
    taken |= {index["name"] for one in tables for index in there.get_unique_constraints(one)}
    return name if name not in taken else f"{name}_{table}"


def _as_its_neighbours(connection: Connection, table: Table) -> Table:
    """MySQL compares no two texts of different collations: take the one installed tables have."""
    copy = table.to_metadata(MetaData())
    if connection.dialect.name != "mysql":
        return copy
    copy.dialect_kwargs["mysql_engine"] = "InnoDB"
    copy.dialect_kwargs["mysql_charset"] = "utf8mb4"
    installed = connection.execute(
        text(
            "SELECT collation_name FROM information_schema.columns WHERE table_schema = DATABASE()"
            " AND table_name = 'md_training_task' AND column_name = 'task_id'"
        )
    ).scalar()
    if str(installed).startswith("utf8mb4"):
        copy.dialect_kwargs["mysql_collate"] = installed
    return copy
