"""An OpenID Connect issuer for tests: its keys behind a real HTTP server, and tokens signed by hand.

By hand, because a library refuses to make most of the tokens that must be refused.
"""

import hashlib
import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://issuer.example"
AUDIENCE = "urn:ispcore:api"
SIGNING = rsa.generate_private_key(65537, 2048)
FOREIGN = rsa.generate_private_key(65537, 2048)
SMALL = rsa.generate_private_key(65537, 1024)
SHARED_SECRET = b"published-by-mistake-but-long-enough"


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def rs256(data: bytes, key: rsa.RSAPrivateKey = SIGNING) -> bytes:
    return key.sign(data, padding.PKCS1v15(), SHA256())


def hs256(data: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, data, hashlib.sha256)


def public_pem(key: rsa.RSAPrivateKey = SIGNING) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_jwk(key: rsa.RSAPrivateKey = SIGNING, *, kid: str = "first") -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"}


def changed(given: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a copy with changes; None takes a name away."""
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


def header(**changes: Any) -> dict[str, Any]:
    return changed({"alg": "RS256", "typ": "at+jwt", "kid": "first"}, changes)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice-7f3",
        "client_id": "portal",
        "jti": "t-1",
        "iat": now,
        "exp": now + 300,
    }
    return changed(usual, changes)


def assemble(head: dict[str, Any] | bytes, body: dict[str, Any] | bytes, sign: Any = rs256) -> str:
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (head, body)]
    signed = ".".join(b64(part) for part in parts)
    return f"{signed}.{b64(sign(signed.encode()))}"


def token(*, head: dict[str, Any] | None = None, sign: Any = rs256, **changes: Any) -> str:
    """Make a good token of this issuer, or one that differs in the given claims and header."""
    return assemble(header(**(head or {})), claims(**changes), sign)


class KeyServer:
    """What the issuer publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [public_jwk()]
        self.fetches = 0
        self.status = 200
        self.body: bytes | None = None
        self.delay_seconds = 0.0
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.url = ""


@contextmanager
def serve_keys() -> Iterator[KeyServer]:
    state = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.fetches += 1
            state.asked.set()
            state.may_answer.wait()
            time.sleep(state.delay_seconds)
            body = json.dumps({"keys": state.keys}).encode() if state.body is None else state.body
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}/jwks"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
