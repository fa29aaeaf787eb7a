"""Customers who are neither reminded nor cut."""

from datetime import date, datetime
from uuid import UUID

from django.db import transaction

from billing.models import Exemption
from billing.services.dunning.promises import lock_customer
from ispcore.errors import DomainError


class ExemptAlready(DomainError):
    code = "exempt_already"
    message = "{customer} is exempt already: {reason}. End that exemption first."


class ExemptionInThePast(DomainError):
    code = "exemption_in_the_past"
    message = "An exemption lasts until today at the earliest."
    status = 422
    field = "until"


@transaction.atomic
def exempt(
    *,
    subscriber_id: UUID,
    reason: str,
    until: date | None,
    on: date,
    at: datetime,
    user_id: UUID | None = None,
) -> Exemption:
    """Spare a customer until a day, or until it is ended; `on` is today at the provider's.

    Raises SubscriberUnknown, ExemptAlready, ExemptionInThePast.
    """
    customer = lock_customer(subscriber_id)
    if until is not None and until < on:
        raise ExemptionInThePast
    Exemption.objects.filter(subscriber=customer, ended_at=None, until__lt=on).update(
        ended_at=at, updated_at=at
    )
    running = Exemption.objects.filter(subscriber=customer, ended_at=None).first()
    if running is not None:
        raise ExemptAlready(customer=customer.full_name, reason=running.reason)
    exemption: Exemption = Exemption.objects.create(
        subscriber=customer, reason=reason, until=until, created_by_id=user_id
    )
    return exemption


@transaction.atomic
def end_exemption(*, exemption_id: UUID, at: datetime) -> Exemption:
    """Treat a customer as all others again. Safe to repeat."""
    exemption: Exemption = Exemption.objects.select_for_update(of=("self",)).get(pk=exemption_id)
    if exemption.ended_at is None:
        exemption.ended_at = at
        exemption.save(update_fields=["ended_at", "updated_at"])
    return exemption
