"""A NAS with two RADIUS servers: it repeats what is not answered, goes to the other server, and comes back later."""

import os
import random
import secrets
import socket
import threading
import time

from bench.radius import packets
from bench.radius.packets import ACCESS_REJECT, ACCESS_REQUEST, ACCOUNTING_REQUEST, Value

AUTH_PORT, ACCT_PORT = 1812, 1813
CLASS, EVENT_TIMESTAMP = 25, 55  # RFC 2865, RFC 2869.
# As routers are set up by default, or a little more patient: RouterOS waits 0.3 s and repeats three times.
WAIT_SECONDS, TRIES = 1.0, 2
DEAD_SECONDS = 20.0
ACCOUNTING_GIVES_UP_AFTER = 300.0


class Nas:
    """What all lines of one NAS share: which server is thought dead."""

    def __init__(self, servers: list[str]) -> None:
        self.servers = servers
        self._dead_until = dict.fromkeys(servers, 0.0)
        self._lock = threading.Lock()

    def log_in(self, number: int) -> tuple[str, bytes]:
        """Return `accept`, `reject` or `nobody` when no server answered, and the Class to send with the accounting."""
        answer = self._ask(ACCESS_REQUEST, AUTH_PORT, packets.log_in(number, random.choice(("pap", "chap"))))
        if answer is None:
            return "nobody", b""
        return ("reject" if answer[0] == ACCESS_REJECT else "accept"), _find(answer, CLASS)

    def account(self, values: list[Value]) -> bool:
        """Send until it is acknowledged; False when the line gave up."""
        deadline = time.monotonic() + ACCOUNTING_GIVES_UP_AFTER
        while time.monotonic() < deadline:
            if self._ask(ACCOUNTING_REQUEST, ACCT_PORT, values) is not None:
                return True
        return False

    def _ask(self, code: int, port: int, values: list[Value]) -> bytes | None:
        for server in self._order():
            packet = packets.encode(code, secrets.randbelow(256), values)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.settimeout(WAIT_SECONDS)
                for _ in range(TRIES):
                    try:
                        one.sendto(packet, (server, port))
                        answer = one.recv(4096)
                    except OSError:
                        continue
                    if answer[1] == packet[1]:
                        self._dead_until[server] = 0.0
                        return answer
            with self._lock:
                self._dead_until[server] = time.monotonic() + DEAD_SECONDS
        return None

    def _order(self) -> list[str]:
        """Return the servers to ask: those not thought dead first, and always all of them."""
        now = time.monotonic()
        return sorted(self.servers, key=lambda server: self._dead_until[server] > now)


def _find(packet: bytes, kind: int) -> bytes:
    """Return the value of a packet's first attribute of that kind; empty when it has none."""
    at = 20
    while at + 2 <= len(packet):
        length = packet[at + 1]
        if packet[at] == kind:
            return packet[at + 2 : at + length]
        at += max(length, 2)
    return b""


def session_name() -> str:
    return os.urandom(8).hex()
