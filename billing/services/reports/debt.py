"""Who owes what, and since how long it is due."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from billing.models import SubscriberBalance
from ispcore import sums
from ispcore.tenants.context import current_tenant_id, tenant_context
from ispcore.totals import total_of

MOST_SHOWN = 200
PAGE = 2_000
FIRST = UUID(int=0)

# An invoice is current until the end of the day it is due.
_OWED = """
SELECT invoice.subscriber_id, invoice.currency, invoice.open_amount AS amount,
       %(on)s - COALESCE(invoice.due_on, invoice.issued_on) AS days
FROM billing_invoice AS invoice
WHERE invoice.tenant_id = %(tenant)s AND invoice.open_amount > 0 AND invoice.kind = 'invoice'
  AND invoice.status IN ('issued', 'partly_paid')
"""
_BUCKETS = """
COALESCE(sum(amount) FILTER (WHERE days <= 0), 0), COALESCE(sum(amount) FILTER (WHERE days BETWEEN 1 AND 30), 0),
COALESCE(sum(amount) FILTER (WHERE days BETWEEN 31 AND 60), 0),
COALESCE(sum(amount) FILTER (WHERE days BETWEEN 61 AND 90), 0), COALESCE(sum(amount) FILTER (WHERE days > 90), 0),
sum(amount) AS total
"""
TOTALS_SQL = f"""
WITH owed AS ({_OWED}), aged AS (
    SELECT currency, count(DISTINCT subscriber_id) AS subscribers, {_BUCKETS}
    FROM owed GROUP BY currency
), held AS (
    SELECT currency, sum(balance) AS balance FROM billing_subscriberbalance
    WHERE tenant_id = %(tenant)s GROUP BY currency
)
SELECT COALESCE(aged.currency, held.currency), aged.*, COALESCE(held.balance, 0)
FROM aged FULL JOIN held USING (currency)
WHERE aged.currency IS NOT NULL OR held.balance <> 0
ORDER BY 1
"""  # noqa: S608  (No value of anybody's is in it.)
ROWS_SQL = f"""
WITH owed AS ({_OWED}), aged AS (
    SELECT subscriber_id, currency, {_BUCKETS}, max(days) AS oldest
    FROM owed
    WHERE %(currency)s = '' OR currency = %(currency)s
    GROUP BY subscriber_id, currency
    ORDER BY total DESC, subscriber_id LIMIT %(limit)s
)
SELECT customer.id, customer.number, customer.full_name, aged.*
FROM aged
JOIN subscribers_subscriber AS customer ON customer.tenant_id = %(tenant)s AND customer.id = aged.subscriber_id
ORDER BY aged.total DESC, customer.id
"""  # noqa: S608
PAGE_SQL = f"""
WITH page AS (
    SELECT customer.id, customer.number, customer.full_name FROM subscribers_subscriber AS customer
    WHERE customer.tenant_id = %(tenant)s AND customer.id > %(after)s
      AND EXISTS (
          SELECT FROM billing_invoice AS invoice
          WHERE invoice.tenant_id = %(tenant)s AND invoice.subscriber_id = customer.id AND invoice.open_amount > 0
            AND invoice.kind = 'invoice' AND invoice.status IN ('issued', 'partly_paid')
      )
    ORDER BY customer.id LIMIT %(limit)s
), owed AS ({_OWED} AND invoice.subscriber_id IN (SELECT id FROM page))
SELECT page.id, page.number, page.full_name, owed.subscriber_id, owed.currency, {_BUCKETS}, max(days)
FROM page JOIN owed ON owed.subscriber_id = page.id
GROUP BY page.id, page.number, page.full_name, owed.subscriber_id, owed.currency
ORDER BY page.id, owed.currency
"""  # noqa: S608


@dataclass(frozen=True)
class DebtTotal:
    """All open invoices of one currency by the days since they were due.

    `balance` is the ledger's; what it is less than `total` is customers' credit, not yet used for an invoice.
    """

    currency: str
    subscribers: int
    current: Decimal
    days_1_30: Decimal
    days_31_60: Decimal
    days_61_90: Decimal
    days_over_90: Decimal
    total: Decimal
    balance: Decimal

    @property
    def credit(self) -> Decimal:
        return self.total - self.balance


@dataclass(frozen=True)
class DebtOfSubscriber:
    """One subscriber's open invoices of one currency; `oldest_days` is below zero when nothing is due yet."""

    subscriber_id: UUID
    number: str
    full_name: str
    currency: str
    current: Decimal
    days_1_30: Decimal
    days_31_60: Decimal
    days_61_90: Decimal
    days_over_90: Decimal
    total: Decimal
    oldest_days: int


@dataclass(frozen=True)
class AgedDebt:
    on: date
    totals: list[DebtTotal]
    subscribers: list[DebtOfSubscriber]


def debt_totals(*, on: date) -> list[DebtTotal]:
    """Sum up what is open on a day, today at the provider's, by currency. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(TOTALS_SQL, {"tenant": current_tenant_id(), "on": on})
        return [_total(row) for row in cursor.fetchall()]


def debt_now() -> list[DebtTotal]:
    """Sum up what is open today, by currency; of a large provider the sums may be some minutes old."""
    return [
        DebtTotal(currency, subscribers, **{name: Decimal(amount) for name, amount in amounts.items()})
        for currency, subscribers, amounts in sums.read(DEBT)
    ]


def aged_debt(*, on: date, currency: str = "", limit: int = MOST_SHOWN) -> AgedDebt:
    """Sum up what is open on a day, today at the provider's: by currency, and of who owes most.

    Two statements, whatever there is.
    """
    values: dict[str, Any] = {
        "tenant": current_tenant_id(), "on": on, "currency": currency, "limit": min(limit, MOST_SHOWN),
    }  # fmt: skip
    totals = debt_totals(on=on)
    with connection.cursor() as cursor:
        cursor.execute(ROWS_SQL, values)
        subscribers = [_subscriber(row) for row in cursor.fetchall()]
    return AgedDebt(on, [each for each in totals if currency in ("", each.currency)], subscribers)


def aged_debt_rows(*, tenant_id: UUID, on: date) -> Iterator[DebtOfSubscriber]:
    """Yield everybody who owes something, in the order of their keys; each page is a transaction of its own."""
    after = FIRST
    while True:
        values: dict[str, Any] = {"tenant": tenant_id, "on": on, "after": after, "limit": PAGE}
        with tenant_context(tenant_id), connection.cursor() as cursor:
            cursor.execute(PAGE_SQL, values)
            page = [_subscriber(row) for row in cursor.fetchall()]
        if not page:
            return
        yield from page
        after = page[-1].subscriber_id


def _total(row: tuple[Any, ...]) -> DebtTotal:
    currency, _, subscribers, *amounts = row
    return DebtTotal(currency, subscribers or 0, *(amount or Decimal(0) for amount in amounts))


def _subscriber(row: tuple[Any, ...]) -> DebtOfSubscriber:
    pk, number, name, _, currency, *amounts = row
    return DebtOfSubscriber(pk, number, name, currency, *amounts)


def _sum_debt() -> tuple[list[Any], int]:
    found = []
    for each in debt_totals(on=timezone.localdate()):
        amounts = asdict(each)
        currency, subscribers = amounts.pop("currency"), amounts.pop("subscribers")
        found.append((currency, subscribers, {name: str(amount) for name, amount in amounts.items()}))
    balances, _ = total_of(SubscriberBalance.objects.all())
    return found, balances


DEBT = sums.add(sums.Sum("billing.debt", _sum_debt, seconds=300))
