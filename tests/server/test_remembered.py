"""Who may deliver is remembered for a moment; what is taken from somebody is gone at once all the same."""

import time

import pytest
import sqlalchemy as sa

from autolog.server import database, tables
from autolog.server.accounts.identify import Credentials
from autolog.server.accounts.remembering import KEPT, Remembered
from tests.servers import RUN

HEADER = b'{"type":"run","time":1.0,"id":"%s","name":"calm-otter-01","project":"lab"}\n' % RUN.encode()
LINE = b'{"type":"metrics","time":2.0,"values":{"loss":0.5},"step":1}\n'


class Sender:
    """Delivers a run line by line."""

    def __init__(self, server, token):
        self.server, self.token, self.size = server, token, 0

    def send(self):
        data = LINE if self.size else HEADER
        answer = self.server.append(data, self.size, token=self.token)
        if answer.status == 200:
            self.size = answer.json["size"]
        return answer.status


@pytest.fixture
def base(server):
    """A project that is there."""
    base = f"/api/v1/projects/{server.project}"
    path = f"{base}/runs/20261122-111134-537-00000001/journals/journal.jsonl?offset=0"
    assert server.ask("POST", path, HEADER.replace(RUN.encode(), b"20261122-111134-537-00000001")).status == 200
    return base


@pytest.fixture
def sender(server, base):
    """A member who delivers, and is known to."""
    server.user = f"ann-{server.project}"
    sender = Sender(server, server.token(server.user, member=True))
    assert [sender.send() for _ in range(3)] == [200, 200, 200]
    return sender


def test_a_token_that_is_revoked_ends_at_once(server, sender):
    listed = server.ask("GET", "/api/v1/me/tokens", token=sender.token).json["tokens"]
    assert len(listed) == 1
    assert server.ask("DELETE", f"/api/v1/me/tokens/{listed[0]['id']}", token=sender.token).status in (200, 204)
    assert sender.send() == 401


def test_a_member_that_is_removed_delivers_nothing_more(server, sender, base):
    assert server.ask("DELETE", f"{base}/members/{server.user}").status in (200, 204)
    assert sender.send() == 404


def test_a_member_who_may_only_read_now_delivers_nothing_more(server, sender, base):
    assert server.send("PUT", f"{base}/members/{server.user}", {"role": "reader"}).status == 200
    assert sender.send() == 403
    assert server.send("PUT", f"{base}/members/{server.user}", {"role": "writer"}).status == 200
    assert sender.send() == 200


def test_a_user_who_is_disabled_delivers_nothing_more(server, sender):
    assert server.send("PATCH", f"/api/v1/users/{server.user}", {"disabled": True}).status == 200
    assert sender.send() == 401


def test_a_workspace_that_a_project_leaves_takes_its_members_along(server, base):
    workspace, user = f"team-{server.project}", f"bob-{server.project}"
    sender = Sender(server, server.token(user))
    assert server.send("POST", "/api/v1/workspaces", {"name": workspace}).status in (200, 201)
    assert server.send("PUT", f"/api/v1/workspaces/{workspace}/members/{user}", {"role": "writer"}).status == 200
    assert server.send("PATCH", base, {"workspace": workspace}).status == 200
    assert [sender.send(), sender.send()] == [200, 200]
    assert server.send("PATCH", base, {"workspace": None}).status == 200
    assert sender.send() == 404
    assert server.send("PATCH", base, {"workspace": workspace}).status == 200
    assert sender.send() == 200
    assert server.ask("DELETE", f"/api/v1/workspaces/{workspace}/members/{user}").status in (200, 204)
    assert sender.send() == 404


def test_files_and_consoles_are_refused_as_well(server, sender, base):
    path = f"{server.address}/console/console.log?offset=0"
    assert server.ask("PUT", path, b"hello", token=sender.token).status == 200
    assert server.ask("DELETE", f"{base}/members/{server.user}").status in (200, 204)
    assert server.ask("PUT", path, b"hello", token=sender.token).status == 404
    assert server.ask("GET", f"{server.address}/journals", token=sender.token).status == 404


def test_a_token_ends_when_it_expires(server, base, eventually):
    sender = Sender(server, server.token(f"eve-{server.project}", member=True, days=1.0 / 86400))
    assert sender.send() == 200
    eventually(lambda: sender.send() == 401)


def test_what_another_process_has_changed_counts_soon(server, sender, eventually):
    with server.engine.begin() as connection:  # a connection of the test's, which the server knows nothing of
        mine = tables.tokens.c.user_name == server.user
        connection.execute(sa.update(tables.tokens).where(mine).values(revoked_at=time.time()))
    eventually(lambda: sender.send() == 401)


# -- what is remembered, told by a clock of the test's


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


GIVEN = Credentials(secret="autolog_something")


@pytest.fixture
def engine(tmp_path):
    engine = database.connect(tmp_path)
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def known(engine, clock):
    known = Remembered(engine, clock)
    known.remember(GIVEN, "lab", "ann", None, known.state())
    return known


def add_user(engine, name):
    with engine.begin() as connection:
        connection.execute(sa.insert(tables.users).values(name=name, admin=False, created_at=1.0))


def test_it_is_asked_again_before_it_is_forgotten(known, clock):
    assert known.who(GIVEN, "lab") == "ann"
    clock.now += KEPT / 2 + 0.1
    assert [known.who(GIVEN, "lab"), known.who(GIVEN, "lab")] == [None, "ann"]  # the first one asks the database
    clock.now += KEPT / 2
    assert known.who(GIVEN, "lab") is None


def test_only_what_was_asked_is_known(known):
    assert known.who(GIVEN, "other") is None
    assert known.who(Credentials(secret="autolog_other"), "lab") is None
    assert known.who(Credentials(session=GIVEN.secret), "lab") is None
    assert known.who(None, "lab") is None
    known.remember(Credentials(session="cookie"), "lab", "ann", None, known.state())
    assert known.who(Credentials(session="cookie"), "lab") is None


def test_a_token_that_has_ended_is_not_known(known):
    known.remember(GIVEN, "lab", "ann", time.time() - 1, known.state())
    assert known.who(GIVEN, "lab") is None


def test_a_change_counts_when_it_is_committed(known, engine):
    with engine.connect() as connection:
        connection.execute(sa.insert(tables.users).values(name="bob", admin=False, created_at=1.0))
        state = known.state()  # somebody asks, and is told what was before
        assert known.who(GIVEN, "lab") == "ann"
        connection.commit()
    assert known.who(GIVEN, "lab") is None
    known.remember(GIVEN, "lab", "ann", None, state)
    assert known.who(GIVEN, "lab") is None, "what was asked before the change is not remembered after it"
    known.remember(GIVEN, "lab", "ann", None, known.state())
    assert known.who(GIVEN, "lab") == "ann"


@pytest.mark.parametrize("table", ["tokens", "users", "members", "projects", "workspaces", "workspace_members"])
def test_each_table_that_decides_counts(known, engine, table):
    with engine.begin() as connection:
        connection.execute(sa.delete(tables.metadata.tables[table]))
    assert known.who(GIVEN, "lab") is None


def test_other_tables_do_not_count(known, engine):
    with engine.begin() as connection:
        connection.execute(sa.delete(tables.audit))
        connection.execute(sa.select(tables.tokens)).all()
    assert known.who(GIVEN, "lab") == "ann"
