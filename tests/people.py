"""Somebody at a browser, for tests of the server: keeps the cookie, and sends what its pages would."""

import http.client
import json
from typing import Any

from tests.servers import Answer, Server
from tests.waiting import PATIENCE


class Browser:
    """A browser with one session."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.cookie = ""
        self.csrf = ""
        self.set_cookie = ""

    def ask(self, method: str, path: str, body: Any = None, *, csrf: bool = True, **headers: str) -> Answer:
        """One request, with the cookie, and unless it is told otherwise with what belongs to it."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            named["Cookie"] = f"autolog_session={self.cookie}"
        if csrf and self.csrf and method != "GET":
            named["X-CSRF-Token"] = self.csrf
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), named)
            response = connection.getresponse()
            answer = Answer(response.status, response.read(), dict(response.headers))
            cookies = response.headers.get_all("set-cookie") or []
        finally:
            connection.close()
        for cookie in cookies:
            self.set_cookie = cookie
            self.cookie = cookie.partition("=")[2].partition(";")[0].strip('"')
        return answer

    def sign_in(self, *, headers: dict[str, str] | None = None, **given: str) -> Answer:
        """Sign in with user and password, token, or share."""
        answer = self.ask("POST", "/api/v1/session", given, **(headers or {}))
        if answer.status == 200:
            self.csrf = answer.json["csrf"]
        return answer
