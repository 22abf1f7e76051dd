"""``autolog server`` for whoever has only its machine; ``autolog login`` and ``logout``; a proxy before the server."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from autolog.server import tables
from tests.people import Browser
from tests.servers import Server
from tests.waiting import PATIENCE

PASSWORD = "correct horse battery"


class Shell:
    """Runs ``autolog`` with a home directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")}
        self.environment = {**kept, "XDG_CONFIG_HOME": str(home / "config"), "HOME": str(home)}
        self.file = home / "config" / "autolog" / "credentials.json"

    def run(self, *words, given="", code=0):
        done = subprocess.run(
            [sys.executable, "-m", "autolog.cli", *words], env=self.environment, input=given, capture_output=True,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def type(self, *words, typed):
        """At a terminal; what is on it afterwards."""
        outer, inner = pty.openpty()
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", sys.executable, "-m", "autolog.cli", *words], env=self.environment,
            stdin=inner, stdout=inner, stderr=inner,
        )  # fmt: skip
        os.close(inner)
        shown = b""
        for question, text in typed:
            while question.encode() not in shown:
                shown += os.read(outer, 1000)
            os.write(outer, text.encode() + b"\n")
        while piece := _read(outer):
            shown += piece
        os.close(outer)
        return process.wait(PATIENCE), shown.decode()


def _read(terminal):
    try:
        return os.read(terminal, 1000)
    except OSError:  # it is closed at the other end
        return b""


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


def test_init_makes_an_admin_with_a_password(shell, tmp_path):
    data = ("--data", str(tmp_path / "data"))
    assert "10" in shell.run("server", "init", "ann", "--password-stdin", *data, given="short\n", code=1)
    told = shell.run("server", "init", "ann", "--password-stdin", *data, given=f"{PASSWORD}\n")
    token = next(word for word in told.split() if word.startswith("autolog_"))
    assert told.count("autolog_") == 1
    assert "has its users" in shell.run("server", "init", *data, code=1)
    server = Server(tmp_path)
    server.start()
    try:
        assert server.ask("GET", "/api/v1/users", token=token).status == 200
        assert Browser(server).sign_in(user="ann", password=PASSWORD).json["everywhere"] == "admin"
    finally:
        server.close()


def test_init_asks_for_a_password_at_a_terminal(shell, tmp_path):
    data = ("--data", str(tmp_path / "data"))
    asked = [("Password for admin", PASSWORD), ("Again", PASSWORD)]
    code, shown = shell.type("server", "init", *data, typed=asked)
    assert code == 0, shown
    assert PASSWORD not in shown
    assert "password" in shell.run("server", "users", *data)
    other = ("--data", str(tmp_path / "other"))
    code, shown = shell.type("server", "init", *other, typed=[("Password for admin", "")])
    assert code == 0, shown
    assert "no password" in shell.run("server", "users", *other)


def test_users_are_looked_after_from_the_machine(shell, server):
    data = ("--data", str(server.data))
    user = f"bob-{server.project}"
    told = shell.run("server", "add-user", user, *data)
    secret = next(word for word in told.split() if word.startswith("autolog_invitation_"))
    shell.run("login", server.url, given=f"{secret}\n{PASSWORD}\n")
    token = json.loads(shell.file.read_text())[server.url]
    assert server.ask("GET", "/api/v1/me", token=token).json["user"] == user
    shell.run("server", "reset-password", user, "--password-stdin", *data, given="another password\n")
    browser = Browser(server)
    assert browser.sign_in(user=user, password="another password").status == 200
    assert "invitation" in shell.run("server", "reset-password", user, "--invite", *data)
    shell.run("server", "admin", user, *data)
    assert browser.ask("GET", "/api/v1/session").json["everywhere"] == "admin"
    shell.run("server", "admin", user, "--remove", *data)
    assert browser.ask("GET", "/api/v1/session").json["everywhere"] is None
    shell.run("server", "disable", user, *data)
    assert browser.ask("GET", "/api/v1/session").status == 401
    assert server.ask("GET", "/api/v1/me", token=token).status == 401
    assert f"{user}  since" in shell.run("server", "users", *data)
    shell.run("server", "enable", user, *data)
    assert browser.sign_in(user=user, password="another password").status == 200
    assert "last admin" in shell.run("server", "disable", "admin", *data, code=1)
    entries = server.ask("GET", "/api/v1/audit?limit=1000").json["entries"]
    mine = [(entry["action"], entry["address"]) for entry in entries if entry["subject"] == user]
    assert ("user_made", "command line") in mine
    assert ("user_changed", "command line") in mine


