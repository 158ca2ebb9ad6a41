"""Data sets, their uploads and versions, what a run used."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql

from tandem.server.db.migrations.adopt import adopt

revision = "0003"
down_revision = "0002"

METADATA = MetaData()
Key = BigInteger().with_variant(Integer(), "sqlite")
LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
Instant = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")

DATA_SETS = (
    Table(
        "md_dataset",
        METADATA,
        Column("name_hash", String(64), primary_key=True),
        Column("name", String(255), nullable=False),
        Column("status", String(20), nullable=False),
        Column("type", String(50)),
        Column("kind", String(50)),
        Column("archive_sha256", String(64)),
        Column("size_bytes", BigInteger),
        Column("samples", BigInteger),
        Column("errors", BigInteger),
        Column("warnings", BigInteger),
        Column("summary", LongText),
        Column("message", Text),
        Column("created_at", Instant, nullable=False),
        Column("checked_at", Instant),
        Index("idx_dataset_status", "status"),
        Index("idx_dataset_archive", "archive_sha256"),
    ),
    Table(
        "md_dataset_upload",
        METADATA,
        Column("id", String(32), primary_key=True),
        Column("name", String(255), nullable=False),
        Column("type", String(50)),
        Column("status", String(20), nullable=False),
        Column("size_bytes", BigInteger, nullable=False),
        Column("sha256", String(64)),
        Column("blake2b", String(128)),
        Column("dataset", String(255)),
        Column("message", Text),
        Column("created_at", Instant, nullable=False),
        Column("updated_at", Instant, nullable=False),
        Index("idx_upload_status", "status"),
    ),
    Table(
        "md_dataset_version",
        METADATA,
        Column("id", Key, primary_key=True, autoincrement=True),
        Column("name_hash", String(64), nullable=False),
        Column("name", String(255), nullable=False),
        Column("number", Integer, nullable=False),
        Column("digest", String(64), nullable=False),
        Column("signature", String(64), nullable=False),
        Column("type", String(50)),
        Column("files", BigInteger, nullable=False),
        Column("size_bytes", BigInteger, nullable=False),
        Column("samples", BigInteger),
        Column("classes", LongText),
        Column("created_at", Instant, nullable=False),
        Index("idx_dataset_version", "name_hash", "number", unique=True),
        Index("idx_dataset_version_digest", "name_hash", "digest", unique=True),
    ),
    Table(
        "md_task_data",
        METADATA,
        Column("id", Key, primary_key=True, autoincrement=True),
        Column("task_id", String(64), nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("part", String(10), nullable=False),
        Column("name_hash", String(64), nullable=False),
        Column("name", String(255), nullable=False),
        Column("number", Integer),
        Column("digest", String(64)),
        Column("message", Text),
        Index("idx_task_data", "task_id", "attempt", "part", unique=True),
    ),
)

JOBS: tuple[Table, ...] = ()
"""Annotation jobs."""

TABLES = (*DATA_SETS, *JOBS)


def upgrade() -> None:
    adopt(TABLES)


def downgrade() -> None:
    """`tandem.server.db.upgrade` has seen that they are empty."""
    for table in TABLES:
        op.drop_table(table.name, if_exists=True)
