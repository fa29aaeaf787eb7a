"""A stand-in for Stripe's HTTP API, which checks what it gets as Stripe does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

API_KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"


class StripeApi:
    """What was asked, and how to answer: `fails_with` and `hangs_for` stay until they are changed."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.fails_with: tuple[int, dict[str, Any]] | None = None
        self.hang = threading.Event()
        self.is_hanging = False
        self._made: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def answer(self, path: str, form: dict[str, str], key: str, credential: str) -> tuple[int, Any]:
        with self._lock:
            self.asked.append((path, form, key))
            if credential != f"Bearer {API_KEY}":
                return 401, _error("invalid_request_error", "Invalid API Key provided")
            if self.fails_with:
                return self.fails_with
            if key in self._made:
                before, answer = self._made[key]
                if before != form:
                    return 400, _error("idempotency_error", "Keys for idempotent requests can only be reused")
                return 200, answer
            answer = _MAKERS[path](form, len(self._made) + 1)
            self._made[key] = (form, answer)
            return 200, answer


def _session(form: dict[str, str], number: int) -> dict[str, Any]:
    assert form["mode"] == "payment"
    assert form["client_reference_id"] == form["payment_intent_data[metadata][checkout]"]
    assert form["line_items[0][price_data][currency]"].islower()
    assert int(form["line_items[0][price_data][unit_amount]"]) > 0
    assert form["adaptive_pricing[enabled]"] == "false"
    return {
        "id": f"cs_test_{number}",
        "object": "checkout.session",
        "url": f"https://checkout.stripe.example/c/pay/cs_test_{number}",
    }


def _refund(form: dict[str, str], number: int) -> dict[str, Any]:
    return {
        "id": f"re_{number}",
        "object": "refund",
        "amount": int(form["amount"]),
        "payment_intent": form["payment_intent"],
        "status": "succeeded",
    }


_MAKERS = {"/v1/checkout/sessions": _session, "/v1/refunds": _refund}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


@contextmanager
def stripe_api() -> Iterator[tuple[StripeApi, str]]:
    """Serve on a free port of this machine; gives the state and the address."""
    state = StripeApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if state.is_hanging:
                state.hang.wait(30)
            status, answer = state.answer(
                self.path,
                dict(parse_qsl(body)),
                self.headers.get("Idempotency-Key", ""),
                self.headers.get("Authorization", ""),
            )
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state, f"http://127.0.0.1:{server.server_port}"
    finally:
        state.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()
