"""What a payment gateway is to us: three calls. Adapters know their gateway's protocol and nothing of our tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from ispcore.errors import DomainError, RetryableError


class NoticeKind(StrEnum):
    PAID = "paid"
    ENDED = "ended"
    REFUNDED = "refunded"
    TAKEN_BACK = "taken_back"
    FOR_A_PERSON = "for_a_person"
    OTHER = "other"


@dataclass(frozen=True)
class Order:
    """What the payer shall pay. `key` is this payment's name here: asking twice with it begins one payment."""

    key: str
    amount: Decimal
    currency: str
    title: str
    email: str
    return_url: str


@dataclass(frozen=True)
class Begun:
    """A payment that waits for the payer at `url`; `remote_id` is the gateway's name of it."""

    remote_id: str
    url: str


@dataclass(frozen=True)
class Notice:
    """What a gateway told, its signature checked. `key` is that of the `Order`, where the notice names it."""

    event_id: str
    name: str
    kind: NoticeKind
    happened_at: datetime
    key: str = ""
    remote_payment: str = ""
    remote_refund: str = ""
    amount: Decimal = Decimal(0)
    currency: str = ""
    detail: str = ""


class NoticeRefused(DomainError):
    code = "invalid_signature"
    message = "The notice is refused: {why}."
    status = 401


class NoticeUnreadable(DomainError):
    code = "malformed_request"
    message = "The notice cannot be read: {why}."
    status = 400


class GatewaySilent(RetryableError):
    message = "{gateway} did not answer. Nothing was booked; try again in a minute."


class GatewayRefused(DomainError):
    code = "gateway_refused"
    message = "{gateway} refused: {why}"


class Gateway(Protocol):
    """One account at a gateway. Each call ends within a stated time and holds no transaction."""

    def begin(self, order: Order) -> Begun:
        """Begin a payment. Safe to repeat. Raises GatewaySilent, GatewayRefused."""
        ...

    def read(self, *, headers: Mapping[str, str], body: bytes, at: datetime) -> Notice:
        """Check a notice's signature and age, and read it. Raises NoticeRefused, NoticeUnreadable."""
        ...

    def refund(self, *, remote_payment: str, amount: Decimal, currency: str, key: str) -> str:
        """Give money back and return the refund's name. Safe to repeat with the same key.

        Raises GatewaySilent, GatewayRefused.
        """
        ...


def text_of(found: Mapping[str, Any], name: str) -> str:
    """Return a text of a notice, empty when it is missing or something else."""
    value = found.get(name)
    return value if isinstance(value, str) else ""
