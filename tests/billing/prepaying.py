"""Lines that are paid in advance, for tests of prepaid."""

from datetime import UTC, date, datetime
from decimal import Decimal

from billing.models import (
    PrepaidLine,
    SubscriberBalance,
)
from billing.services import payments
from billing.services.prepaid import renewing
from subscribers.models import Subscription
from tests.billing import owing
from tests.factories import PlanFactory

AT = datetime(2026, 1, 31, 8, tzinfo=UTC)


def prepaid_line(**fields) -> Subscription:
    profile = owing.make_profile(payment_kind="prepaid")
    plan = PlanFactory(price=Decimal("20.00"), currency="EUR", period=fields.pop("period", "month"))
    return owing.make_line(profile, plan=plan, **fields)


def top_up(line: Subscription, amount: str, at: datetime = AT) -> None:
    payments.receive(
        subscriber_id=line.subscriber_id,
        amount=Decimal(amount),
        currency="EUR",
        method="cash",
        received_at=at,
    )


def renew(line: Subscription, at: datetime = AT) -> int:
    return renewing.renew_line(subscription_id=line.pk, at=at)


def stands(line: Subscription) -> tuple[str, date, Decimal]:
    line.refresh_from_db()
    state = PrepaidLine.objects.get(subscription=line)
    balance = SubscriberBalance.objects.filter(subscriber=line.subscriber).first()
    return line.status, state.paid_until, -balance.balance if balance else Decimal(0)
