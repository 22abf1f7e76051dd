"""Dumps of databases of released schemas, for test_schema.py.

``python -m tests.server.schema_dump`` writes those of the present schema. Do it once for each release that has a new
step; a dump of a released schema is never made anew.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa

from autolog.server import database
from autolog.server.index import refreshing
from autolog.server.storage.local import LocalStorage

FOLDER = Path(__file__).with_name("schemas")
RUN = "20261122-111134-537-9f3c2a81"
JOURNAL = b"""{"type":"run","time":1.0,"id":"20261122-111134-537-9f3c2a81","name":"calm-otter-01","project":"lab"}
{"type":"params","time":1.5,"values":{"lr":0.1}}
{"type":"metrics","time":2.0,"values":{"loss":0.5},"step":1}
{"type":"end","time":3.0,"status":"completed","exit_code":0}
"""


def fill(engine: sa.Engine, folder: Path) -> None:
    """What a database of some use has: a user, a project, a run."""
    directory = folder / "lab" / RUN
    directory.mkdir(parents=True)
    (directory / "journal.jsonl").write_bytes(JOURNAL)
    refreshing.refresh(engine, LocalStorage(folder), ("lab", RUN))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (name, admin, created_at, disabled) VALUES ('bob', true, 1.0, false)"
        )
        connection.exec_driver_sql("INSERT INTO projects (project, public, created_at) VALUES ('lab', false, 1.0)")
        connection.exec_driver_sql("INSERT INTO members (project, user_name, role) VALUES ('lab', 'bob', 'admin')")


def main() -> None:
    from tests.stores import Postgres, _binaries

    binaries = _binaries()
    assert binaries is not None, "this needs PostgreSQL"
    FOLDER.mkdir(exist_ok=True)
    cluster = Postgres(binaries)
    folder = Path(tempfile.mkdtemp())
    try:
        cluster.start()
        url = cluster.create()
        for name, where in (("sqlite", ""), ("postgresql", url)):
            engine = database.connect(folder / name, where)
            database.migrate(engine)
            fill(engine, folder / f"{name}-runs")
            target = FOLDER / f"{database.revision(engine)}.{name}.sql"
            engine.dispose()
            if where:
                words = [str(binaries / "pg_dump"), "--no-owner", "--no-privileges", "--inserts", url]
                text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            else:
                connection = sqlite3.connect(folder / name / database.FILE)
                text = "\n".join(connection.iterdump())
                connection.close()
            lines = [line for line in text.splitlines() if line and not line.startswith(("--", "\\"))]
            target.write_text("\n".join(lines) + "\n")
            print(target)
    finally:
        cluster.end(signal.SIGQUIT)
        shutil.rmtree(cluster.folder)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
