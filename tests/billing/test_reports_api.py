"""Reports as an integrator calls them, and for two tenants."""

from datetime import date

import pytest

from ispcore.tenants.context import tenant_context
from tests.billing.paying import owe, payer
from tests.billing.test_reports import FEB, JAN, bill, pay

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(acting) -> None:
    subscriber = payer()
    owe(subscriber, "10.00", due_on=date(2026, 3, 1))
    pay(subscriber, "4.00")


def test_aged_debt(told, api):
    found = api.get("billing/reports/aged-debt?currency=EUR").json()["data"]

    (total,) = found["totals"]
    assert (total["total"], total["credit"], total["balance"], total["subscribers"]) == (
        "6.00",
        "0.00",
        "6.00",
        1,
    )
    assert [each["total"] for each in found["subscribers"]] == ["6.00"]


def test_cash_and_taxes(told, api):
    period = "from=2026-02-01&until=2026-04-01"

    (cash,) = api.get(f"billing/reports/cash?{period}").json()["data"]
    taxes = api.get(f"billing/reports/taxes?{period}").json()["data"]

    assert (cash["day"], cash["method"], cash["received"], cash["net"]) == (
        "2026-03-10",
        "cash",
        "4.00",
        "4.00",
    )
    assert [(each["net"], each["tax"], each["booked_tax"]) for each in taxes["totals"]] == [
        ("10.00", "0.00", "0.00")
    ]


def test_recurring_revenue(acting, api):
    bill(payer(), ("plan", JAN, FEB, "10.00"))

    first, second = api.get("billing/reports/recurring-revenue?from=2026-01-01&until=2026-02-01").json()[
        "data"
    ]

    assert (first["month"], first["mrr"], first["new"]) == ("2026-01-01", "10.00", "10.00")
    assert (second["mrr"], second["churned"], second["churn_percent"]) == ("0.00", "10.00", "100.0")


def test_the_journal_as_a_file(told, api):
    answer = api.get("billing/reports/journal?from=2026-02-01&until=2026-04-01")

    assert answer["Content-Type"].startswith("text/csv")
    assert len(b"".join(answer.streaming_content).splitlines()) == 3


@pytest.mark.parametrize(
    "query",
    [
        "taxes?from=2026-03-01&until=2026-03-01",
        "cash?from=2020-03-01&until=2026-03-01",
        "journal?from=yesterday",
        "aged-debt?currency=euro",
        "recurring-revenue?from=2010-01-01",
    ],
)
def test_what_cannot_be_is_refused(query, acting, api):
    assert api.get(f"billing/reports/{query}").status_code == 422


def test_of_two_tenants(acting, other_tenant, api):
    with tenant_context(other_tenant.pk):
        subscriber = payer()
        owe(subscriber, "10.00")
        pay(subscriber, "4.00")
        bill(payer(), ("plan", JAN, FEB, "10.00"))

    period = "from=2025-12-01&until=2026-04-01"
    assert api.get("billing/reports/aged-debt").json()["data"]["totals"] == []
    assert api.get(f"billing/reports/cash?{period}").json()["data"] == []
    assert api.get(f"billing/reports/taxes?{period}").json()["data"]["totals"] == []
    assert api.get(f"billing/reports/recurring-revenue?{period}").json()["data"] == []
    journal = api.get(f"billing/reports/journal?{period}")
    assert len(b"".join(journal.streaming_content).splitlines()) == 1
