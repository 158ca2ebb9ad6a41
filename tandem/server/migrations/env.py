"""Run by Alembic; `tandem.server.upgrade` holds the connection, the lock and the transaction."""

from alembic import context

from tandem.server.tables import Table
from tandem.server.upgrade import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    version_table=VERSION_TABLE,
    compare_type=True,
)
context.run_migrations()
