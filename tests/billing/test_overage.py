"""Data above a cap: what it costs, once for each month that is over."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aaa.models import DailyUsage
from aaa.services.consumption import bytes_of_lines
from billing.models import InvoiceLine, OveragePrice, TaxRate
from billing.services.planning.overage import GB, units_above
from subscribers.models import Plan, Subscription
from subscribers.services import consumption
from tests.aaa.online import make_account
from tests.billing.test_planning import line
from tests.billing.test_planning_days import at, run_on

__all__ = ["line"]  # The fixture.

pytestmark = pytest.mark.django_db


@pytest.fixture
def used(line: Subscription) -> Iterator[dict[tuple[UUID, date], int]]:
    """A plan with 100 GB and 2.00 for each GB above; what lines used in a month is told by the test."""
    Plan.objects.filter(pk=line.plan_id).update(cap_bytes=100 * GB)
    OveragePrice.objects.create(plan=line.plan, price=2, currency="EUR", starts_on=date(2026, 1, 1))
    told: dict[tuple[UUID, date], int] = {}
    consumption.register_consumption_source(
        "radius", lambda lines, since, until: {each: told.get((each, since), 0) for each in lines}
    )
    yield told
    consumption.register_consumption_source("radius", bytes_of_lines)


def overages() -> list[tuple[date, Decimal, str]]:
    rows = InvoiceLine.objects.filter(kind="overage").order_by("period_start")
    return list(rows.values_list("period_start", "net", "formula"))


@given(st.integers(0, 10**15), st.integers(1, 10**15))
def test_a_gb_begun_counts_whole(used_bytes: int, cap: int) -> None:
    units = units_above(used_bytes, cap)

    assert units >= 0
    assert (units - 1) * GB < max(0, used_bytes - cap) <= units * GB or units == 0


def test_a_month_that_is_over_is_charged_once(line, used) -> None:
    TaxRate.objects.create(name="VAT", percent=10, starts_on=date(2020, 1, 1))
    used[line.pk, date(2026, 2, 1)] = 112 * GB + 1
    used[line.pk, date(2026, 3, 1)] = 999 * GB

    (draft,) = run_on(date(2026, 3, 1))
    assert (draft.net, draft.tax) == (31 + 26, Decimal("5.70"))
    assert overages() == [(date(2026, 2, 1), Decimal(26), "13 GB above 100 GB × 2")]
    assert draft.lines.get(kind="overage").quantity == 13

    used[line.pk, date(2026, 3, 1)] = 100 * GB
    run_on(date(2026, 4, 1))

    assert len(overages()) == 1


def test_the_last_month_of_a_line_is_charged_when_it_ended(line, used) -> None:
    run_on(date(2026, 3, 1))
    used[line.pk, date(2026, 3, 1)] = 150 * GB
    Subscription.objects.filter(pk=line.pk).update(status="terminated", terminated_at=at(3, 21))

    run_on(date(2026, 3, 22))

    assert overages() == [(date(2026, 3, 1), Decimal(100), "50 GB above 100 GB × 2")]


def test_months_before_the_price_began_are_not_charged(line, used) -> None:
    OveragePrice.objects.update(starts_on=date(2026, 3, 1))
    used[line.pk, date(2026, 2, 1)] = 150 * GB

    run_on(date(2026, 3, 1))

    assert overages() == []


def test_access_tells_what_each_line_used_less_what_was_bought(line) -> None:
    account = make_account("known", None, subscription=line)
    for day, count in (
        (date(2026, 2, 28), 1),
        (date(2026, 3, 1), 20),
        (date(2026, 3, 31), 300),
        (date(2026, 4, 1), 4),
    ):
        DailyUsage.objects.create(account=account, day=day, in4_bytes=count, out6_bytes=count)

    assert bytes_of_lines([line.pk], date(2026, 3, 1), date(2026, 4, 1)) == {line.pk: 640}

    account.top_ups.create(bytes=40, valid_from=datetime.fromisoformat("2026-03-05T00:00:00Z"))
    assert bytes_of_lines([line.pk], date(2026, 3, 1), date(2026, 4, 1)) == {line.pk: 600}
