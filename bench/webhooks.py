"""How many webhooks a second one worker process sends, to a receiver on this machine.

`make bench-webhooks` (`ARGS="--events 500"` for less). The embedded PostgreSQL on a throwaway directory, durable as in
production; events are published and relayed, then sent by as many threads as there are webhooks, each message signed
and posted over a kept connection to a receiver in a process of its own that checks nothing and answers 204. Each round
says what the fan-out and the sending took, and that every message arrived once and in order.
"""

import argparse
import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

from bench.discovery import prepare
from ispcore.embedded import start_servers
from tests.embedded.scratch import scratch_directory

EVENTS = 2000
ROUNDS = (
    (1, 0),
    (4, 0),
    (16, 0),
    (16, 50),
)  # Webhooks, and how many milliseconds the receiver takes to answer.
AIM = 300


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that what was started is ended.
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="messages in each round")
    options = parser.parse_args()
    os.environ["WEBHOOK_NETWORKS"] = "127.0.0.0/8"
    with scratch_directory() as directory, start_servers(directory / "data") as servers:
        prepare(servers)
        print(
            f"{'webhooks':>8} {'answer ms':>9} {'messages':>8} {'fan-out/s':>10} {'sent/s':>8} {'arrived':>8} in order"
        )
        for webhooks, milliseconds in ROUNDS:
            measure(webhooks, milliseconds, messages=options.events)
    print(f"aim: {AIM} sent/s by one worker process")


def measure(webhooks: int, milliseconds: int, *, messages: int) -> None:
    """Send so many messages to so many webhooks, and print a line of what it took."""
    from django.db import connection
    from django.utils import timezone

    from ispcore.events import services
    from ispcore.events.services import endpoints
    from ispcore.events.services.sending import Sender
    from ispcore.tenants.context import tenant_context
    from ispcore.tenants.fields import new_id
    from ispcore.tenants.models import Tenant

    events = messages // webhooks
    tenant = Tenant.objects.create(slug=f"t{new_id().hex[-12:]}", name="Bench")
    parent, child = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=receive, args=(child, milliseconds), daemon=True
    )
    process.start()
    try:
        port = parent.recv()
        with tenant_context(tenant.pk):
            made = [
                endpoints.create_webhook(url=f"http://127.0.0.1:{port}/{number}")[0].pk
                for number in range(webhooks)
            ]
            services.publish_each(
                "hardware.discovery_finished", [{"olt_id": str(k), "run_id": ""} for k in range(events)]
            )
        began = time.perf_counter()
        while True:
            with tenant_context(tenant.pk):
                if services.relay_tenant().events < services.BATCH:
                    break
        fanned = time.perf_counter() - began

        def send(endpoint_id: UUID) -> int:
            sender = Sender(tenant.pk, endpoint_id, now=timezone.now)
            tried = sender.run()
            while sender.has_more:
                tried += sender.run()
            connection.close()
            return tried

        began = time.perf_counter()
        with ThreadPoolExecutor(webhooks) as pool:
            sent = sum(pool.map(send, made))
        took = time.perf_counter() - began
        parent.send("how many")
        arrived = parent.recv()
    finally:
        process.terminate()
        process.join()
    in_order = all(each == list(range(events)) for each in arrived.values())
    print(
        f"{webhooks:8} {milliseconds:9} {sent:8} {events * webhooks / fanned:10.0f} {sent / took:8.0f} "
        f"{sum(map(len, arrived.values())):8} {'yes' if in_order else 'NO'}",
        flush=True,
    )


def receive(pipe: Any, milliseconds: int) -> None:
    """Answer 204 to everything, and tell at the end what came to which path."""
    arrived: dict[str, list[int]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            arrived.setdefault(self.path, []).append(int(body["data"]["olt_id"]))
            time.sleep(milliseconds / 1000)
            self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        address_family = socket.AF_INET

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(server.server_port)
    pipe.recv()
    pipe.send(arrived)
    time.sleep(60)


if __name__ == "__main__":
    main()
