"""The server's tables: who may do what, and what is known of the runs.

Every primary key of what belongs to a project begins with the project, so that the schema can be sharded by it. The
tables of the index (``runs``, ``fields``, ``metrics`` …) are those of :mod:`autolog.store.schema`.
"""

from __future__ import annotations

import sqlalchemy as sa

from autolog.server.storage import tables as storage_tables
from autolog.store.search import TABLES as INDEX

__all__ = [
    "INDEX", "audit", "compacted", "deleted", "invitations", "leases", "members", "metadata", "projects", "sessions",
    "shares", "throttle", "tokens", "usage", "users", "workspace_members", "workspaces",
]  # fmt: skip

metadata = sa.MetaData()

for _table in (*INDEX.values(), *storage_tables.metadata.tables.values()):
    _table.to_metadata(metadata)
sa.Index("runs_by_start", *(metadata.tables["runs"].c[name] for name in ("project", "archived", "started_at", "run")))

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("public", sa.Boolean, nullable=False, default=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("workspace", sa.Text),  # none: of no workspace
    # None: as the server's settings say.
    sa.Column("quota_bytes", sa.BigInteger),
    sa.Column("quota_runs", sa.BigInteger),
    sa.Column("retention_days", sa.Double),
)

deleted = sa.Table(
    "deleted",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("deleted_at", sa.Double, nullable=False),
    sa.Column("deleted_by", sa.Text, nullable=False),
    sa.Column("purged_at", sa.Double),  # the row stays: what is sent again is not taken for a new run
)

usage = sa.Table(
    "usage",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("since", sa.Double, nullable=False),  # when the run was first here, by the server's clock
)

compacted = sa.Table(
    "compacted",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("stamp", sa.Text, nullable=False),  # of the journals that were published as Parquet
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("admin", sa.Boolean, nullable=False, default=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False, default=False),
    sa.Column("password", sa.Text),  # an argon2id hash with its parameters; none: only tokens speak for the user
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
    sa.Column("made_by", sa.Text),  # id of the token it was made with, which takes it along when it is revoked
)

workspaces = sa.Table(
    "workspaces",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("created_at", sa.Double, nullable=False),
)

workspace_members = sa.Table(
    "workspace_members",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("user_name", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),  # of the cookie
    # What the browser was signed in with: a user's password, or a token or share link whose end is the session's.
    sa.Column("user_name", sa.Text),
    sa.Column("token_hash", sa.Text),
    sa.Column("share_hash", sa.Text),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
)

shares = sa.Table(
    "shares",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("run", sa.Text),  # none: the whole project
    sa.Column("label", sa.Text, nullable=False, default=""),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double),
    sa.Column("revoked_at", sa.Double),
)

invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("user_name", sa.Text, primary_key=True),  # a new one takes the place of the one before
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
)

throttle = sa.Table(
    "throttle",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # a hash of the user's name or the address
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),  # empty: it is about the whole server
    sa.Column("id", sa.Text, primary_key=True),  # sorts by time
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Index("audit_by_time", "id"),
)
