"""Servers that are dead, refuse, hang, fail, or cannot be trusted: training does not notice, what is left is said.

Each row is a real server or proxy that behaves so, and a real training with a real sidecar.
"""

import http.server
import re
import ssl
import subprocess
import sys
import threading
import time

import pytest

from autolog.sidecar import progress

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
SLACK = 20.0


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate of 127.0.0.1, and its key, in one file."""
    path = tmp_path / "own.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab server",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes((tmp_path / "crt").read_bytes() + (tmp_path / "key").read_bytes())
    return path


@pytest.fixture
def tls(server, certificate):
    """The server behind TLS with that certificate; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Front(http.server.BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept = {"Content-Encoding": "Content_Encoding", "Autolog-Damaged-Lines": "Autolog_Damaged_Lines"}
            headers = {kept[name]: value for name, value in self.headers.items() if name in kept}
            answer = server.ask(self.command, self.path, body or None, **headers)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = _pass

        def log_message(self, *_: object) -> None:
            """The test's output is for others."""

    front = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    front.socket = context.wrap_socket(front.socket, server_side=True)
    front.handle_error = lambda *_: None  # clients that do not trust it go away
    thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{front.server_address[1]}"
    front.shutdown()
    thread.join()
    front.server_close()


def trained(lab, url, **options):
    """Train with that server; what it says on stderr. The training process itself has connected to nobody."""
    lab.environment |= {"AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": url, "AUTOLOG_EXIT_WAIT": str(BOUND)}
    process = lab.start(TRAINS, **options)
    line = process.stdout.readline()
    ended = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert line == "modules [] connected []\n"
    assert process.returncode == 0
    assert time.monotonic() - ended < BOUND + SLACK
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
    assert progress.states(lab.only())["http"].done


@pytest.mark.parametrize("url", ["http://no-such-host.invalid:8700", "http://127.0.0.1:1"])
def test_nobody_there(lab, url):
    assert "not everything has reached http" in trained(lab, url)
    lab.until(lambda: "cannot be reached" in progress.states(lab.only())["http"].error)
    told = lab.autolog("sync", code=1)
    assert " pending" in told


def test_a_certificate_that_is_not_trusted_is_named(lab, server, tls, certificate):
    lab.environment["AUTOLOG_TOKEN"] = server.admin
    trained(lab, tls)
    lab.until(lambda: "is not trusted" in progress.states(lab.only())["http"].error)
    lab.settle(begun=True)
    error = progress.states(lab.only())["http"].error
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
    assert progress.states(lab.only())["http"].done


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
    assert progress.states(lab.only())["http"].done


def test_a_certificate_named_by_the_variable_is_trusted(lab, server, tls, certificate):
    lab.environment |= {"AUTOLOG_TOKEN": server.admin, "REQUESTS_CA_BUNDLE": str(certificate)}
    trained(lab, tls)
    lab.settle(begun=True)
    assert progress.states(lab.only())["http"].done


def test_a_server_without_tls_under_https(lab, server):
    trained(lab, server.url.replace("http:", "https:"))
    lab.until(lambda: "does not speak TLS" in progress.states(lab.only())["http"].error)
