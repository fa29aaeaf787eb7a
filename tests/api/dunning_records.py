"""One record of each model of dunning and of prepaid."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from billing.models import (
    CreditVoucher,
    CreditVoucherBatch,
    DunningNight,
    DunningPolicy,
    Exemption,
    PrepaidLine,
    Promise,
    Reminder,
)
from tests.billing import owing
from tests.factories import BillingProfileFactory, SubscriberFactory, SubscriptionFactory

DAY = date(2026, 3, 10)
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


def make_policy() -> Any:
    return DunningPolicy.objects.create(billing_profile=BillingProfileFactory())


def make_promise() -> Any:
    return Promise.objects.create(
        subscriber=SubscriberFactory(), amount=31, currency="EUR", until=DAY, made_at=AT
    )


def make_exemption() -> Any:
    return Exemption.objects.create(subscriber=SubscriberFactory(), reason="Hospital")


def make_night() -> Any:
    on = DAY + timedelta(days=DunningNight.objects.count())
    return DunningNight.objects.create(on=on, active_lines=100, cap_lines=3, status="waiting")


def make_reminder() -> Any:
    return Reminder.objects.create(
        invoice=owing.invoice(SubscriberFactory(), due_on=DAY),
        step=3,
        due_on=DAY,
        email="eva@customer.example",
    )


def make_credit_batch() -> Any:
    count = CreditVoucherBatch.objects.count()
    return CreditVoucherBatch.objects.create(name=f"Shop {count}", quantity=1, amount=20, currency="EUR")


def make_credit_voucher() -> Any:
    count = CreditVoucher.objects.count()
    return CreditVoucher.objects.create(
        batch=make_credit_batch(), code_hash=count.to_bytes(32, "big"), shown="ABCD"
    )


def make_prepaid_line() -> Any:
    return PrepaidLine.objects.create(
        subscription=SubscriptionFactory(), anchor_on=DAY, paid_until=DAY, currency="EUR"
    )


MAKE: dict = {
    DunningPolicy: make_policy,
    Promise: make_promise,
    Exemption: make_exemption,
    DunningNight: make_night,
    Reminder: make_reminder,
    CreditVoucherBatch: make_credit_batch,
    CreditVoucher: make_credit_voucher,
    PrepaidLine: make_prepaid_line,
}
# What the walk with another tenant's records calls them.
NAMED: dict = {
    "dunning_policy": make_policy,
    "promise": make_promise,
    "exemption": make_exemption,
    "dunning_night": make_night,
    "reminder": make_reminder,
    "credit_batch": make_credit_batch,
    "credit_voucher": make_credit_voucher,
    "prepaid_line": make_prepaid_line,
}
