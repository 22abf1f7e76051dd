"""Where a server's runs are is said by options; what is wrong with them is said in one line, without passwords."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from autolog.server import database
from tests.waiting import PATIENCE


def autolog(*words, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")}
    return subprocess.run(
        [sys.executable, "-m", "autolog.cli", "server", *words],
        capture_output=True, text=True, timeout=PATIENCE, check=False, env=kept | variables,
    )  # fmt: skip


def test_a_database_that_is_not_there_is_said_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"postgresql://autolog:s3cret@127.0.0.1:{port}/lab"
    done = autolog("tokens", "--data", str(tmp_path), "--database", url)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"postgresql://autolog:***@127.0.0.1:{port}/lab cannot be used" in done.stderr
    assert "refused" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "url", ["mysql://localhost/lab", "nonsense", "postgresql+asyncpg://h/lab", "postgresql://h:port/x"]
)
def test_only_postgresql_is_taken(tmp_path, url):
    done = autolog("tokens", "--data", str(tmp_path), AUTOLOG_SERVER_DATABASE=url)
    assert done.returncode == 1
    assert "postgresql://autolog:PASSWORD@" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_user_who_may_not_enter_is_named_without_the_password(tmp_path, database_url):
    engine = database.connect(tmp_path, database_url.replace("autolog:", "nobody:"))
    with pytest.raises(database.DatabaseError) as told:
        database.migrate(engine)
    engine.dispose()
    assert "secret" not in str(told.value)
    assert "nobody" in str(told.value)


def test_database_and_bucket_go_together(tmp_path, database_url):
    assert autolog("init", "--data", str(tmp_path), "--database", database_url).returncode == 0
    for variables in ({"AUTOLOG_SERVER_DATABASE": database_url}, {"AUTOLOG_SERVER_ASSETS": "s3://bucket/runs"}):
        if "AUTOLOG_SERVER_DATABASE" not in variables:
            assert autolog("init", "--data", str(tmp_path)).returncode == 0
        done = autolog("start", "--data", str(tmp_path), "--port", "0", **variables)
        assert done.returncode == 1
        assert "go together" in done.stderr
    done = autolog(
        "start", "--data", str(tmp_path), AUTOLOG_SERVER_DATABASE=database_url, AUTOLOG_SERVER_ASSETS="bucket"
    )
    assert done.returncode == 1
    assert "s3://bucket/prefix" in done.stderr
