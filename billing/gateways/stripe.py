"""Stripe, by its own library: hosted Checkout, webhooks, refunds.

Webhook endpoint's events: checkout.session.completed, checkout.session.async_payment_succeeded,
checkout.session.async_payment_failed, checkout.session.expired, refund.created, refund.updated, refund.failed,
charge.dispute.funds_withdrawn, charge.dispute.funds_reinstated (docs.stripe.com/api/events/types).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import stripe
from stripe.checkout import Session

from billing.gateways.base import (
    Begun,
    GatewayRefused,
    GatewaySilent,
    Notice,
    NoticeKind,
    NoticeRefused,
    NoticeUnreadable,
    Order,
    text_of,
)

TIMEOUT_SECONDS = (5.0, 20.0)  # To connect, to answer.
TOLERANCE_SECONDS = 300  # The library's own; a notice that is older may be a replay.
# docs.stripe.com/currencies: amounts are in the smallest unit, with these exceptions to ISO 4217's.
ZERO_DECIMAL = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
_PAID = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
_ENDED = ("checkout.session.expired", "checkout.session.async_payment_failed")
_REFUNDED = ("refund.created", "refund.updated")


class Stripe:
    """One Stripe account. `api_base` is Stripe's, or a stand-in's of the tests."""

    def __init__(self, *, api_key: str, webhook_secret: str, api_base: str) -> None:
        self._webhook_secret = webhook_secret
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base},
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
            max_network_retries=1,  # With the idempotency key, so that a second try begins no second payment.
        )

    def begin(self, order: Order) -> Begun:
        params: Any = {
            "mode": "payment",
            "client_reference_id": order.key,
            "metadata": {"checkout": order.key},
            "payment_intent_data": {"metadata": {"checkout": order.key}, "description": order.title},
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency.lower(),
                        "unit_amount": to_stripe(order.amount, order.currency),
                        "product_data": {"name": order.title},
                    },
                }
            ],
            # In the currency of the books, whatever the payer's card is in.
            "adaptive_pricing": {"enabled": False},
            "success_url": order.return_url,
            "cancel_url": order.return_url,
        }
        if order.email:
            params["customer_email"] = order.email
        made: Session = _asked(
            lambda: self._client.v1.checkout.sessions.create(params, {"idempotency_key": order.key})
        )
        if not made.url:
            raise GatewayRefused(gateway="Stripe", why="it gave no page to pay on.")
        return Begun(made.id, made.url)

    def refund(self, *, remote_payment: str, amount: Decimal, currency: str, key: str) -> str:
        params: Any = {"payment_intent": remote_payment, "amount": to_stripe(amount, currency)}
        made: stripe.Refund = _asked(lambda: self._client.v1.refunds.create(params, {"idempotency_key": key}))
        if made.status in ("failed", "canceled"):
            raise GatewayRefused(gateway="Stripe", why=f"the refund {made.id} is {made.status}.")
        return made.id

    def read(self, *, headers: Mapping[str, str], body: bytes, at: datetime) -> Notice:
        """Read a webhook. The library compares its age with the machine's clock, so `at` is not asked."""
        try:
            event = self._client.construct_event(
                body, headers.get("Stripe-Signature"), self._webhook_secret, TOLERANCE_SECONDS
            ).to_dict()
        except stripe.SignatureVerificationError as error:
            raise NoticeRefused(why=_reason(error)) from error
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise NoticeUnreadable(why="it is no event of Stripe's") from error
        return _notice_of(event)


def to_stripe(amount: Decimal, currency: str) -> int:
    """Return an amount as Stripe counts it. Raises GatewayRefused for one that Stripe cannot take."""
    digits = _digits(currency)
    counted = amount.scaleb(digits)
    if counted != counted.to_integral_value():
        raise GatewayRefused(gateway="Stripe", why=f"it takes no fractions of {currency}.")
    if digits == 3 and counted % 10:
        raise GatewayRefused(gateway="Stripe", why=f"it takes {currency} in steps of 0.010.")
    return int(counted)


def from_stripe(counted: int, currency: str) -> Decimal:
    """Return what Stripe counted as an amount."""
    return Decimal(counted).scaleb(-_digits(currency))


def _digits(currency: str) -> int:
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def _asked(call: Any) -> Any:
    try:
        return call()
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise GatewaySilent(gateway="Stripe") from error
    except stripe.StripeError as error:
        if error.http_status is None or error.http_status >= 500:
            raise GatewaySilent(gateway="Stripe") from error
        raise GatewayRefused(gateway="Stripe", why=str(error.user_message or error)[:300]) from error


def _reason(error: stripe.SignatureVerificationError) -> str:
    if "tolerance" in str(error):
        return f"its timestamp is older than {TOLERANCE_SECONDS // 60} minutes"
    return "its Stripe-Signature header is not made with this gateway's signing secret"


def _notice_of(event: dict[str, Any]) -> Notice:
    try:
        name, found = event["type"], event["data"]["object"]
        happened_at = datetime.fromtimestamp(event["created"], UTC)
        return Notice(event_id=event["id"], name=name, happened_at=happened_at, **_facts_of(name, found))
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise NoticeUnreadable(why="a field of the event is missing or wrong") from error


def _facts_of(name: str, found: dict[str, Any]) -> dict[str, Any]:
    if name in _PAID or name in _ENDED:
        key = text_of(found, "client_reference_id")
        if name in _ENDED:
            return {"kind": NoticeKind.ENDED, "key": key}
        if found["payment_status"] != "paid":
            return {"kind": NoticeKind.OTHER, "key": key, "detail": "The payer's bank has not paid yet."}
        return {
            "kind": NoticeKind.PAID,
            "key": key,
            "remote_payment": text_of(found, "payment_intent"),
            **_money(found["amount_total"], found["currency"]),
        }
    if name in _REFUNDED or name == "refund.failed":
        return _refund_facts(name, found)
    if name.startswith("charge.dispute.funds_"):
        facts = {
            "remote_payment": text_of(found, "payment_intent"),
            **_money(found["amount"], found["currency"]),
        }
        if name == "charge.dispute.funds_withdrawn":
            return {"kind": NoticeKind.TAKEN_BACK, "detail": "Disputed by the payer", **facts}
        return {
            "kind": NoticeKind.FOR_A_PERSON,
            "detail": "A dispute was won and the money is back at Stripe: book it as a new payment.",
            **facts,
        }
    return {"kind": NoticeKind.OTHER, "detail": "Not asked for; leave it out of the endpoint's events."}


def _refund_facts(name: str, found: dict[str, Any]) -> dict[str, Any]:
    facts = {
        "remote_payment": text_of(found, "payment_intent"),
        "remote_refund": found["id"],
        **_money(found["amount"], found["currency"]),
    }
    if name == "refund.failed" or found["status"] in ("failed", "canceled"):
        detail = "Stripe could not give a refund back: look at it there, then book what became of the money."
        return {"kind": NoticeKind.FOR_A_PERSON, "detail": detail, **facts}
    if found["status"] != "succeeded":
        return {"kind": NoticeKind.OTHER, "detail": "The refund is on its way.", **facts}
    return {"kind": NoticeKind.REFUNDED, **facts}


def _money(counted: int, currency: str) -> dict[str, Any]:
    return {"amount": from_stripe(counted, currency.upper()), "currency": currency.upper()}
