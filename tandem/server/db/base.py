"""What every table is made of, the same on SQLite, MySQL/MariaDB and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, Numeric, SmallInteger, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase

# SQLite counts up by itself only where the key is INTEGER.
Identity = BigInteger().with_variant(Integer(), "sqlite")
Flag = SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")
LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
Instant = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
"""A time in Tandem's own tables; installed systems' columns keep whole seconds."""


def decimal(digits: int, after: int) -> Numeric[float]:
    """decimal(digits, after), read as a float."""
    return Numeric(digits, after, asdecimal=False)


class Table(DeclarativeBase):
    """Keys and columns by plain names; each table starts with `md_`."""

    type_annotation_map: dict[Any, Any] = {}
