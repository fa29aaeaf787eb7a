"""What goes on while hosts die: payments, log-ins with their accounting, webhooks; and when each last succeeded."""

import contextlib
import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

from bench.drill.nas import CLASS, EVENT_TIMESTAMP, Nas, session_name
from bench.radius import packets

PORT = 9000
ANSWER_SECONDS = 8.0
PAUSE_SECONDS = 0.3
GIGAWORD = 1 << 32
INTERIMS = 3
TURNS = 50  # So many users dial in by turns on each line.


class Clock:
    """When something succeeded, and the longest silence since a moment."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def tick(self) -> None:
        self.times.append(time.monotonic())

    def longest_silence(self, since: float, until: float) -> float:
        """Return the longest time without success that reached into the span, in seconds."""
        times = list(self.times)
        before = max((at for at in times if at <= since), default=since)
        points = [before, *(at for at in times if since < at <= until), until]
        return max(later - earlier for earlier, later in itertools.pairwise(points))


@dataclass
class Load:
    """Everything that clients were told, for the checks."""

    proxy: str
    tenant_id: UUID
    token: str
    subscribers: list[str]
    nas: Nas
    receiver: str
    lines: int
    payments_per_second: float
    clocks: dict[str, Clock] = field(
        default_factory=lambda: {name: Clock() for name in ("payments", "log-ins", "accounting", "webhooks")}
    )
    told: dict[str, str] = field(
        default_factory=dict
    )  # The key of each payment, and the id that was answered.
    unsure: set[str] = field(default_factory=set)  # Keys that were sent and never answered.
    acknowledged: dict[str, tuple[int, int]] = field(
        default_factory=dict
    )  # Of each session, octets in and out.
    log_ins: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)  # Payments of webhooks, how often each came.
    ending: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, *, payers: int) -> None:
        self._listen()
        for _ in range(payers):
            self._spawn(self._pay, payers / self.payments_per_second)
        for line in range(self.lines):
            self._spawn(self._dial, line)

    def stop(self, seconds: float = 60) -> None:
        """Let each finish what it began: a client repeats until it knows."""
        self.ending.set()
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.1, deadline - time.monotonic()))

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return status and data of one request through the proxy; 0 when none came in time."""
        connection = http.client.HTTPConnection(self.proxy, 8000, timeout=ANSWER_SECONDS)
        try:
            connection.request(
                method, f"/api/v1{path}", None if body is None else json.dumps(body),
                {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers},
            )  # fmt: skip
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(text).get("data")
        return answer.status, None

    def _spawn(self, function: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        self.threads.append(thread)

    def _pay(self, every: float) -> None:
        while not self.ending.wait(random.uniform(0.5, 1.5) * every):
            self._pay_once(str(uuid4()))

    def _pay_once(self, key: str) -> None:
        body = {
            "subscriber_id": random.choice(self.subscribers), "amount": "10.00", "currency": "EUR", "method": "cash",
            "note": key,
        }  # fmt: skip
        self.unsure.add(key)
        gives_up = None
        while gives_up is None or time.monotonic() < gives_up:
            if self.ending.is_set() and gives_up is None:
                gives_up = time.monotonic() + 40
            status, data = self.ask("POST", "/billing/payments", body, **{"Idempotency-Key": key})
            self.statuses[f"payment {status}"] += 1
            if status in (200, 201):
                self.told[key] = data["id"]
                self.unsure.discard(key)
                self.clocks["payments"].tick()
                return
            time.sleep(PAUSE_SECONDS)

    def _dial(self, line: int) -> None:
        """Log in, report a few times and hang up, again and again; a line has a user of its own each time."""
        for turn in itertools.count():
            if self.ending.wait(random.uniform(0.2, 0.8)):
                return
            number = line + self.lines * (turn % TURNS)
            outcome, token = self.nas.log_in(number)
            self.log_ins[outcome] += 1
            if outcome == "accept":
                self.clocks["log-ins"].tick()
                self._use(number, token)

    def _use(self, number: int, token: bytes) -> None:
        session, began = session_name(), time.time()
        for step in range(INTERIMS + 2):
            status = 1 if step == 0 else 2 if step == INTERIMS + 1 else 3
            octets = (123_456 * step, 7_654_321 * step)
            values = _packet(number, session, status, octets, began)
            if token:
                values.append((CLASS, token))
            if not self.nas.account(values):
                return
            self.acknowledged[session] = octets
            self.clocks["accounting"].tick()
            if self.ending.wait(random.uniform(0.2, 0.8)):
                continue  # It hangs up first.

    def _listen(self) -> None:
        load = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                load.received[body["data"]["payment_id"]] += 1
                load.clocks["webhooks"].tick()
                self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer((self.receiver, PORT), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()


def _packet(
    number: int, session: str, status: int, octets: tuple[int, int], began: float
) -> list[packets.Value]:
    """Return an accounting packet whose counters are `octets`, which only grow."""
    given = dict(packets.accounting(number, session, 1))
    given[packets.ACCT_STATUS_TYPE] = status
    now = time.time()
    values: list[packets.Value] = [*given.items(), (EVENT_TIMESTAMP, int(now))]
    if status != 1:
        values += [
            (packets.ACCT_SESSION_TIME, int(now - began)), (packets.ACCT_INPUT_OCTETS, octets[0] % GIGAWORD),
            (packets.ACCT_OUTPUT_OCTETS, octets[1] % GIGAWORD),
        ]  # fmt: skip
    if status == 2:
        values.append((packets.ACCT_TERMINATE_CAUSE, 1))
    return values
