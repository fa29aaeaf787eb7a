"""Promises to pay: until their day nobody is cut for what they owe."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from billing.models import Promise, PromiseStatus
from ispcore import money
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id
from subscribers.models import Subscriber

LONGEST_DAYS = 92  # A promise further away is an exemption, and somebody's decision.


class SubscriberUnknown(NotRegistered):
    message = "There is no such customer."
    field = "subscriber_id"


class PromiseOpen(DomainError):
    code = "promise_open"
    message = "{customer} has promised to pay until {until} already. Withdraw that promise first."


class PromiseTooFar(DomainError):
    code = "promise_until_out_of_range"
    message = "A promise lasts until today at the earliest and {last} at the latest."
    status = 422
    field = "until"


class AmountNotWhole(DomainError):
    code = "amount_invalid"
    message = "{amount} is no amount of {currency}: above zero, with no more digits than the currency has."
    status = 422
    field = "amount"


class PromiseOver(DomainError):
    code = "promise_over"
    message = "The promise is {status} already."


@transaction.atomic
def make_promise(
    *,
    subscriber_id: UUID,
    amount: Decimal,
    currency: str,
    until: date,
    on: date,
    at: datetime,
    note: str = "",
    user_id: UUID | None = None,
) -> Promise:
    """Note that a customer will pay until a day; `on` is today at the provider's, `at` is now.

    Raises SubscriberUnknown, PromiseOpen, PromiseTooFar, AmountNotWhole.
    """
    customer = lock_customer(subscriber_id)
    if not on <= until <= on + timedelta(days=LONGEST_DAYS):
        raise PromiseTooFar(last=on + timedelta(days=LONGEST_DAYS))
    if amount <= 0 or not money.is_whole(amount, currency):
        raise AmountNotWhole(amount=amount, currency=currency)
    running = Promise.objects.filter(subscriber=customer, status=PromiseStatus.OPEN).first()
    if running is not None:
        raise PromiseOpen(customer=customer.full_name, until=running.until)
    promise: Promise = Promise.objects.create(
        subscriber=customer,
        amount=amount,
        currency=currency,
        until=until,
        note=note,
        made_at=at,
        created_by_id=user_id,
    )
    return promise


@transaction.atomic
def withdraw_promise(*, promise_id: UUID, at: datetime) -> Promise:
    """End a promise before its day. Safe to repeat. Raises PromiseOver for one that was kept or broken."""
    promise: Promise = Promise.objects.select_for_update(of=("self",)).get(pk=promise_id)
    if promise.status == PromiseStatus.WITHDRAWN:
        return promise
    if promise.status != PromiseStatus.OPEN:
        raise PromiseOver(status=promise.get_status_display().lower())
    promise.status, promise.settled_at = PromiseStatus.WITHDRAWN, at
    promise.save(update_fields=["status", "settled_at", "updated_at"])
    return promise


@transaction.atomic
def settle_promises(*, on: date, at: datetime) -> int:
    """Mark the promises whose day has passed as kept, when as much was paid since, or as broken. Safe to repeat."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE billing_promise AS promise
            SET status = CASE WHEN (
                    SELECT COALESCE(sum(paid.amount - paid.refunded), 0) FROM billing_payment AS paid
                    WHERE paid.tenant_id = %(tenant)s AND paid.subscriber_id = promise.subscriber_id
                      AND paid.currency = promise.currency AND paid.status = 'received'
                      AND paid.received_at >= promise.made_at
                ) >= promise.amount THEN 'kept' ELSE 'broken' END,
                settled_at = %(at)s, updated_at = %(at)s
            WHERE promise.tenant_id = %(tenant)s AND promise.status = 'open' AND promise.until < %(on)s
            """,
            {"tenant": current_tenant_id(), "on": on, "at": at},
        )
        return int(cursor.rowcount)


def lock_customer(subscriber_id: UUID) -> Subscriber:
    """Return the customer, locked until the transaction ends. Raises SubscriberUnknown."""
    found: Subscriber | None = (
        Subscriber.objects.select_for_update(of=("self",)).filter(pk=subscriber_id).first()
    )
    if found is None:
        raise SubscriberUnknown
    return found
