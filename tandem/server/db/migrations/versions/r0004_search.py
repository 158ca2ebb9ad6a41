"""What keywords are looked up in: the letters of the tasks' texts."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table

from tandem.server.db.migrations import search_index
from tandem.server.db.migrations.adopt import adopt

revision = "0004"
down_revision = "0003"

METADATA = MetaData()
NUMBERS = Table(
    "md_search_number",
    METADATA,
    Column("n", Integer, primary_key=True, autoincrement=False),
)
TABLES = (
    Table(
        "md_search_gram",
        METADATA,
        Column("gram", String(3), primary_key=True),
        Column("task_key", BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    ),
    NUMBERS,
)


def upgrade() -> None:
    adopt(TABLES)
    search_index.make(op.get_bind(), NUMBERS)


def downgrade() -> None:
    search_index.drop(op.get_bind())
    for table in TABLES:
        op.drop_table(table.name, if_exists=True)
