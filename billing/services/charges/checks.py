"""What everything that has an amount and days is held to."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from billing.models import InvoiceLine
from ispcore import money
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.base import TenantModel
from subscribers.models import Plan, ServiceStatus, Subscriber, Subscription

M = TypeVar("M", bound=TenantModel)

# What begins earlier was mistyped: it would be charged at once for all the time since.
MOST_DAYS_BACK = 366


class Invalid(DomainError):
    code = "validation_error"
    status = 422


class AmountNotPositive(Invalid):
    message = "It must be more than nothing."


class AmountTooFine(Invalid):
    message = "{currency} has {digits} digits after the point; {amount} is finer."


class UnknownCurrency(Invalid):
    message = "Give three capital letters of ISO 4217, for example EUR."
    field = "currency"


class CurrencyDiffers(DomainError):
    code = "currency_mismatch"
    message = "{who} is billed in {wanted}, not in {given}."
    field = "currency"


class DatesCrossed(Invalid):
    message = "It must be later than {starts_on}, the day it begins."
    field = "ends_on"


class TooLongAgo(Invalid):
    message = "{starts_on} is more than a year ago; the days since would all be charged."
    field = "starts_on"


class UnknownSubscriber(NotRegistered):
    message = "There is no such subscriber."
    field = "subscriber_id"


class UnknownService(NotRegistered):
    message = "There is no such service of this customer."
    field = "service_id"


class UnknownPlan(NotRegistered):
    message = "There is no such plan."
    field = "plan_id"


class ServiceOver(DomainError):
    code = "service_ended"
    message = "Service {number} has ended: nothing more can be charged with it."
    field = "service_id"


class EndBilled(DomainError):
    code = "already_ended"
    message = "{name} has ended on {ends_on} already. Add another instead."
    field = "ends_on"


def check_amount(amount: Decimal, currency: str, *, field: str) -> None:
    """Raise AmountNotPositive or AmountTooFine, at that field."""
    refusal: DomainError | None = None
    if amount <= 0:
        refusal = AmountNotPositive()
    elif not money.is_whole(amount, currency):
        digits = money.minor_units(currency)
        refusal = AmountTooFine(currency=currency, digits=digits or "no", amount=f"{amount.normalize():f}")
    if refusal:
        refusal.field = field
        raise refusal


def check_dates(starts_on: date, ends_on: date | None, *, on: date | None = None) -> None:
    """Raise DatesCrossed, or TooLongAgo for what begins more than a year before `on`."""
    if ends_on is not None and ends_on <= starts_on:
        raise DatesCrossed(starts_on=starts_on)
    if on is not None and starts_on < on - timedelta(days=MOST_DAYS_BACK):
        raise TooLongAgo(starts_on=starts_on)


def check_currency(subscriber: Subscriber, currency: str, *, plan: Plan | None = None) -> None:
    """Raise CurrencyDiffers when it is not the one the customer's profile, or the service's plan, is billed in."""
    profile = subscriber.billing_profile
    wanted = profile.currency if profile else plan.currency if plan else currency
    if len(currency) != 3 or not (currency.isascii() and currency.isupper() and currency.isalpha()):
        raise UnknownCurrency
    if currency != wanted:
        raise CurrencyDiffers(who=subscriber, wanted=wanted, given=currency)


def subscriber_of(subscriber_id: UUID) -> Subscriber:
    """Raises UnknownSubscriber."""
    found: Subscriber | None = (
        Subscriber.objects.select_related("billing_profile").filter(pk=subscriber_id).first()
    )
    if found is None:
        raise UnknownSubscriber
    return found


def service_of(subscription_id: UUID, *, subscriber_id: UUID | None = None) -> Subscription:
    """Return a service that may still be charged. Raises UnknownService, ServiceOver."""
    rows = Subscription.objects.select_related("plan", "subscriber__billing_profile")
    found: Subscription | None = rows.filter(pk=subscription_id).first()
    if found is None or (subscriber_id and found.subscriber_id != subscriber_id):
        raise UnknownService
    if found.status in (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED):
        raise ServiceOver(number=found.number)
    return found


def is_billed(source: UUID, *, subscriptions: Iterable[Any], kinds: Iterable[str]) -> bool:
    """Whether some invoice or draft has an item of it."""
    rows = InvoiceLine.objects.filter(
        subscription__in=list(subscriptions), kind__in=list(kinds), source=source, is_void=False
    )
    return bool(rows.exists())


def locked(model: type[M], pk: UUID) -> M:
    """Lock a row the caller has found."""
    found: M = model.objects.select_for_update(of=("self",)).get(pk=pk)
    return found
