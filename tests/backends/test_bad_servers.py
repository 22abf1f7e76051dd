"""Servers that are dead, refuse, hang, fail, or cannot be trusted: training does not notice, what is left is said.

Each row is a real server or proxy that behaves so, and a real training with a real sidecar.
"""

import re
import subprocess
import sys

import pytest

from autolog.sidecar import progress
from tests.waiting import PATIENCE

TRAINS = """
    import sys
    connected = []
    sys.addaudithook(lambda event, args: connected.append(args[1]) if event == "socket.connect" else None)
    import autolog
    for n in range(1000):
        autolog.log_metric("loss", 1 / (n + 1), step=n)
    print("modules", sorted({"requests", "urllib3", "mlflow"} & set(sys.modules)), "connected", connected, flush=True)
"""
BOUND = 0.5


def trained(lab, url, **options):
    """Train with that server; what it says on stderr. The training process itself has connected to nobody."""
    lab.environment |= {"AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": url, "AUTOLOG_EXIT_WAIT": str(BOUND)}
    process = lab.start(TRAINS, **options)
    line = process.stdout.readline()
    _, err = process.communicate(timeout=PATIENCE)
    assert line == "modules [] connected []\n"
    assert process.returncode == 0
    return err


ROWS = {
    "refuse": "Connection refused",
    "reset": "Connection reset",
    "hang": "",
    "500": "the server answered 500",
    "429": "the server asks for a pause",
    "html": "is this an autolog server?",
    "cut_answer": "",
    "slow": "",
}


@pytest.mark.parametrize("mode", ROWS)
def test_a_bad_server_costs_nothing_and_is_said(lab, server, shared_proxy, mode):
    lab.environment["AUTOLOG_TOKEN"] = server.admin
    shared_proxy.mode = mode
    err = trained(lab, shared_proxy.url)
    if err or mode != "slow":  # a slow one may have got everything
        assert err.count("\n") == 1
        assert re.fullmatch(
            r"autolog: not everything has reached http \([\d.]+ kB left.*\) yet\. The record is complete in "
            rf".*{lab.only().name}; .*`autolog sync {lab.only().name}` delivers what is left\.\n",
            err,
        )
    lab.until(lambda: ROWS[mode] in str(progress.states(lab.only())))
    shared_proxy.mode = "pass"
    lab.settle(begun=True)
    lab.autolog("sync")
    assert lab.delivery().done


@pytest.mark.parametrize("url", ["http://no-such-host.invalid:8700", "http://127.0.0.1:1"])
def test_nobody_there(lab, url):
    assert "not everything has reached http" in trained(lab, url)
    lab.until(lambda: "cannot be reached" in lab.delivery().error)
    told = lab.autolog("sync", code=1)
    assert " pending" in told


def test_a_certificate_that_is_not_trusted_is_named(lab, server, tls, certificate):
    lab.environment["AUTOLOG_TOKEN"] = server.admin
    trained(lab, tls)
    lab.until(lambda: "is not trusted" in lab.delivery().error)
    lab.settle(begun=True)
    error = lab.delivery().error
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-noout", "-fingerprint", "-sha256"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    assert shown.partition("=")[2] in error
    assert "self-signed certificate" in error
    assert "`ca_bundle`" in error
    assert "REQUESTS_CA_BUNDLE" in error
    (lab.folder / "ca.pem").write_bytes((lab.folder / "crt").read_bytes())
    lab.environment["AUTOLOG_CA_BUNDLE"] = str(lab.folder / "ca.pem")
    lab.autolog("sync")
    assert lab.delivery().done


def test_login_trusts_as_the_backend_does_and_sync_goes_where_the_run_was_to_go(lab, server, tls, certificate):
    lab.environment["XDG_CONFIG_HOME"] = str(lab.folder / "config")
    trained(lab, tls)  # nobody has signed in, and the certificate is not trusted
    lab.settle(begun=True)
    for name in ("AUTOLOG_BACKEND", "AUTOLOG_URL"):  # they were given for that training alone
        del lab.environment[name]
    command = [sys.executable, "-m", "autolog.cli", "login", tls]
    refused = subprocess.run(
        command, env=lab.environment, input=server.admin, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "is not trusted" in refused.stderr
    assert "`ca_bundle`" in refused.stderr
    lab.environment["AUTOLOG_CA_BUNDLE"] = str(certificate)
    lab.autolog("login", tls, given=server.admin)
    assert "pending" in lab.autolog("sync", "--status")
    lab.autolog("sync")
    assert lab.delivery().done


def test_a_certificate_named_by_the_variable_is_trusted(lab, server, tls, certificate):
    lab.environment |= {"AUTOLOG_TOKEN": server.admin, "REQUESTS_CA_BUNDLE": str(certificate)}
    trained(lab, tls)
    lab.settle(begun=True)
    assert lab.delivery().done


def test_a_server_without_tls_under_https(lab, server):
    trained(lab, server.url.replace("http:", "https:"))
    lab.until(lambda: "does not speak TLS" in lab.delivery().error)
