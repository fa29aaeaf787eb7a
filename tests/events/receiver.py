"""A receiver of webhooks on this machine: it checks the signature, and answers as it is told to."""

import datetime as dt
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook, WebhookVerificationError


class Receiver:
    """What came: `taken` the messages it answered with 2xx, `asked` the ids of all.

    `answers` is used up, a status for each message, and `answer` is what follows. `headers` go with each answer,
    `seconds` pass before it, `body` is its text, and `drips` sends a byte now and then without end.
    """

    def __init__(self) -> None:
        self.secret = "whsec_bm90aGluZyBpcyBzaWduZWQgYnkgdGhpcyBvbmU="
        self.taken: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.signatures: list[str] = []
        self.connections = 0
        self.answers: list[int] = []
        self.answer = 204
        self.headers: dict[str, str] = {}
        self.body = b""
        self.seconds = 0.0
        self.drips = False
        self.url = ""
        self.hangs_up = False  # Closes each connection after its answer, without a word.

    @property
    def types(self) -> list[str]:
        return [each["type"] for each in self.taken]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: Receiver

    def setup(self) -> None:
        self.state.connections += 1
        super().setup()

    def do_POST(self) -> None:
        state = self.state
        body = self.rfile.read(int(self.headers["Content-Length"]))
        state.asked.append(self.headers["webhook-id"])
        state.signatures.append(self.headers["webhook-signature"])
        try:
            message = Webhook(state.secret).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.respond(401)
            return
        time.sleep(state.seconds)
        status = state.answers.pop(0) if state.answers else state.answer
        if status < 300:
            state.taken.append({"id": self.headers["webhook-id"], **message})
        if state.drips:
            self.drip()
        else:
            self.respond(status)
        self.close_connection |= state.hangs_up

    def drip(self) -> None:
        self.wfile.write(b"HTTP/1.")
        with suppress(OSError):
            while self.state.drips:
                self.wfile.write(b"x")
                time.sleep(0.02)

    def respond(self, status: int) -> None:
        body = b"" if status == 204 else self.state.body
        with suppress(OSError):
            self.send_response(status)
            for name, value in self.state.headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def receiver(*, certificate: Path | None = None) -> Iterator[Receiver]:
    """Serve on a free port of the loopback, by TLS with a certificate."""
    state = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OwnHandler", (Handler,), {"state": state}))
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/hooks"
    try:
        yield state
    finally:
        state.drips = False
        server.shutdown()
        server.server_close()
        thread.join()


def make_certificate(folder: Path, *, address: str = "127.0.0.1") -> Path:
    """Write a key and a certificate that it signed itself, for one address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Receiver")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{address}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path
