"""Tables for the bytes of runs, where they are kept in PostgreSQL and S3; and the numbers of news."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["chunks", "files", "garbage", "metadata", "news", "pieces", "published", "streams"]

metadata = sa.MetaData()

news = sa.Table(  # the number of the last change of a project's runs that was told
    "news",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)

streams = sa.Table(  # journals and consoles
    "streams",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("removed", sa.Double, primary_key=True),  # when the run was taken away; 0: it is there
    sa.Column("stream", sa.Text, nullable=False),  # random: a journal that begins anew is another one
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("packed", sa.BigInteger, nullable=False),  # bytes from the beginning on that are in ``object``
    sa.Column("object", sa.Text),
    sa.Column("changed_at", sa.Double, nullable=False),
)

chunks = sa.Table(  # their bytes, as they came
    "chunks",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("begin", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

files = sa.Table(  # files that are whole; their bytes are objects
    "files",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("removed", sa.Double, primary_key=True),  # when the run was taken away; 0: it is there
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
)

pieces = sa.Table(  # of files that are not whole yet
    "pieces",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("begin", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
)

garbage = sa.Table(  # objects that nothing names any more, to be deleted
    "garbage",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("since", sa.Double, nullable=False),
)

published = sa.Table(  # objects that other programs read in place, by their names, which begin with the project
    "published",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)
