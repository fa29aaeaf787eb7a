"""How long a prepaid line goes on: until when it is paid, and until when the credit lasts."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from billing.models import PrepaidLine
from billing.services.prepaid import buying, pricing
from subscribers.models import PaymentKind, ServiceStatus, Subscription

RUNS = (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)


@dataclass(frozen=True)
class Outlook:
    """Days are the first that is not paid; `lasts_until` is None where a period costs nothing.

    `price` is the next period's, taxes included, and `lasts_until` counts on it; the credit may be shared with
    `other_lines` of the same customer.
    """

    paid_until: date
    waits_since: datetime | None
    price: Decimal
    credit: Decimal
    missing: Decimal
    currency: str
    lasts_until: date | None
    other_lines: int


def outlook(line: Subscription) -> Outlook | None:
    """Say until when a line is paid and how far the credit goes, 24 periods at most; None when it is not prepaid.

    As many queries for any number of periods.
    """
    state: PrepaidLine | None = PrepaidLine.objects.filter(subscription=line).first()
    profile = line.subscriber.billing_profile
    is_prepaid = profile is not None and profile.payment_kind == PaymentKind.PREPAID
    if state is None or not is_prepaid or line.status not in RUNS:
        return None
    price = pricing.price_of(line, on=state.paid_until)
    credit = buying.credit_of(line.subscriber_id, price.currency)
    until, left = state.paid_until, credit
    if price.total and state.waits_since is None:
        for _ in range(buying.MOST_PERIODS):
            if price.total > left:
                break
            until, left = buying.end_of_period(line, until, anchor_on=state.anchor_on), left - price.total
    others = PrepaidLine.objects.filter(
        subscription__subscriber=line.subscriber_id, subscription__status__in=RUNS
    )
    return Outlook(
        paid_until=state.paid_until,
        waits_since=state.waits_since,
        price=price.total,
        credit=credit,
        missing=max(price.total - credit, Decimal(0)),
        currency=price.currency,
        lasts_until=until if price.total else None,
        other_lines=others.exclude(pk=state.pk).count(),
    )
