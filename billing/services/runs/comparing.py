"""What differs from each subscriber's last cycle, and why, in words."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from billing.models import LineKind
from billing.services.planning import Terms, keys
from ispcore.tenants.context import current_tenant_id

_LABELS = ", ".join(f"('{kind.value}', '{kind.label}')" for kind in LineKind)

# Beside the drafts of a batch, the last invoice of a run each subscriber got in that currency.
DIFFERENCES_SQL = f"""
INSERT INTO billing_rundifference (id, tenant_id, created_at, updated_at, run_id, subscriber_id, kind, currency,
                                   previous, now, reason)
WITH planned AS (
    SELECT draft.id, draft.subscriber_id, draft.currency, draft.total, array_agg(DISTINCT line.kind::text) AS kinds,
           count(*) FILTER (WHERE line.kind = 'plan' AND days = period_days) AS periods,
           count(*) FILTER (WHERE line.kind = 'plan' AND days < period_days) AS parts,
           max(unit_price) FILTER (WHERE line.kind = 'plan') AS price, count(DISTINCT subscription_id) AS lines
    FROM billing_invoice AS draft
    JOIN billing_invoiceline AS line ON line.tenant_id = %(tenant)s AND line.invoice_id = draft.id
    WHERE draft.tenant_id = %(tenant)s AND draft.run_id = %(run)s AND draft.subscriber_id = ANY (%(subscribers)s)
    GROUP BY draft.id, draft.subscriber_id, draft.currency, draft.total
), compared AS (
    SELECT planned.*, before.id AS before_id, before.total AS before_total
    FROM planned
    LEFT JOIN LATERAL (
        SELECT id, total FROM billing_invoice AS invoice
        WHERE invoice.tenant_id = %(tenant)s AND invoice.subscriber_id = planned.subscriber_id
          AND invoice.currency = planned.currency AND invoice.run_id IS NOT NULL
          AND invoice.status NOT IN ('draft', 'void')
        ORDER BY invoice.id DESC LIMIT 1
    ) AS before ON true
    WHERE before.id IS NULL OR before.total <> planned.total
)
SELECT uuidv7(), %(tenant)s, now(), now(), %(run)s, compared.subscriber_id,
       CASE WHEN before_id IS NULL THEN 'new'
            WHEN before_total > 0 AND abs(total - before_total) * 100 > before_total * %(bound)s THEN 'out_of_bounds'
            ELSE 'changed' END,
       currency, COALESCE(before_total, 0), total,
       left(concat_ws('; ',
           CASE WHEN last.price <> compared.price THEN format('price %%s instead of %%s',
                round(compared.price, minor_units(currency)), round(last.price, minor_units(currency))) END,
           CASE WHEN compared.lines <> last.lines
                THEN format('%%s services instead of %%s', compared.lines, last.lines) END,
           CASE WHEN compared.periods <> last.periods
                THEN format('%%s whole periods instead of %%s', compared.periods, last.periods) END,
           CASE WHEN compared.parts > 0 THEN 'part of a period' WHEN last.parts > 0 THEN 'no part of a period' END,
           CASE WHEN before_id IS NOT NULL THEN
               'with ' || (SELECT string_agg(lower(label), ', ' ORDER BY label)
                           FROM (VALUES {_LABELS}) AS named(kind, label)
                           WHERE kind = ANY (compared.kinds) AND kind <> 'plan' AND NOT kind = ANY (last.kinds)) END,
           CASE WHEN before_id IS NOT NULL THEN
               'without ' || (SELECT string_agg(lower(label), ', ' ORDER BY label)
                              FROM (VALUES {_LABELS}) AS named(kind, label)
                              WHERE kind = ANY (last.kinds) AND kind <> 'plan' AND NOT kind = ANY (compared.kinds)) END
       ), 200)
FROM compared
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT line.kind::text) AS kinds,
           count(*) FILTER (WHERE line.kind = 'plan' AND days = period_days) AS periods,
           count(*) FILTER (WHERE line.kind = 'plan' AND days < period_days) AS parts,
           max(unit_price) FILTER (WHERE line.kind = 'plan') AS price, count(DISTINCT subscription_id) AS lines
    FROM billing_invoiceline AS line
    WHERE line.tenant_id = %(tenant)s AND line.invoice_id = compared.before_id
) AS last ON compared.before_id IS NOT NULL
"""  # noqa: S608  (the names of the kinds are constants)

# Whose last cycle ended after the run before this one began, and who is in this one neither with a draft nor parked.
GONE_SQL = """
INSERT INTO billing_rundifference (id, tenant_id, created_at, updated_at, run_id, subscriber_id, kind, currency,
                                   previous, now, reason)
SELECT DISTINCT ON (before.subscriber_id, before.currency)
       uuidv7(), %(tenant)s, now(), now(), %(run)s, before.subscriber_id, 'gone', before.currency, before.total, 0,
       CASE WHEN NOT EXISTS (
                SELECT FROM subscribers_subscription AS line
                WHERE line.tenant_id = %(tenant)s AND line.subscriber_id = before.subscriber_id
                  AND line.status IN ('active', 'suspended')
            ) THEN 'no service runs any more'
            WHEN NOT EXISTS (
                SELECT FROM subscribers_subscription AS line
                WHERE line.tenant_id = %(tenant)s AND line.subscriber_id = before.subscriber_id
                  AND line.status = 'active'
            ) THEN 'on hold' ELSE 'nothing is due' END
FROM billing_invoice AS before
WHERE before.tenant_id = %(tenant)s AND before.run_id IN (
        SELECT id FROM billing_billingrun WHERE tenant_id = %(tenant)s AND status = 'issued' AND id <> %(run)s)
  AND before.status NOT IN ('draft', 'void')
  AND before.period_end > %(after)s AND before.period_end <= %(on)s
  AND NOT EXISTS (
      SELECT FROM billing_invoice AS later
      WHERE later.tenant_id = %(tenant)s AND later.subscriber_id = before.subscriber_id
        AND later.currency = before.currency AND later.run_id IS NOT NULL AND later.status <> 'void'
        AND later.id > before.id)
  AND NOT EXISTS (
      SELECT FROM billing_parkedaccount AS parked
      WHERE parked.tenant_id = %(tenant)s AND parked.run_id = %(run)s
        AND parked.subscriber_id = before.subscriber_id)
ORDER BY before.subscriber_id, before.currency, before.id DESC
ON CONFLICT (tenant_id, run_id, subscriber_id, currency) DO NOTHING
"""


def compare_batch(terms: Terms, subscribers: Sequence[UUID]) -> None:
    """Write what differs for these subscribers, whose drafts were just planned. Once per run and subscriber."""
    values: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "run": terms.run_id,
        "subscribers": keys(subscribers),
        "bound": terms.bound_percent,
    }
    with connection.cursor() as cursor:
        cursor.execute(DIFFERENCES_SQL, values)


def find_gone(terms: Terms, *, after: date) -> None:
    """Write whom the cycle before billed and this one does not; `after` is the day of the run before. Repeatable."""
    with connection.cursor() as cursor:
        cursor.execute(
            GONE_SQL,
            {"tenant": current_tenant_id(), "run": terms.run_id, "after": after, "on": terms.on},
        )
