"""Sessions: the cookie and what it needs, how they end, and how often one may try to begin one."""

import re
import time

import pytest
import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts import passwords, throttling
from tests.people import Browser

PASSWORD = "correct horse battery"
FAST = passwords.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)


def password_of(server, user):
    """Give a user a password, hashed with old parameters."""
    server.token(user)
    change = sa.update(tables.users).where(tables.users.c.name == user).values(password=FAST)
    with server.engine.begin() as connection:
        connection.execute(change)
        connection.execute(sa.delete(tables.throttle))


@pytest.fixture
def browser(server):
    password_of(server, "ann")
    return Browser(server)


def stored(server, table):
    with server.engine.connect() as connection:
        return connection.execute(sa.select(table)).mappings().all()


def test_a_password_begins_a_session(browser):
    answer = browser.sign_in(user="ann", password=PASSWORD)
    assert answer.status == 200
    told = answer.json
    assert (told["user"], told["share"], told["everywhere"], told["creates"]) == ("ann", None, None, True)
    flags = browser.set_cookie.lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert "path=/" in flags
    assert "secure" not in flags
    assert answer.headers["cache-control"] == "no-store"
    assert len(browser.cookie) >= 43  # 256 bits
    assert browser.ask("GET", "/api/v1/session").json == told
    assert browser.ask("GET", "/api/v1/me").json["user"] == "ann"
    assert browser.cookie not in str(stored(browser.server, tables.sessions))
    assert told["csrf"] not in str(stored(browser.server, tables.sessions))


def test_hashes_follow_their_parameters(browser):
    def current():
        return next(row["password"] for row in stored(browser.server, tables.users) if row["name"] == "ann")

    assert current() == FAST
    browser.sign_in(user="ann", password=PASSWORD)
    assert current().startswith("$argon2id$")
    assert not passwords.is_stale(current())
    assert browser.sign_in(user="ann", password=PASSWORD).status == 200


def test_who_is_not_there_takes_as_long_as_who_is(monkeypatch):
    looked_at = []
    verify = passwords.PasswordHasher.verify

    def counted(self, stored, password):
        looked_at.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(passwords.PasswordHasher, "verify", counted)
    assert not passwords.is_right(None, "the password of nobody")
    assert passwords.is_right(FAST, PASSWORD)
    assert not passwords.is_right(FAST, "wrong")
    assert len(looked_at) == 3
    assert not passwords.is_stale(looked_at[0])  # as much work as today's hashes


def test_tokens_begin_sessions_that_end_with_them(browser):
    token = browser.server.token("bob", "reader")
    assert browser.sign_in(token=token).json["user"] == "bob"
    assert browser.ask("GET", "/api/v1/session").json["creates"] is False  # as the token
    browser.server.command("revoke", next(
        line.split()[0] for line in browser.server.command("tokens").splitlines() if " bob " in line
    ))  # fmt: skip
    assert browser.ask("GET", "/api/v1/session").status == 401
    assert browser.sign_in(token=token).status == 401
    assert browser.sign_in(token="autolog_nonsense").status == 401
    assert browser.sign_in(share="autolog_share_nonsense").status == 401
    assert browser.sign_in(share=browser.server.admin).status == 401


@pytest.mark.parametrize("given", [{}, {"user": "ann"}, {"password": "x"}, {"token": "x", "share": "y"}, {"x": "y"}])
def test_one_way_to_sign_in(browser, given):
    assert browser.sign_in(**given).code == "shape"


def test_what_changes_something_needs_the_token_of_the_page(browser):
    browser.sign_in(user="ann", password=PASSWORD)
    append = f"{browser.server.address}/journals/journal.jsonl?offset=0"
    assert browser.ask("POST", append, {}, csrf=False).code == "csrf"
    wrong = browser.ask("POST", append, {}, csrf=False, X_CSRF_Token="0" * 64)
    assert (wrong.status, wrong.code) == (403, "csrf")
    assert browser.ask("POST", append, {}, csrf=False, X_CSRF_Token="\xe9").code == "csrf"
    assert browser.ask("DELETE", "/api/v1/session", csrf=False).code == "csrf"
    other = Browser(browser.server)
    other.sign_in(user="ann", password=PASSWORD)
    assert browser.ask("POST", append, {}, csrf=False, X_CSRF_Token=other.csrf).code == "csrf"
    assert browser.ask("POST", append, {}).code == "unfinished_line"  # it came as far as the body
    assert browser.ask("GET", f"{browser.server.address}/journals").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)  # fmt: skip
def test_other_sites_are_refused(browser, headers):
    browser.sign_in(user="ann", password=PASSWORD)
    assert browser.ask("DELETE", "/api/v1/session", **headers).code == "cross_site"
    assert Browser(browser.server).sign_in(headers=headers, user="ann", password=PASSWORD).code == "cross_site"
    assert browser.ask("GET", "/api/v1/session").status == 200


def test_our_own_pages_are_not_refused(browser):
    assert browser.sign_in(headers={"Origin": browser.server.url}, user="ann", password=PASSWORD).status == 200
    fetched = {"Sec_Fetch_Site": "same-origin", "Origin": "https://behind.a.proxy"}
    assert browser.ask("DELETE", "/api/v1/session", **fetched).status == 200


