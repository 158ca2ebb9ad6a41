"""Tandem's own tables: the queue and its processes, what happened, the lease, answers."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    inspect,
)
from sqlalchemy.dialects import mysql

from tandem.server.db.migrations.adopt import add_indexes, adopt

revision = "0002"
down_revision = "0001"

METADATA = MetaData()
Key = BigInteger().with_variant(Integer(), "sqlite")
Flag = SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")
LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
Instant = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")

# The contract's table, as far as this revision adds to it.
TASKS = Table(
    "md_training_task",
    METADATA,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("task_id", String(64), nullable=False),
    Column("status", String(20)),
    Column("del_flag", Flag),
    Index("idx_task_page", "del_flag", "id"),
    Index("idx_task_page_status", "del_flag", "status", "id"),
)

TABLES = (
    Table(
        "md_task_job",
        METADATA,
        Column("task_id", String(64), primary_key=True),
        Column("spec", LongText),
        Column("run_dir", String(1000)),
        Column("priority", Integer, nullable=False, server_default="0"),
        Column("position", BigInteger),
        Column("queued_at", Instant),
        Column("waiting_reason", String(500)),
        Column("wanted", String(20)),
        Column("wanted_at", Instant),
        Column("live", Flag, nullable=False, server_default="0"),
        Column("attempt", Integer, nullable=False, server_default="0"),
        Column("resumes", Integer, nullable=False, server_default="0"),
        Column("handle", Text),
        Column("devices", String(500)),
        Column("token_hash", String(64)),
        Column("last_seq", BigInteger, nullable=False, server_default="0"),
        Column("offset_bytes", BigInteger, nullable=False, server_default="0"),
        Column("journal", String(32)),
        Column("outcome", String(20)),
        Column("failure_class", String(30)),
        Column("advice", Text),
        Column("heartbeat_at", Instant),
        Column("doing", String(200)),
        Column("step", BigInteger),
        Column("total_steps", BigInteger),
        Column("metrics", Text),
        Index("idx_job_live", "live"),
        Index("idx_job_token", "token_hash"),
        Index("idx_job_position", "position"),
    ),
    Table(
        "md_task_event",
        METADATA,
        Column("id", Key, primary_key=True, autoincrement=True),
        Column("task_id", String(64), nullable=False),
        Column("at", Instant, nullable=False),
        Column("type", String(30), nullable=False),
        Column("body", Text, nullable=False),
        Index("idx_task_event", "task_id", "id"),
    ),
    Table(
        "md_task_attempt",
        METADATA,
        Column("id", Key, primary_key=True, autoincrement=True),
        Column("task_id", String(64), nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("executor", String(50), nullable=False),
        Column("host", String(255), nullable=False),
        Column("devices", String(500)),
        Column("started_at", Instant, nullable=False),
        Column("ended_at", Instant),
        Column("exit_code", Integer),
        Column("outcome", String(20)),
        Column("failure_class", String(30)),
        Column("message", Text),
        Index("idx_task_attempt", "task_id", "attempt", unique=True),
    ),
    Table(
        "md_lease",
        METADATA,
        Column("name", String(50), primary_key=True),
        Column("owner", String(100), nullable=False),
        Column("beat", BigInteger, nullable=False, server_default="0"),
    ),
    Table(
        "md_answered",
        METADATA,
        Column("key_hash", String(64), primary_key=True),
        Column("request_hash", String(64), nullable=False),
        Column("status", Integer, nullable=False),
        Column("body", LongText, nullable=False),
        Column("at", Instant, nullable=False),
    ),
)


def upgrade() -> None:
    adopt(TABLES)
    add_indexes(TASKS)


def downgrade() -> None:
    """`tandem.server.db.upgrade` has seen that they are empty."""
    for table in TABLES:
        op.drop_table(table.name, if_exists=True)
    # Looked for, as MySQL, unlike MariaDB, knows no DROP INDEX IF EXISTS.
    there = {index["name"] for index in inspect(op.get_bind()).get_indexes(TASKS.name)}
    for index in TASKS.indexes:
        if index.name in there:
            op.drop_index(str(index.name), TASKS.name)
