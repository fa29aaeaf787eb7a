"""A year of a small provider, day by day: at its end everything adds up, counted in three ways."""

from datetime import date
from decimal import Decimal

import pytest

from billing.services import ledger, payments
from demo.year import days, table, walk
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.billing.paying import NOON, payer

WANTED = {
    "invoices", "credit notes", "made void", "paid", "paid by gateway", "paid twice with one reference", "vouchers",
    "bounced", "refunded", "reminders", "lines cut", "plan changes", "holidays", "stopped by staff",
    "add-ons changed", "ended",
}  # fmt: skip


@pytest.mark.timeout(1500)
@pytest.mark.django_db(transaction=True)  # A year in one transaction would hold the locks of a year.
def test_a_year_adds_up(make_tenant) -> None:
    # Where it is midnight that does not exist when clocks go forward.
    zone = "America/Santiago"
    tenant: Tenant = make_tenant("year", timezone=zone)
    year = walk.begin(tenant_id=tenant.pk, zone=zone, subscribers=16, start=date(2024, 2, 1), seed=7)

    walk.walk(year, days=365)

    told = "\n".join(table.lines_of(year))
    assert year.findings == [], told
    assert year.differences == [], told
    assert year.clock.today == date(2025, 1, 31)
    assert {what for what, count in year.done.items() if count} >= WANTED, told


@pytest.mark.django_db(transaction=True)
def test_the_books_see_what_was_booked_wrong(make_tenant) -> None:
    tenant: Tenant = make_tenant("year", timezone="Europe/Lisbon")
    year = walk.begin(
        tenant_id=tenant.pk, zone="Europe/Lisbon", subscribers=3, start=date(2024, 2, 28), seed=1
    )
    walk.walk(year, days=3)
    assert (year.findings, year.differences) == ([], [])
    person = next(iter(year.persons.values()))

    with tenant_context(tenant.pk):
        # Money nobody handed over: the ledger is in order, and the customer's books know better.
        payments.receive(
            subscriber_id=person.subscriber_id, amount=Decimal(1), currency=person.currency, method="cash",
            received_at=year.clock.at(8), at=year.clock.at(8),
        )  # fmt: skip
    year.clock.today = year.clock.in_days(1)
    walk.count_again(year)

    assert year.findings == []
    assert {each.what for each in year.differences} == {
        "balance", "balance shown", "statement of account", "aged debt", "aged debt, balance", "journal",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("day", "months", "anchor", "cycle_day", "wanted"),
    [
        (date(2024, 2, 29), 1, date(2000, 1, 1), 31, (date(2024, 2, 29), date(2024, 3, 31))),
        (date(2024, 2, 28), 1, date(2000, 1, 1), 31, (date(2024, 1, 31), date(2024, 2, 29))),
        (date(2025, 2, 28), 12, date(2024, 2, 29), 29, (date(2025, 2, 28), date(2026, 2, 28))),
        (date(2024, 5, 14), 3, date(2000, 1, 1), 15, (date(2024, 4, 15), date(2024, 7, 15))),
    ],
)
def test_the_second_calendar(day, months, anchor, cycle_day, wanted) -> None:
    assert days.period(day, months, anchor, cycle_day) == wanted


@pytest.mark.django_db
def test_a_bounced_payment_adds_up(acting: Tenant) -> None:
    customer = payer()
    paid = payments.receive(
        subscriber_id=customer.pk, amount=Decimal(20), currency="EUR", method="bank", received_at=NOON
    )

    payments.bounce(payment_id=paid.pk, reason="No cover", at=NOON)

    assert ledger.recount() == []
