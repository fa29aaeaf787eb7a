"""The bank of the demo: a page on which one says yes or no, and notices signed as a bank would sign them.

A notice's header `Demo-Bank-Signature` is `t=<seconds since 1970>,v1=<hex>`: HMAC-SHA-256 (RFC 2104) by the account's
signing secret over the time, a point and the body. No money moves.
"""

import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.gateways.base import Begun, Notice, NoticeKind, NoticeRefused, NoticeUnreadable, Order

HEADER = "Demo-Bank-Signature"
TOLERANCE = timedelta(minutes=5)
_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


class DemoBank:
    """One account at the demo's bank. `page_url` is where payers are sent; `{key}` in it is the payment's name."""

    def __init__(self, *, webhook_secret: str, page_url: str) -> None:
        self._secret = webhook_secret
        self._page_url = page_url

    def begin(self, order: Order) -> Begun:
        return Begun(f"order-{order.key}", self._page_url.replace("{key}", order.key))

    def refund(self, *, remote_payment: str, amount: Decimal, currency: str, key: str) -> str:
        return f"refund-{key}"

    def read(self, *, headers: Mapping[str, str], body: bytes, at: datetime) -> Notice:
        found = _SIGNATURE.fullmatch(headers.get(HEADER, ""))
        if found is None or not hmac.compare_digest(found[2], self._signature(found[1], body)):
            raise NoticeRefused(why=f"its {HEADER} header is not made with this gateway's signing secret")
        if abs(at.timestamp() - int(found[1])) > TOLERANCE.total_seconds():
            raise NoticeRefused(why=f"its timestamp is more than {TOLERANCE.seconds // 60} minutes away")
        try:
            told = json.loads(body)
            return Notice(
                event_id=told["id"],
                name=f"payment.{told['kind']}",
                kind=NoticeKind(told["kind"]),
                happened_at=datetime.fromtimestamp(int(found[1]), UTC),
                key=told["order"],
                remote_payment=told["payment"],
                remote_refund=told["refund"],
                amount=Decimal(told["amount"]),
                currency=told["currency"],
            )
        except (ValueError, KeyError, TypeError, InvalidOperation, RecursionError) as error:
            raise NoticeUnreadable(why="it is no notice of the demo bank's") from error

    def sign(self, told: Mapping[str, Any], *, at: datetime) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of a notice, as the bank sends it."""
        body = json.dumps(told).encode()
        seconds = str(int(at.timestamp()))
        return {HEADER: f"t={seconds},v1={self._signature(seconds, body)}"}, body

    def _signature(self, seconds: str, body: bytes) -> str:
        return hmac.digest(self._secret.encode(), seconds.encode() + b"." + body, "sha256").hex()
