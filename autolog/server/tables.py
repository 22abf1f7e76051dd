"""The server's tables: who may do what, and what is known of the runs.

Every primary key of what belongs to a project begins with the project, so that the schema can be sharded by it. The
tables of the index (``runs``, ``fields``, ``metrics`` …) are those of :mod:`autolog.store.schema`.
"""

from __future__ import annotations

import sqlalchemy as sa

from autolog.store.search import TABLES as INDEX

__all__ = ["INDEX", "members", "metadata", "projects", "tokens", "users"]

metadata = sa.MetaData()

for _table in INDEX.values():
    _table.to_metadata(metadata)

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("public", sa.Boolean, nullable=False, default=False),
    sa.Column("created_at", sa.Double, nullable=False),
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("admin", sa.Boolean, nullable=False, default=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False, default=False),
)

members = sa.Table(
    "members",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("user_name", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),  # SHA-256 of 256 random bits: nothing to guess, so no salt
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False, default=""),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("project", sa.Text),  # none: all projects of the user
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double),
    sa.Column("revoked_at", sa.Double),
)
