"""Data above a plan's cap: charged after each calendar month, for each GB begun.

The rules, each once:
- A month is charged when it is over, or when the line ended in it, on the customer's next cycle day; once, by the key
  of items. A month in which the line was billed for no day at all is charged none the less if it was used.
- The cap is the plan's on the last day of the month, or of the line, and is whole also in a part of a month.
- A GB is 10⁹ bytes, and one begun counts whole.
- Months before a price began, before the provider bills here, and more than three months ago are not charged.
"""

from collections import defaultdict
from datetime import date
from typing import Any
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from subscribers.services.consumption import bytes_used

GB = 10**9
MOST_MONTHS = 3  # Back from the run's day.

# Months that are over and not charged yet, of lines whose plan then had a cap and a price.
MONTHS_SQL = """
SELECT term.subscription_id, month.first, (month.first + interval '1 month')::date, term.cap_bytes
FROM billing_term AS term
CROSS JOIN LATERAL (
    SELECT day::date AS first
    FROM generate_series(date_trunc('month', %(on)s::date::timestamp) - make_interval(months => %(most)s),
                         date_trunc('month', %(on)s::date::timestamp), interval '1 month') AS day
) AS month
CROSS JOIN LATERAL (
    SELECT LEAST((month.first + interval '1 month')::date, term.ended_on) AS until
) AS over
JOIN billing_overageprice AS price
    ON price.tenant_id = %(tenant)s AND price.plan_id = term.term_plan_id AND price.starts_on <= month.first
   AND (price.ends_on IS NULL OR price.ends_on > month.first)
WHERE term.cap_bytes IS NOT NULL AND over.until <= %(on)s AND term.days @> (over.until - 1)
  AND over.until > term.began_on AND over.until > month.first
  AND NOT EXISTS (
      SELECT FROM billing_invoiceline AS billed
      WHERE billed.tenant_id = %(tenant)s AND billed.subscription_id = term.subscription_id
        AND billed.kind = 'overage' AND NOT billed.is_void AND billed.period_start = month.first
  )
ORDER BY month.first, term.subscription_id
"""

ADD_SQL = """
INSERT INTO billing_item (place, kind, subscription_id, subscriber_id, number, zone_id, wanted_currency, currency,
                          tax_class, source, description, period_start, period_end, unit_price, exact, is_plan, amount,
                          quantity, formula)
SELECT 8, 'overage', term.subscription_id, term.subscriber_id, term.number, term.zone_id, term.wanted_currency,
       price.currency, term.tax_class, '00000000-0000-0000-0000-000000000000', 'Data above the cap', month.first,
       (month.first + interval '1 month')::date, price.price, cost.exact, false,
       round(cost.exact, minor_units(price.currency)), above.units,
       format('%%s GB above %%s GB × %%s', above.units, trim_scale(term.cap_bytes / 1e9::numeric),
              trim_scale(price.price))
FROM unnest(%(lines)s::uuid[], %(firsts)s::date[], %(units)s::numeric[]) AS above(line, first, units)
CROSS JOIN LATERAL (SELECT above.first) AS month
JOIN billing_term AS term ON term.subscription_id = above.line
   AND term.days @> (LEAST((month.first + interval '1 month')::date, term.ended_on) - 1)
JOIN billing_overageprice AS price
    ON price.tenant_id = %(tenant)s AND price.plan_id = term.term_plan_id AND price.starts_on <= month.first
   AND (price.ends_on IS NULL OR price.ends_on > month.first)
CROSS JOIN LATERAL (SELECT price.price * above.units AS exact) AS cost
"""


def units_above(used: int, cap: int) -> int:
    """Return how many GB above the cap were begun."""
    return max(0, -(-(used - cap) // GB))


def add_items(cursor: CursorWrapper, values: dict[str, Any]) -> None:
    """Add what the lines of the batch used above their caps; a query per month that is asked about."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM billing_overageprice WHERE tenant_id = %(tenant)s)",
        {"tenant": values["tenant"]},
    )
    if not cursor.fetchone()[0]:
        return
    cursor.execute(MONTHS_SQL, {**values, "most": MOST_MONTHS})
    asked: dict[tuple[date, date], dict[UUID, int]] = defaultdict(dict)
    for line, first, until, cap in cursor.fetchall():
        asked[first, until][line] = cap
    found: list[tuple[UUID, date, int]] = []
    for (first, until), caps in asked.items():
        used = bytes_used(list(caps), since=first, until=until)
        found += [
            (line, first, units)
            for line, cap in caps.items()
            if (units := units_above(used.get(line, 0), cap))
        ]
    if found:
        columns = (list(column) for column in zip(*found, strict=True))
        cursor.execute(ADD_SQL, {**values, **dict(zip(("lines", "firsts", "units"), columns, strict=True))})
