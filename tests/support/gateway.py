"""A gateway for SMS and WhatsApp on this machine: it checks the signature, and fails where it is told to."""

import hashlib
import hmac
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "a secret of sixteen or more"


class Gateway:
    """What was taken; `answers` is the status, `dies` takes the message and hangs up, `resets` cuts the connection.

    `drips` begins its answer so and goes on a byte at a time, without end; `leads_to` is where another answer sends.
    """

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.answers = 200
        self.dies = False
        self.resets = False
        self.drips = b""
        self.leads_to = ""

    def is_signed(self, headers: Any, body: bytes) -> bool:
        signed = headers["X-ISPCore-Timestamp"].encode() + b"." + body
        wanted = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        return bool(hmac.compare_digest(f"sha256={wanted}", headers["X-ISPCore-Signature"]))


@contextmanager
def message_gateway() -> Iterator[tuple[Gateway, str]]:
    """Serve on a free port of the loopback; gives the state and the address."""
    state = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not state.is_signed(self.headers, body):
                self.send_error(401)
                return
            if state.answers < 300:
                state.taken.append(json.loads(body))
                state.keys.append(self.headers["Idempotency-Key"])
            if state.resets:
                # RFC 9293 section 3.10.7: data that nobody read, and a closed socket, answer with RST.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                return
            if state.drips:
                self.wfile.write(state.drips)
                with suppress(OSError):
                    while state.drips:
                        self.wfile.write(b".")
                        time.sleep(0.05)
                return
            if state.dies:
                self.close_connection = True
                return
            self.send_response(state.answers)
            if state.leads_to:
                self.send_header("Location", state.leads_to)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"said")

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state, f"http://127.0.0.1:{server.server_port}/send"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
