"""A line is back in the transaction that cleared its debt."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.models import DunningPolicy, Promise
from billing.services.dunning import clearing
from ispcore.events.models import Event
from subscribers.models import Hold
from subscribers.services import lines
from tests.billing import owing

AT = datetime(2026, 3, 20, 9, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def line(acting):
    """A line held for an invoice that was due on the first of March."""
    line = owing.make_line(owing.make_profile())
    owing.invoice(line.subscriber, due_on=date(2026, 3, 1))
    lines.open_hold(subscription_id=line.pk, reason="non_payment", at=AT)
    Event.objects.all().delete()
    return line


def told() -> list[str]:
    return list(Event.objects.order_by("id").values_list("name", flat=True))


def test_a_line_comes_back_when_nothing_is_overdue(line):
    owing.pay(line.subscriber.invoices.get())

    assert clearing.clear(subscriber=line.subscriber, at=AT)

    line.refresh_from_db()
    assert (line.status, Hold.objects.get().released_at) == ("active", AT)
    assert told() == ["subscribers.subscription_status_changed", "billing.debt_cleared"]


def test_it_stays_held_while_something_is_overdue(line):
    owing.pay(line.subscriber.invoices.get(), "30.99")

    assert not clearing.clear(subscriber=line.subscriber, at=AT)

    line.refresh_from_db()
    assert (line.status, Hold.objects.get().released_at, told()) == ("suspended", None, [])


def test_the_minimum_balance_does_not_keep_a_line(line):
    DunningPolicy.objects.create(minimum_balance=Decimal("5.00"))
    owing.pay(line.subscriber.invoices.get(), "26.00")

    assert clearing.clear(subscriber=line.subscriber, at=AT)

    line.refresh_from_db()
    assert line.status == "active"


def test_what_is_due_today_is_not_overdue(line):
    owing.pay(line.subscriber.invoices.get())
    owing.invoice(line.subscriber, due_on=date(2026, 3, 20))

    assert clearing.clear(subscriber=line.subscriber, at=AT)


def test_credit_that_paid_no_invoice_yet_counts(line):
    owing.credit(line.subscriber, "31.00")

    assert clearing.clear(subscriber=line.subscriber, at=AT)

    line.refresh_from_db()
    assert line.status == "active"


def test_another_reason_goes_on_barring(line):
    lines.open_hold(subscription_id=line.pk, reason="abuse", at=AT)
    owing.pay(line.subscriber.invoices.get())

    assert clearing.clear(subscriber=line.subscriber, at=AT)

    line.refresh_from_db()
    assert line.status == "suspended"
    assert list(Hold.objects.filter(released_at=None).values_list("reason", flat=True)) == ["abuse"]


def test_repeating_it_says_nothing_again(line):
    owing.pay(line.subscriber.invoices.get())
    clearing.clear(subscriber=line.subscriber, at=AT)
    Event.objects.all().delete()

    assert not clearing.clear(subscriber=line.subscriber, at=AT)
    assert told() == []


def test_a_promise_is_kept(line):
    promise = Promise.objects.create(
        subscriber=line.subscriber,
        amount=Decimal("31.00"),
        currency="EUR",
        until=date(2026, 3, 25),
        made_at=AT,
    )
    owing.pay(line.subscriber.invoices.get())

    clearing.clear(subscriber=line.subscriber, at=AT)

    promise.refresh_from_db()
    assert (promise.status, promise.settled_at) == ("kept", AT)
