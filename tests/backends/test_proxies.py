"""Forward proxies by the variables that everybody knows: a real proxy, which alone knows where the server is."""

import pytest

from autolog import journal
from autolog.sidecar import progress
from tests.forward_proxy import ForwardProxy
from tests.waiting import PATIENCE

TRAINS = """
    import autolog
    for n in range(100):
        autolog.log_metric("loss", 1 / (n + 1))
    autolog.log_text("words", "a text that is a file")
"""


@pytest.fixture
def sends(lab, server):
    """``sends(url, **variables)``: train, with only these variables of proxies; everything is on the server then."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        lab.environment.pop(name, None)
        lab.environment.pop(name.upper(), None)
    lab.environment |= {
        "AUTOLOG_BACKEND": "local,http", "AUTOLOG_TOKEN": server.admin, "AUTOLOG_EXIT_WAIT": "20",
    }  # fmt: skip

    def train(url, *, why="", **variables):
        done = lab.start(TRAINS, AUTOLOG_URL=url, **variables)
        _, told = done.communicate(timeout=PATIENCE)
        assert done.returncode == 0
        if why:  # a slow sidecar may not have tried yet when the training has ended
            lab.until(lambda: why in lab.delivery().error)
        lab.settle(begun=True)
        return told

    return train


def whole(lab, server):
    directory = lab.only()
    assert progress.states(directory)["http"].done
    for path in journal.journals(directory):
        assert (server.data / "lab" / directory.name / path.name).read_bytes() == path.read_bytes()


def beyond(server):
    """The server's address as only the proxy can find it."""
    return f"http://autolog.invalid:{server.port}"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_http_goes_through_the_proxy(lab, server, sends, forward_proxy, name):
    assert sends(beyond(server), **{name: forward_proxy.url}) == ""
    whole(lab, server)
    asked = {word.split("?")[0] for word in forward_proxy.passed}
    run = f"{beyond(server)}/api/v1/projects/lab/runs/{lab.only().name}"
    assert {f"GET {run}/journals", f"POST {run}/journals/journal.jsonl"} <= asked
    assert any(word.startswith(f"PUT {run}/") for word in asked)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_https_goes_through_a_tunnel_and_the_certificate_is_the_servers(
    lab, server, sends, forward_proxy, tls, certificate, name
):
    assert sends(tls, AUTOLOG_CA_BUNDLE=str(certificate), **{name: forward_proxy.url}) == ""
    whole(lab, server)
    assert set(forward_proxy.passed) == {f"CONNECT {tls.removeprefix('https://')}"}


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_hosts_that_are_excepted_are_reached_directly(lab, server, sends, forward_proxy, name):
    assert sends(server.url, HTTP_PROXY=forward_proxy.url, **{name: "example.org,127.0.0.1"}) == ""
    whole(lab, server)
    assert forward_proxy.passed == []


def test_name_and_password_of_a_proxy_stand_nowhere_else(lab, server, sends):
    proxy = ForwardProxy("otter:canary-of-a-word")
    try:
        wrong = proxy.url.replace("canary", "other-canary")
        sends(beyond(server), HTTP_PROXY=wrong, AUTOLOG_EXIT_WAIT="0.3", why="asks for a name and a password")
        assert proxy.passed == []
        assert proxy.refused
        lab.environment |= {"AUTOLOG_URL": beyond(server), "HTTP_PROXY": proxy.url}
        lab.autolog("sync")
        whole(lab, server)
        assert proxy.passed
    finally:
        proxy.close()
    files = [path for path in lab.only().rglob("*") if path.is_file()]
    assert not any(b"canary-of-a-word" in path.read_bytes() for path in files)


def test_a_proxy_that_is_gone_is_named_as_the_reason(lab, server, sends, forward_proxy):
    why = f"the proxy on the way to autolog.invalid:{server.port} cannot be reached"
    sends(beyond(server), HTTP_PROXY="http://127.0.0.1:1", AUTOLOG_EXIT_WAIT="0.3", why=why)
    lab.environment |= {"AUTOLOG_URL": beyond(server), "HTTP_PROXY": forward_proxy.url}
    lab.autolog("sync")
    whole(lab, server)


def test_behind_a_proxy_no_fingerprint_is_named(lab, server, sends, forward_proxy, tls):
    """What the server itself shows may be another certificate than the one that came through."""
    sends(tls, HTTPS_PROXY=forward_proxy.url, AUTOLOG_EXIT_WAIT="0.3", why="(through a proxy) is not trusted")
    assert "fingerprint" not in lab.delivery().error


def test_login_goes_the_same_way(lab, server, sends, forward_proxy):
    lab.environment |= {"XDG_CONFIG_HOME": str(lab.folder / "config"), "http_proxy": forward_proxy.url}
    lab.autolog("login", beyond(server), given=server.admin)
    del lab.environment["AUTOLOG_TOKEN"]
    assert sends(beyond(server)) == ""
    whole(lab, server)
