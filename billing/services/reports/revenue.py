"""What comes in each month by itself, and why it is more or less than the month before."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id

MOST_MONTHS = 36

# What counts on a day is what invoices charge for it: an item's price per day times the days of its whole period is
# its price of a period, with what rounding left over, and that over the months of the period its price of a month. A
# quarter has 90 to 92 days and a year 365 or 366, so the months are the days over a mean month's, rounded. Days on
# hold, after the end and of another plan are items of their own and count against it, on an invoice or on the credit
# note of a run; what is credited by hand has no days. A discount is one of its plan's days. Tax is no part.
RECURRING_SQL = """
WITH months AS (
    SELECT first::date AS first, LEAST((first + interval '1 month')::date - 1, %(on)s) AS day
    FROM generate_series(%(from)s::date - interval '1 month', %(to)s::date, interval '1 month') AS first
), items AS MATERIALIZED (
    SELECT invoice.subscriber_id, invoice.currency, item.period_start, item.period_end,
           CASE invoice.kind WHEN 'credit_note' THEN -1 ELSE 1 END * (item.net + item.remainder)
               * span.whole / span.days / GREATEST(round(span.whole / 30.4375), 1) AS rate
    FROM billing_invoiceline AS item
    JOIN billing_invoice AS invoice ON invoice.tenant_id = %(tenant)s AND invoice.id = item.invoice_id
    LEFT JOIN billing_invoiceline AS base
        ON item.kind = 'discount' AND base.tenant_id = %(tenant)s AND base.invoice_id = item.invoice_id
       AND base.kind = 'plan' AND base.subscription_id = item.subscription_id
       AND base.period_start = item.period_start AND base.period_end = item.period_end
    CROSS JOIN LATERAL (
        SELECT COALESCE(item.period_days, base.period_days, item.period_end - item.period_start)::numeric AS whole,
               COALESCE(NULLIF(item.days, 0), NULLIF(base.days, 0), item.period_end - item.period_start) AS days
    ) AS span
    WHERE item.tenant_id = %(tenant)s AND NOT item.is_void AND item.period_start IS NOT NULL
      AND item.kind IN ('plan', 'plan_change', 'hold_credit', 'end_credit', 'add_on', 'discount')
      AND invoice.status IN ('issued', 'partly_paid', 'paid')
), began AS (
    SELECT subscriber_id, currency, date_trunc('month', min(period_start))::date AS first
    FROM items GROUP BY subscriber_id, currency
), monthly AS (
    SELECT months.first, items.subscriber_id, items.currency,
           round(sum(items.rate), minor_units(items.currency)) AS amount
    FROM months JOIN items ON items.period_start <= months.day AND items.period_end > months.day
    GROUP BY months.first, items.subscriber_id, items.currency
), moves AS (
    SELECT first, subscriber_id, currency, sum(now) AS now, sum(was) AS was
    FROM (
        SELECT first, subscriber_id, currency, amount AS now, 0 AS was FROM monthly WHERE amount > 0
        UNION ALL
        SELECT (first + interval '1 month')::date, subscriber_id, currency, 0, amount FROM monthly WHERE amount > 0
    ) AS either
    WHERE first BETWEEN %(from)s AND %(to)s
    GROUP BY first, subscriber_id, currency
)
SELECT moves.first, moves.currency, sum(now), sum(was),
       COALESCE(sum(now) FILTER (WHERE was = 0 AND began.first >= moves.first), 0),
       COALESCE(sum(now) FILTER (WHERE was = 0 AND began.first < moves.first), 0),
       COALESCE(sum(now - was) FILTER (WHERE was > 0 AND now > was), 0),
       COALESCE(sum(was - now) FILTER (WHERE now > 0 AND now < was), 0),
       COALESCE(sum(was) FILTER (WHERE now = 0), 0),
       count(*) FILTER (WHERE now > 0), count(*) FILTER (WHERE was > 0),
       count(*) FILTER (WHERE was = 0 AND began.first >= moves.first),
       count(*) FILTER (WHERE was = 0 AND began.first < moves.first), count(*) FILTER (WHERE now = 0)
FROM moves JOIN began USING (subscriber_id, currency)
GROUP BY moves.first, moves.currency
ORDER BY moves.first, moves.currency
"""


class TooManyMonths(DomainError):
    code = "too_many_months"
    message = f"A report shows at most {MOST_MONTHS} months; `from` comes before `until`."
    status = 422
    field = "from"


@dataclass(frozen=True)
class RecurringMonth:
    """One month and currency. mrr = before + new + reactivated + expansion − contraction − churned."""

    month: date
    currency: str
    mrr: Decimal
    before: Decimal
    new: Decimal
    reactivated: Decimal
    expansion: Decimal
    contraction: Decimal
    churned: Decimal
    subscribers: int
    subscribers_before: int
    subscribers_new: int
    subscribers_reactivated: int
    subscribers_churned: int

    @property
    def churn_percent(self) -> Decimal:
        """Return how many of a hundred subscribers of the month before left, to one digit."""
        if not self.subscribers_before:
            return Decimal(0)
        return round(Decimal(100 * self.subscribers_churned) / self.subscribers_before, 1)


def recurring(*, first: date, last: date, on: date) -> list[RecurringMonth]:
    """Return the monthly recurring revenue of the months from `first` to `last`, each as on its last day.

    The running month counts as on the day `on`. Months in which there is nothing are left out. One statement.
    Raises TooManyMonths.
    """
    first, last = first.replace(day=1), last.replace(day=1)
    if first > last or (last.year - first.year) * 12 + last.month - first.month >= MOST_MONTHS:
        raise TooManyMonths
    values: dict[str, Any] = {"tenant": current_tenant_id(), "from": first, "to": last, "on": on}
    with connection.cursor() as cursor:
        cursor.execute(RECURRING_SQL, values)
        return [RecurringMonth(*row) for row in cursor.fetchall()]


def months_before(day: date, count: int) -> date:
    """Return the first of the month that is `count` months earlier."""
    months = day.year * 12 + day.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)
