"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    _access()
    _sharing()
    _signing_in()
    _keeping()
    _index()
    _storage()
    if op.get_bind().dialect.name == "postgresql":
        _compare_by_code_point()


def _access() -> None:
    op.create_table(
        "projects",
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("workspace", sa.Text),
        sa.Column("quota_bytes", sa.BigInteger),
        sa.Column("quota_runs", sa.BigInteger),
        sa.Column("retention_days", sa.Double),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("password", sa.Text),
    )
    op.create_table(
        "members",
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("user_name", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("project", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.Column("made_by", sa.Text),
    )


def _sharing() -> None:
    op.create_table(
        "workspaces", sa.Column("name", sa.Text, primary_key=True), sa.Column("created_at", sa.Double, nullable=False)
    )
    op.create_table("workspace_members", *_keys("workspace", "user_name"), sa.Column("role", sa.Text, nullable=False))
    op.create_table(
        "shares",
        *_keys("project", "id"),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("run", sa.Text),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
    )


def _signing_in() -> None:
    op.create_table(
        "sessions",
        sa.Column("hash", sa.Text, primary_key=True),
        *_texts("user_name", "token_hash", "share_hash"),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_table(
        "invitations",
        sa.Column("user_name", sa.Text, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_table(
        "throttle",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_table(
        "audit",
        *_keys("project", "id"),
        sa.Column("time", sa.Double, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("user_name", "address", "action", "subject")),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["id"])


def _keeping() -> None:
    run = ("project", "run")
    op.create_table(
        "deleted", *_keys(*run),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("deleted_at", sa.Double, nullable=False),
        sa.Column("deleted_by", sa.Text, nullable=False),
        *_numbers("purged_at"),
    )  # fmt: skip
    op.create_table(
        "usage", *_keys(*run),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
    )  # fmt: skip
    op.create_table("compacted", *_keys(*run), sa.Column("stamp", sa.Text, nullable=False))
    op.create_table(
        "leases", *_keys("name"),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )  # fmt: skip


def _index() -> None:
    run = ("project", "run")
    op.create_table(
        "runs", *_keys(*run), *_texts("id", "name", "project_name", "parent", "status", "note"),
        *_numbers("archived", "started_at", "ended_at"), *_texts("stamp"), sa.Column("row", sa.LargeBinary),
    )  # fmt: skip
    op.create_index("runs_by_start", "runs", ["project", "archived", "started_at", "run"])
    op.create_table("progress", *_keys(*run), sa.Column("state", sa.LargeBinary))
    # In SQLite the rows lie within their keys: half the size, and found by one look instead of two.
    within = {"sqlite_with_rowid": False}
    op.create_table("tags", *_keys(*run, "tag"), **within)
    op.create_table("fields", *_keys(*run, "child", "kind", "name"), *_numbers("number"), *_texts("text"), **within)
    op.create_table(
        "metrics", *_keys(*run, "child", "name"),
        *_numbers("last", "min", "max", "count", "last_step", "last_epoch"), **within,
    )  # fmt: skip


def _storage() -> None:
    number, text, bytes_ = sa.BigInteger, sa.Text, sa.LargeBinary
    op.create_table(
        "streams",
        *_keys("project", "run", "name"),
        sa.Column("removed", sa.Double, primary_key=True),
        sa.Column("stream", text, nullable=False),
        sa.Column("size", number, nullable=False),
        sa.Column("packed", number, nullable=False),
        sa.Column("object", text),
        sa.Column("changed_at", sa.Double, nullable=False),
    )
    op.create_table(
        "chunks",
        *_keys("project", "stream"),
        sa.Column("begin", number, primary_key=True, autoincrement=False),
        sa.Column("data", bytes_, nullable=False),
    )
    op.create_table(
        "files",
        *_keys("project", "run", "path"),
        sa.Column("removed", sa.Double, primary_key=True),
        sa.Column("object", text, nullable=False),
        sa.Column("size", number, nullable=False),
        sa.Column("sha256", text, nullable=False),
    )
    op.create_table(
        "pieces",
        *_keys("project", "run", "sha256"),
        sa.Column("begin", number, primary_key=True, autoincrement=False),
        sa.Column("size", number, nullable=False),
        sa.Column("object", text, nullable=False),
    )
    op.create_table("garbage", *_keys("project", "object"), sa.Column("since", sa.Double, nullable=False))
    op.create_table(
        "published",
        *_keys("key"),
        sa.Column("version", text, nullable=False),
        sa.Column("size", number, nullable=False),
    )
    op.create_table("news", *_keys("project"), sa.Column("number", number, nullable=False))


def _compare_by_code_point() -> None:
    """Texts are compared as SQLite and Python do, whatever the language of the database is."""
    bind = op.get_bind()
    inspector = sa.inspect(bind)
    for table in inspector.get_table_names():
        for column in inspector.get_columns(table):
            if isinstance(column["type"], sa.Text):
                op.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column["name"]}" TYPE text COLLATE "C"')


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text) for name in names]


def _numbers(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Double) for name in names]
