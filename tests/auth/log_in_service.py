"""A log-in service that answers whatever a test wants, over real HTTP: no honest one would."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from tests.auth import issuer

CLIENT = "ispcore"


class LogInService:
    """What it answers, and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.id_token: Any = None
        self.userinfo: Any = {}
        self.token_status = 200
        self.token_body: bytes | None = None
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "OIDC_ISSUER": issuer.ISSUER,
            "OIDC_JWKS_URL": f"{self.url}/jwks",
            "OIDC_API_AUDIENCE": issuer.AUDIENCE,
            "OIDC_OP_AUTHORIZATION_ENDPOINT": f"{self.url}/auth",
            "OIDC_OP_TOKEN_ENDPOINT": f"{self.url}/token",
            "OIDC_OP_USER_ENDPOINT": f"{self.url}/userinfo",
            "OIDC_END_SESSION_URL": f"{self.url}/end",
            "OIDC_RP_CLIENT_ID": CLIENT,
            "OIDC_RP_CLIENT_SECRET": "secret",
            "OIDC_PROVIDER_NAME": "Example ID",
            "OIDC_ROLES_CLAIM": "groups",
        }

    def answer(self, path: str) -> tuple[int, bytes]:
        if path == "/jwks":
            return 200, json.dumps({"keys": [issuer.public_jwk()]}).encode()
        if path == "/token":
            body = {"access_token": "opaque", "token_type": "Bearer", "id_token": self.id_token}
            return self.token_status, json.dumps(
                body
            ).encode() if self.token_body is None else self.token_body
        return 200, json.dumps(self.userinfo).encode()


@contextmanager
def serve() -> Iterator[LogInService]:
    service = LogInService()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, given: dict[str, Any]) -> None:
            service.asked.append((self.path, given, dict(self.headers)))
            status, body = service.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        service.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
