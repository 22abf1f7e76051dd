"""What alembic runs: the steps that are missing, over the connection that the caller has opened."""

from alembic import context

__all__: list[str] = []

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
with context.begin_transaction():
    context.run_migrations()
