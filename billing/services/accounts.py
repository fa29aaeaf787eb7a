"""What a subscriber owes, in one currency: from the ledger, and what of it is overdue."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Sum

from billing.models import Invoice, InvoiceKind, SubscriberBalance
from ispcore.errors import DomainError
from subscribers.models import BillingProfile, Subscriber


class CurrencyUnknown(DomainError):
    code = "currency_missing"
    message = "Nothing was ever billed here, and the customer has no billing profile: say in which currency."
    field = "currency"


@dataclass(frozen=True)
class Balance:
    """`balance` above zero is owed; `credit` is what it is below zero. `overdue` is open past its due day."""

    currency: str
    balance: Decimal
    overdue: Decimal
    overdue_since: date | None
    credit: Decimal


def balance_of(subscriber: Subscriber, *, on: date, currency: str = "") -> Balance:
    """Return what a subscriber owes on a day; without a currency, in that of their profile. Raises CurrencyUnknown."""
    currency = currency or currency_of(subscriber)
    kept = SubscriberBalance.objects.filter(subscriber=subscriber, currency=currency)
    balance = kept.values_list("balance", flat=True).first() or Decimal(0)
    late = Invoice.objects.filter(
        subscriber=subscriber, currency=currency, kind=InvoiceKind.INVOICE, due_on__lt=on, open_amount__gt=0
    ).exclude(number="")
    overdue = late.aggregate(total=Sum("open_amount"))["total"] or Decimal(0)
    since = late.order_by("due_on").values_list("due_on", flat=True).first() if overdue else None
    return Balance(currency, balance, overdue, since, max(-balance, Decimal(0)))


def currency_of(subscriber: Subscriber) -> str:
    """Return the currency a subscriber is billed in: by the profile, or by what was billed. Raises CurrencyUnknown."""
    if subscriber.billing_profile is not None:
        return str(subscriber.billing_profile.currency)
    found = SubscriberBalance.objects.filter(subscriber=subscriber).order_by("currency")
    currency = found.values_list("currency", flat=True).first()
    # The one currency of all profiles is that of a customer who has none yet.
    used = BillingProfile.objects.order_by().values_list("currency", flat=True).distinct()[:2]
    if currency is None and len(used) == 1:
        currency = used[0]
    if currency is None:
        raise CurrencyUnknown
    return str(currency)
