"""Gateways, their payments, and the signed notices Stripe would send of them."""

import json
import time
from decimal import Decimal
from uuid import uuid4

import stripe
from django.utils import timezone

from billing.gateways import stripe as stripe_gateway
from billing.models import (
    Checkout,
    GatewayAccount,
    GatewayEvent,
)
from billing.services.gateways import accounts, checkouts, notices
from tests.billing.paying import payer
from tests.billing.stripe_api import API_KEY

SECRET = "whsec_0123456789abcdef"


def make_gateway(**fields) -> GatewayAccount:
    given = {"kind": "stripe", "label": "Cards", "api_key": API_KEY, "webhook_secret": SECRET}
    return accounts.create_account(**{**given, **fields})


def make_checkout(gateway, invoice=None, **fields) -> Checkout:
    if invoice is not None:
        return checkouts.record_invoice(gateway_id=gateway.pk, invoice_id=invoice.pk, **fields)
    top_up = checkouts.TopUp(payer().pk, Decimal("15"), "EUR")
    return checkouts.record_top_up(gateway_id=gateway.pk, top_up=top_up)


def signed(event: dict, *, secret: str = SECRET, at: float | None = None) -> dict:
    """What `notices.take` gets of an event that Stripe sends."""
    body = json.dumps(event)
    header = stripe.WebhookSignature.generate_signature_header(body, secret, int(at or time.time()))
    return {"headers": {"Stripe-Signature": header}, "body": body.encode()}


def event(kind: str, found: dict, *, event_id: str = "") -> dict:
    return {
        "id": event_id or f"evt_{uuid4().hex}",
        "object": "event",
        "type": kind,
        "created": int(time.time()),
        "data": {"object": found},
    }


def paid(checkout: Checkout, *, intent: str = "pi_1", **fields) -> dict:
    found = {
        "object": "checkout.session",
        "client_reference_id": str(checkout.pk),
        "payment_status": "paid",
        "payment_intent": intent,
        "amount_total": stripe_gateway.to_stripe(checkout.amount, checkout.currency),
        "currency": checkout.currency.lower(),
    }
    return event("checkout.session.completed", {**found, **fields})


def refunded(intent: str = "pi_1", *, amount: int, refund: str = "re_1", **fields) -> dict:
    found = {
        "object": "refund",
        "id": refund,
        "amount": amount,
        "currency": "eur",
        "payment_intent": intent,
        "status": "succeeded",
    }
    return event("refund.created", {**found, **fields})


def take(gateway: GatewayAccount, sent: dict, **how) -> GatewayEvent:
    return notices.take(name=accounts.public_name(gateway), at=timezone.now(), **signed(sent, **how))
