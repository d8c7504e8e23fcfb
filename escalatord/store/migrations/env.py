"""Where Alembic meets our connection: the transaction is the caller's, so an upgrade happens whole or not at all."""

from alembic import context

from escalatord.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite changes a table by copying it.
    render_as_batch=True,
    # We begin and commit ourselves, and SQLite takes part in that with table definitions too.
    transactional_ddl=True,
)
context.run_migrations()
