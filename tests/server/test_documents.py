"""docs/http-api.md: its client in curl is run, and its tables name only what there is."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

DOCUMENT = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text("utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_client_in_curl(server, tmp_path):
    (script,) = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
    environment = {**os.environ, "URL": server.url, "TOKEN": server.admin}
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(text) for text in re.sub(r"}\s*{", "}\n{", done.stdout).splitlines()]
    assert answers[0] == answers[1]
    assert answers[2]["complete"]
    assert answers[3]["series"][0]["values"] == [0.9, 0.5, "NaN"]
    (run,) = server.ask("GET", "/api/v1/projects/curl/runs?columns=params.lr").json["runs"]
    assert (run["name"], run["status"], run["values"]) == ("by hand", "completed", {"params.lr": 0.1})


def test_every_limit_is_in_the_table_of_settings():
    import msgspec

    from autolog.server.limits import PREFIX, Limits

    text = (Path(__file__).parents[2] / "docs" / "server.md").read_text("utf-8")
    told = dict(re.findall(rf"^\| `{PREFIX}(\w+)` \| (\d+) \|", text, re.MULTILINE))
    assert told == {field.name.upper(): str(field.default) for field in msgspec.structs.fields(Limits)}


def test_the_tables_name_what_there_is():
    from autolog.server.app import ENDPOINTS

    known = {(each.method, re.sub(r"{\w+(:path)?}", "*", each.path)) for each in ENDPOINTS}
    found = {
        (method, re.sub(r"/(P|R|NAME|PATH|USER|ID|W)(?=/|$)", "/*", path))
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?\s]*)", DOCUMENT)
    }
    assert found - known == set()
    assert known - found - {("GET", "/api/v1/openapi.json")} == set()