def test_signing_out_ends_it_on_the_server(browser):
    browser.sign_in(user="ann", password=PASSWORD)
    cookie = browser.cookie
    assert browser.ask("DELETE", "/api/v1/session").status == 200
    assert browser.cookie == ""
    assert re.search(r"max-age=0|expires=thu, 01 jan 1970", browser.set_cookie.lower())
    browser.cookie = cookie
    assert browser.ask("GET", "/api/v1/session").status == 401
    assert browser.ask("GET", "/api/v1/me").status == 401


@pytest.mark.parametrize("values", [{"expires_at": 1.0}, {"seen_at": time.time() - 8 * 86400}], ids=["old", "idle"])
def test_sessions_end_by_themselves(browser, values):
    browser.sign_in(user="ann", password=PASSWORD)
    with browser.server.engine.begin() as connection:
        mine = tables.sessions.c.user_name == "ann"
        connection.execute(sa.update(tables.sessions).where(mine).values(**values))
    assert browser.ask("GET", "/api/v1/session").status == 401
    assert browser.ask("GET", "/api/v1/me").status == 401


def test_a_session_that_is_used_stays(browser):
    browser.sign_in(user="ann", password=PASSWORD)
    ago = time.time() - 6 * 86400
    with browser.server.engine.begin() as connection:
        connection.execute(sa.update(tables.sessions).values(seen_at=ago))
    assert browser.ask("GET", "/api/v1/me").status == 200
    with browser.server.engine.connect() as connection:
        seen = connection.execute(
            sa.select(tables.sessions.c.seen_at).where(tables.sessions.c.user_name == "ann").order_by("seen_at")
        ).scalars()
        assert max(seen) > ago + 86400


def test_signing_in_ends_the_session_before(browser):
    browser.sign_in(user="ann", password=PASSWORD)
    before = browser.cookie
    browser.sign_in(user="ann", password=PASSWORD)
    browser.cookie = before
    assert browser.ask("GET", "/api/v1/me").status == 401


def pauses(server):
    """How long each has to wait; and wherever that is at all, it is not over while the test is looking."""
    row = tables.throttle.c
    with server.engine.begin() as connection:
        rows = connection.execute(sa.select(row.until - row.seen_at).where(row.until > row.seen_at)).scalars().all()
        lasting = sa.update(tables.throttle).where(row.until > row.seen_at)
        connection.execute(lasting.values(until=time.time() + 55))
    return [round(pause, 1) for pause in rows]


def set_failures(server, number):
    """So many failures of ann before, and the time to wait has passed."""
    mine = tables.throttle.c.key == throttling.by_user("ann").key
    with server.engine.begin() as connection:
        connection.execute(sa.update(tables.throttle).where(mine).values(failures=number, until=0.0))


def test_guessing_is_slowed_down_for_whomever(browser):
    """The same for users who are there and who are not; and not for good."""
    bodies = set()
    for number, user in enumerate(("ann", "nobody at all"), 1):
        answers = [browser.sign_in(user=user, password="wrong") for _ in range(6)]
        assert {answer.status for answer in answers} == {401}
        bodies |= {answer.body for answer in answers}
        assert len(pauses(browser.server)) == number
        refused = browser.sign_in(user=user, password=PASSWORD)
        assert (refused.status, refused.code) == (429, "too_often")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert len(bodies) == 1
    set_failures(browser.server, 6)
    assert browser.sign_in(user="ann", password=PASSWORD).status == 200
    assert browser.sign_in(user="ann", password="wrong").status == 401  # all is forgotten
    assert browser.sign_in(user="ann", password=PASSWORD).status == 200


@pytest.mark.parametrize(("failures", "pause"), [(6, 4.0), (9, 32.0), (10, 60.0), (1000, 60.0)])
def test_pauses_double_up_to_a_bound(browser, failures, pause):
    browser.sign_in(user="ann", password="wrong")
    set_failures(browser.server, failures)
    assert browser.sign_in(user="ann", password="wrong").status == 401
    assert pauses(browser.server) == [pause]


def test_an_address_that_tries_many_names_is_slowed_down(browser):
    assert {browser.sign_in(token=f"guess {n}").status for n in range(20)} == {401}
    assert pauses(browser.server) == []
    assert browser.sign_in(token="guess").status == 401
    assert pauses(browser.server) == [2.0]
    assert browser.sign_in(token="guess").status == 429
    assert browser.sign_in(user="ann", password=PASSWORD).status == 429
    with browser.server.engine.begin() as connection:
        connection.execute(sa.delete(tables.throttle))


@pytest.mark.parametrize(
    ("address", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True), ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False), ("::ffff:192.0.2.1", "192.0.2.1", True), ("fe80::1%eth0", "fe80::2", True),
        ("", "testclient", False),
    ],
)  # fmt: skip
def test_an_ipv6_network_is_one_sender(address, other, same):
    assert (throttling.by_address(address) == throttling.by_address(other)) is same


def test_servers_count_together(own_server):
    """Guesses at one server are known to another over the same database; here: to the one that is started anew."""
    password_of(own_server, "ann")
    guesser = Browser(own_server)
    for _ in range(6):
        guesser.sign_in(user="ann", password="wrong")
    assert pauses(own_server)
    own_server.end()
    own_server.start()
    assert guesser.sign_in(user="ann", password=PASSWORD).status == 429