def test_tokens_of_the_command_line_are_in_the_audit_log(shell, server):
    data = ("--data", str(server.data))
    shell.run("server", "token", "carl", "--project", server.project, "--label", "of carl", *data)
    (listed,) = [line for line in shell.run("server", "tokens", *data).splitlines() if "of carl" in line]
    shell.run("server", "revoke", listed.split()[0], *data)
    assert "no role" in shell.run("server", "token", "carl", "--role", "god", *data, code=2)
    assert "cannot be" in shell.run("server", "token", "carl", "--project", "../x", *data, code=1)
    told = [entry["action"] for entry in server.ask("GET", f"/api/v1/projects/{server.project}/audit").json["entries"]]
    assert told == ["token_made", "member_set", "project_begun"]


def test_login_keeps_the_token_for_the_user_alone(shell, server):
    token = server.token("dora")
    assert "does not know" in shell.run("login", server.url, given="autolog_nonsense\n", code=1)
    assert "http" in shell.run("login", "example.org", given=f"{token}\n", code=2)
    assert not shell.file.exists()
    shell.run("login", server.url, given=f"{token}\n")
    assert json.loads(shell.file.read_text()) == {server.url: token}
    assert shell.file.stat().st_mode & 0o777 == 0o600
    assert shell.file.parent.stat().st_mode & 0o077 == 0
    assert "forgotten" in shell.run("logout", server.url)
    assert "not known" in shell.run("logout", server.url)
    assert json.loads(shell.file.read_text()) == {}


def test_a_token_is_pasted_at_a_terminal_and_not_shown(shell, server):
    token = server.token("dora")
    code, shown = shell.type("login", server.url, typed=[("Token for", token)])
    assert code == 0, shown
    assert token not in shown
    assert json.loads(shell.file.read_text()) == {server.url: token}


def test_login_with_a_password_makes_a_token(shell, server):
    user = f"eve-{server.project}"
    shell.run("server", "add-user", user, "--password-stdin", "--data", str(server.data), given=f"{PASSWORD}\n")
    assert "does not know" in shell.run("login", "-u", user, server.url, given="wrong\n", code=1)
    shell.run("login", "-u", user, server.url, given=f"{PASSWORD}\n")
    token = json.loads(shell.file.read_text())[server.url]
    (listed,) = server.ask("GET", "/api/v1/me/tokens", token=token).json["tokens"]
    assert listed["label"].startswith("autolog login on ")
    assert listed["role"] == "writer"
    with server.engine.connect() as connection:
        mine = sa.select(tables.sessions).where(tables.sessions.c.user_name == user)
        assert connection.execute(mine).all() == []  # no session is left


def test_a_file_that_others_can_read_is_refused_and_mended(shell, server, monkeypatch):
    from autolog import credentials

    token = server.token("dora")
    shell.run("login", server.url, given=f"{token}\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(shell.home / "config"))
    assert credentials.token_for(server.url) == token
    shell.file.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        credentials.token_for(server.url)
    shell.run("login", server.url, given=f"{token}\n")
    assert credentials.token_for(server.url) == token


# -- behind a proxy ----------------------------------------------------------------------------------------------------


def last_login(server):
    entries = server.ask("GET", "/api/v1/audit").json["entries"]
    return next(entry["address"] for entry in entries if entry["action"] == "login")


def test_the_word_of_a_proxy_is_taken_only_where_it_is_ours(server):
    browser = Browser(server)
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "203.0.113.9", "X_Forwarded_Host": "evil.example"}
    assert browser.sign_in(headers=said, token=server.admin).status == 200
    assert "secure" not in browser.set_cookie.lower()
    assert last_login(server) == "127.0.0.1"
    origin = {**said, "Origin": "https://evil.example"}
    assert browser.ask("DELETE", "/api/v1/session", **origin).code == "cross_site"


def test_behind_a_proxy_of_ours(own_server):
    own_server.end()
    own_server.options = ("--trust-proxy",)
    own_server.start()
    browser = Browser(own_server)
    said = {
        "X_Forwarded_Proto": "https", "X_Forwarded_For": "198.51.100.1, 203.0.113.9",
        "X_Forwarded_Host": "autolog.example", "Origin": "https://autolog.example",
    }  # fmt: skip
    assert browser.sign_in(headers=said, token=own_server.admin).status == 200
    assert "; secure" in browser.set_cookie.lower()
    assert last_login(own_server) == "203.0.113.9"  # what the client itself has sent before it is not believed
    assert browser.ask("DELETE", "/api/v1/session", **{**said, "Origin": "https://evil.example"}).code == "cross_site"
    assert browser.ask("DELETE", "/api/v1/session", **said).status == 200
