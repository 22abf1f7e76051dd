"""The shared server behind TLS, with a certificate of its own that nobody trusts yet."""

import http.server
import ssl
import subprocess
import threading

import pytest

__all__ = ["certificate", "tls"]


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
