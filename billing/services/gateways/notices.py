"""What gateways tell: checked, kept once, booked. What cannot be booked yet waits with a reason."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing.gateways.base import Notice, NoticeKind, NoticeRefused
from billing.models import (
    Checkout,
    CheckoutStatus,
    EventOutcome,
    GatewayAccount,
    GatewayEvent,
    Invoice,
    Payment,
    PaymentMethod,
)
from billing.services import payments
from billing.services.gateways import accounts
from billing.services.payments import Share, checks
from billing.services.payments.allocating import OPEN
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import tenant_context

LONGEST_PAYLOAD = 32 * 1024  # Characters kept of a notice, for whoever has to find out what happened.
REFUSALS_NOTED_EVERY = timedelta(minutes=1)


class EventUnknown(NotRegistered):
    message = "There is no such notice."


class EventNotParked(DomainError):
    code = "event_not_parked"
    message = "The notice does not wait: {outcome}."


class Result(NamedTuple):
    """What became of a notice."""

    outcome: EventOutcome
    detail: str = ""
    payment: Payment | None = None


def take(*, name: str, headers: Mapping[str, str], body: bytes, at: datetime) -> GatewayEvent:
    """Check a notice that came to an account's address, keep it, and book what it tells.

    Binds the account's tenant itself. Safe to repeat, also at the same time: a notice is taken once. What cannot be
    booked is kept with the reason and raises nothing, since sending it again would not help.

    Raises GatewayUnknown, NoticeRefused, NoticeUnreadable.
    """
    tenant, key = accounts.split_name(name)
    with tenant_context(tenant.pk):
        account = GatewayAccount.objects.filter(key=key).first()
        if account is None:
            raise accounts.GatewayUnknown
        adapter = accounts.adapter_of(account)
    try:
        notice = adapter.read(headers=headers, body=body, at=at)
    except NoticeRefused as refusal:
        with tenant_context(tenant.pk):
            _note_refusal(account, str(refusal), at)
        raise
    with tenant_context(tenant.pk):
        return keep(account_id=account.pk, notice=notice, body=body, at=at)


@transaction.atomic
def keep(*, account_id: UUID, notice: Notice, body: bytes, at: datetime) -> GatewayEvent:
    """Keep a notice that was checked, and book what it tells; the one that was kept before is returned."""
    # One notice of an account at a time: a payment and its refund cannot miss each other.
    account = accounts.find_account(account_id, lock=True)
    event: GatewayEvent | None = GatewayEvent.objects.filter(
        gateway=account, event_id=notice.event_id
    ).first()
    if event is not None:
        return event
    text = body.decode(errors="replace").replace("\0", "")
    event = GatewayEvent(
        gateway=account,
        event_id=notice.event_id,
        kind=notice.name[:120],
        remote_payment=notice.remote_payment,
        facts=_facts_of(notice),
        payload=text if len(text) <= LONGEST_PAYLOAD else "",
        happened_at=notice.happened_at,
        received_at=at,
    )
    _settle(event, notice, at=at)
    return event


@transaction.atomic
def retry(*, event_id: UUID, at: datetime) -> GatewayEvent:
    """Try a notice that waits once more. Raises EventUnknown, EventNotParked."""
    event = _parked(event_id)
    _settle(event, _notice_of(event), at=at)
    return event


@transaction.atomic
def dismiss(*, event_id: UUID, reason: str) -> GatewayEvent:
    """Say that a notice that waits was settled by a person. Raises EventUnknown, EventNotParked."""
    event = _parked(event_id)
    event.outcome, event.detail = EventOutcome.IGNORED, f"Settled by hand: {reason}"[:300]
    event.save(update_fields=["outcome", "detail", "updated_at"])
    return event


def _parked(event_id: UUID) -> GatewayEvent:
    account = GatewayEvent.objects.filter(pk=event_id).values_list("gateway", flat=True).first()
    if account is None:
        raise EventUnknown
    accounts.find_account(account, lock=True)
    event: GatewayEvent = GatewayEvent.objects.select_related("gateway").get(pk=event_id)
    if event.outcome != EventOutcome.PARKED:
        raise EventNotParked(outcome=EventOutcome(event.outcome).label.lower())
    return event


def _settle(event: GatewayEvent, notice: Notice, *, at: datetime) -> None:
    """Do what a notice tells or find why not, and store that; then what waited for it."""
    try:
        with transaction.atomic():
            result = _ACTIONS[notice.kind](event.gateway, notice, at)
    except DomainError as refusal:
        result = Result(EventOutcome.PARKED, str(refusal))
    event.outcome, event.detail, event.payment = result.outcome, result.detail[:300], result.payment
    event.save()
    if notice.kind == NoticeKind.PAID and result.outcome == EventOutcome.BOOKED:
        waiting = GatewayEvent.objects.filter(
            gateway=event.gateway, remote_payment=notice.remote_payment, outcome=EventOutcome.PARKED
        )
        for early in waiting.select_related("gateway").order_by("happened_at", "id"):
            _settle(early, _notice_of(early), at=at)


def _paid(account: GatewayAccount, notice: Notice, at: datetime) -> Result:
    checkout = _checkout_of(account, notice.key)
    if checkout is None:
        return Result(
            EventOutcome.PARKED,
            "No payment of this name was begun here: find the payer, then book it by hand.",
        )
    if checkout.payment is not None:
        return Result(EventOutcome.IGNORED, "Its payment was booked before.", checkout.payment)
    checks.lock_payer(checkout.subscriber_id)
    payment = payments.receive(
        subscriber_id=checkout.subscriber_id,
        amount=notice.amount,
        currency=notice.currency,
        method=PaymentMethod.CARD,
        reference=f"{account.kind}:{notice.remote_payment or notice.key}"[:120],
        received_at=min(notice.happened_at, at),
        allocations=_meant_for(checkout, notice),
        note=account.label,
        at=at,
    )
    payments.allocate(payment_id=payment.pk, at=at)
    checkout.status, checkout.payment = CheckoutStatus.PAID, payment
    checkout.remote_payment = notice.remote_payment
    checkout.save(update_fields=["status", "payment", "remote_payment", "updated_at"])
    return Result(EventOutcome.BOOKED, payment=payment)


def _meant_for(checkout: Checkout, notice: Notice) -> list[Share] | None:
    """Return the invoice a checkout was begun for, with what is open of it now."""
    invoice: Invoice | None = (
        Invoice.objects.filter(pk=checkout.invoice_id, status__in=OPEN, currency=notice.currency).first()
        if checkout.invoice_id
        else None
    )
    return [Share(invoice.pk, min(invoice.open_amount, notice.amount))] if invoice else None


def _ended(account: GatewayAccount, notice: Notice, at: datetime) -> Result:
    checkout = _checkout_of(account, notice.key)
    if checkout is not None and checkout.status == CheckoutStatus.OPEN:
        checkout.status = CheckoutStatus.ENDED
        checkout.save(update_fields=["status", "updated_at"])
    return Result(EventOutcome.IGNORED, "The payer did not pay.")


def _refunded(account: GatewayAccount, notice: Notice, at: datetime) -> Result:
    payment = _payment_of(account, notice)
    if payment is None:
        return Result(EventOutcome.PARKED, "The payment it belongs to has not come yet.")
    if payment.currency != notice.currency:
        return Result(
            EventOutcome.PARKED, f"The payment is in {payment.currency}, this in {notice.currency}."
        )
    payments.refund(
        payment_id=payment.pk,
        amount=notice.amount,
        reason=f"Refunded at {account.label}",
        reference=notice.remote_refund,
        at=at,
    )
    return Result(EventOutcome.BOOKED, payment=payment)


def _taken_back(account: GatewayAccount, notice: Notice, at: datetime) -> Result:
    payment = _payment_of(account, notice)
    if payment is None:
        return Result(EventOutcome.PARKED, "The payment it belongs to has not come yet.")
    if notice.amount < payment.amount - payment.refunded:
        detail = (
            f"Only {notice.amount} {notice.currency} of the payment was taken back: refund that much by hand."
        )
        return Result(EventOutcome.PARKED, detail, payment)
    payments.bounce(payment_id=payment.pk, reason=notice.detail or "Taken back", at=at)
    return Result(EventOutcome.BOOKED, payment=payment)


def _for_a_person(account: GatewayAccount, notice: Notice, at: datetime) -> Result:
    return Result(EventOutcome.PARKED, notice.detail, _payment_of(account, notice))


def _nothing(account: GatewayAccount, notice: Notice, at: datetime) -> Result:
    return Result(EventOutcome.IGNORED, notice.detail)


_ACTIONS = {
    NoticeKind.PAID: _paid,
    NoticeKind.ENDED: _ended,
    NoticeKind.REFUNDED: _refunded,
    NoticeKind.TAKEN_BACK: _taken_back,
    NoticeKind.FOR_A_PERSON: _for_a_person,
    NoticeKind.OTHER: _nothing,
}


def _checkout_of(account: GatewayAccount, key: str) -> Checkout | None:
    try:
        wanted = UUID(key)
    except ValueError:
        return None
    found: Checkout | None = Checkout.objects.filter(gateway=account, pk=wanted).first()
    return found


def _payment_of(account: GatewayAccount, notice: Notice) -> Payment | None:
    if not notice.remote_payment:
        return None
    found: Payment | None = Payment.objects.filter(
        checkouts__gateway=account, checkouts__remote_payment=notice.remote_payment
    ).first()
    return found


def _facts_of(notice: Notice) -> dict[str, Any]:
    facts = asdict(notice)
    return {**facts, "amount": str(notice.amount), "happened_at": notice.happened_at.isoformat()}


def _notice_of(event: GatewayEvent) -> Notice:
    facts = {
        **event.facts,
        "kind": NoticeKind(event.facts["kind"]),
        "amount": Decimal(event.facts["amount"]),
        "happened_at": event.happened_at,
    }
    return Notice(**facts)


def _note_refusal(account: GatewayAccount, why: str, at: datetime) -> None:
    """Let staff see that notices are refused, without a row for each: anybody may send them."""
    stale = Q(refused_at=None) | Q(refused_at__lte=at - REFUSALS_NOTED_EVERY)
    GatewayAccount.objects.filter(stale, pk=account.pk).update(refused_at=at, refusal=why[:200])
