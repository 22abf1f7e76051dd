"""What alembic runs: the steps that are missing, in the transaction that the caller has opened."""

from alembic import context

__all__: list[str] = []

context.configure(connection=context.config.attributes["connection"], target_metadata=None, transactional_ddl=True)
context.run_migrations()
