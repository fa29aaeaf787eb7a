"""Sending a subscriber to a gateway to pay: recorded first, begun there by a job."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.gateways.base import Order
from billing.models import Checkout, CheckoutStatus, GatewayAccount, Invoice, InvoiceKind
from billing.services.gateways import accounts
from billing.services.payments import checks
from billing.services.payments.allocating import OPEN
from billing.services.payments.receiving import refuse_foreign_currency
from ispcore.errors import DomainError, NotRegistered
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.money import round_money
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Subscriber

KIND = "billing.begin_checkout"


class GatewayDisabled(DomainError):
    code = "gateway_disabled"
    message = "{label} is switched off; switch it on or choose another gateway."
    field = "gateway_id"


class InvoiceUnknown(NotRegistered):
    message = "There is no such invoice."
    field = "invoice_id"


class InvoiceNotPayable(DomainError):
    code = "invoice_not_open"
    message = "Nothing of the invoice {invoice} is open."
    field = "invoice_id"


class BeyondInvoice(DomainError):
    code = "amount_beyond_invoice"
    message = "The invoice {invoice} has {open} {currency} open, less than {amount}."
    field = "amount"


@dataclass(frozen=True)
class TopUp:
    """Money a subscriber wants to have as credit."""

    subscriber_id: UUID
    amount: Decimal
    currency: str


@transaction.atomic
def record_invoice(
    *, gateway_id: UUID, invoice_id: UUID, amount: Decimal | None = None, user_id: UUID | None = None
) -> Checkout:
    """Record that what is open of an invoice, or a part of it, is to be paid at a gateway.

    Raises GatewayUnknown, GatewayDisabled, InvoiceUnknown, InvoiceNotPayable, BeyondInvoice and what
    `refuse_bad_amount` raises.
    """
    gateway = _enabled(gateway_id)
    invoice: Invoice | None = Invoice.objects.filter(pk=invoice_id).first()
    if invoice is None:
        raise InvoiceUnknown
    if invoice.kind != InvoiceKind.INVOICE or invoice.status not in OPEN:
        raise InvoiceNotPayable(invoice=invoice)
    amount = invoice.open_amount if amount is None else amount
    checks.refuse_bad_amount(amount, invoice.currency)
    if amount > invoice.open_amount:
        raise BeyondInvoice(
            invoice=invoice,
            open=round_money(invoice.open_amount, invoice.currency),
            currency=invoice.currency,
            amount=amount,
        )
    checkout: Checkout = Checkout.objects.create(
        gateway=gateway,
        subscriber_id=invoice.subscriber_id,
        invoice=invoice,
        amount=amount,
        currency=invoice.currency,
        created_by_id=user_id,
    )
    return checkout


@transaction.atomic
def record_top_up(*, gateway_id: UUID, top_up: TopUp, user_id: UUID | None = None) -> Checkout:
    """Record that a subscriber is to pay an amount ahead.

    Raises GatewayUnknown, GatewayDisabled, PayerUnknown, CurrencyNotTheirs and what `refuse_bad_amount` raises.
    """
    gateway = _enabled(gateway_id)
    payer: Subscriber | None = Subscriber.objects.filter(pk=top_up.subscriber_id).first()
    if payer is None:
        raise checks.PayerUnknown
    checks.refuse_bad_amount(top_up.amount, top_up.currency)
    refuse_foreign_currency(payer, top_up.currency)
    checkout: Checkout = Checkout.objects.create(
        gateway=gateway,
        subscriber=payer,
        amount=top_up.amount,
        currency=top_up.currency,
        created_by_id=user_id,
    )
    return checkout


def begin_in_background(checkout: Checkout, *, return_url: str, user_id: UUID | None) -> Job:
    """Let a worker begin a recorded checkout at its gateway; the job's result has the page to pay on."""
    return jobs.enqueue(
        kind=KIND,
        params={"checkout_id": str(checkout.pk), "return_url": return_url},
        label=f"Payment page for {checkout}",
        subject=str(checkout.pk),
        user_id=user_id,
    )


def begin_job(run: jobs.Run) -> dict[str, Any]:
    """Begin the job's checkout and return where to pay. Safe to repeat: the gateway knows it by its key."""
    return begin(
        tenant_id=run.tenant_id,
        checkout_id=UUID(run.params["checkout_id"]),
        return_url=run.params["return_url"],
    )


def begin(*, tenant_id: UUID, checkout_id: UUID, return_url: str) -> dict[str, Any]:
    """Begin a recorded checkout at its gateway; call it outside any transaction.

    Returns `checkout_id` and `url`, the page to pay on. Safe to repeat. Raises GatewaySilent, GatewayRefused.
    """
    with tenant_context(tenant_id):
        checkout = Checkout.objects.select_related("gateway", "subscriber", "invoice").get(pk=checkout_id)
        if checkout.url:
            return {"checkout_id": str(checkout_id), "url": checkout.url}
        provider = Tenant.objects.values_list("name", flat=True).get(pk=tenant_id)
        order = Order(
            key=str(checkout.pk),
            amount=checkout.amount,
            currency=checkout.currency,
            title=f"Invoice {checkout.invoice}" if checkout.invoice else f"Credit with {provider}",
            email=checkout.subscriber.email,
            return_url=return_url,
        )
        adapter = accounts.adapter_of(checkout.gateway)
    begun = adapter.begin(order)
    with tenant_context(tenant_id):
        Checkout.objects.filter(pk=checkout_id, status=CheckoutStatus.OPEN, url="").update(
            remote_id=begun.remote_id, url=begun.url
        )
    return {"checkout_id": str(checkout_id), "url": begun.url}


def _enabled(gateway_id: UUID) -> GatewayAccount:
    gateway = accounts.find_account(gateway_id)
    if not gateway.is_enabled:
        raise GatewayDisabled(label=gateway.label)
    return gateway
