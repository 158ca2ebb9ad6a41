"""Run by Alembic; `tandem.server.db.upgrade` holds the connection, the lock and the transaction."""

from alembic import context

from tandem.server.db.tables import Table
from tandem.server.db.upgrade import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    version_table=VERSION_TABLE,
    compare_type=True,
)
context.run_migrations()
