"""What differs from each subscriber's last cycle, and why, in words.

The last cycle is the last document of a run that billed a period of a plan. What comes between two periods stands
beside nothing, or beside the cycle that ended without a new one. A credit note is never out of bounds: it gives back
no more than was billed.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from billing.models import LineKind
from billing.services.planning import Terms, keys
from ispcore.tenants.context import current_tenant_id

_LABELS = ", ".join(f"('{kind.value}', '{kind.label}')" for kind in LineKind)

SIGNED = "CASE {document}.kind WHEN 'credit_note' THEN -{document}.total ELSE {document}.total END"
WHY_GONE = """
       CASE WHEN NOT EXISTS (
                SELECT FROM subscribers_subscription AS line
                WHERE line.tenant_id = %(tenant)s AND line.subscriber_id = {document}.subscriber_id
                  AND line.status IN ('active', 'suspended')
            ) THEN 'no service runs any more'
            WHEN NOT EXISTS (
                SELECT FROM subscribers_subscription AS line
                WHERE line.tenant_id = %(tenant)s AND line.subscriber_id = {document}.subscriber_id
                  AND line.status = 'active'
            ) THEN 'on hold' ELSE 'nothing is due' END
"""

# Beside the drafts of a batch, the last cycle of each subscriber in that currency.
DIFFERENCES_SQL = f"""
INSERT INTO billing_rundifference (id, tenant_id, created_at, updated_at, run_id, subscriber_id, kind, currency,
                                   previous, now, reason)
WITH planned AS (
    SELECT draft.id, draft.subscriber_id, draft.currency, draft.kind, draft.period_end IS NOT NULL AS is_cycle,
           {SIGNED.format(document="draft")} AS total, array_agg(DISTINCT line.kind::text) AS kinds,
           count(*) FILTER (WHERE line.kind = 'plan' AND days = period_days) AS periods,
           count(*) FILTER (WHERE line.kind = 'plan' AND days < period_days) AS parts,
           max(abs(unit_price)) FILTER (WHERE line.kind = 'plan') AS price, count(DISTINCT subscription_id) AS lines
    FROM billing_invoice AS draft
    JOIN billing_invoiceline AS line ON line.tenant_id = %(tenant)s AND line.invoice_id = draft.id
    WHERE draft.tenant_id = %(tenant)s AND draft.run_id = %(run)s AND draft.subscriber_id = ANY (%(subscribers)s)
    GROUP BY draft.id, draft.subscriber_id, draft.currency, draft.total
), compared AS (
    SELECT planned.*, before.id AS before_id, before.total AS before_total,
           NOT is_cycle AND before.period_end > %(after)s AND before.period_end <= %(on)s AS is_over,
           CASE WHEN is_cycle OR before.period_end > %(after)s AND before.period_end <= %(on)s THEN before.total
                ELSE 0 END AS previous
    FROM planned
    LEFT JOIN LATERAL (
        SELECT id, {SIGNED.format(document="invoice")} AS total, period_end FROM billing_invoice AS invoice
        WHERE invoice.tenant_id = %(tenant)s AND invoice.subscriber_id = planned.subscriber_id
          AND invoice.currency = planned.currency AND invoice.run_id IS NOT NULL AND invoice.period_end IS NOT NULL
          AND invoice.status NOT IN ('draft', 'void')
        ORDER BY invoice.id DESC LIMIT 1
    ) AS before ON true
    WHERE before.id IS NULL OR NOT is_cycle OR before.total <> planned.total
)
SELECT uuidv7(), %(tenant)s, now(), now(), %(run)s, compared.subscriber_id,
       CASE WHEN before_id IS NULL THEN 'new'
            WHEN before_total > 0 AND compared.kind = 'invoice'
                AND abs(total - CASE WHEN is_cycle THEN before_total ELSE 0 END) * 100 > before_total * %(bound)s
            THEN 'out_of_bounds'
            WHEN is_over THEN 'gone' ELSE 'changed' END,
       currency, COALESCE(previous, 0), total,
       left(concat_ws('; ',
           CASE WHEN before_id IS NOT NULL AND NOT is_cycle AND NOT is_over THEN 'between two periods' END,
           CASE WHEN is_over THEN {WHY_GONE.format(document="compared")} END,
           CASE WHEN last.price <> compared.price THEN format('price %%s instead of %%s',
                round(compared.price, minor_units(currency)), round(last.price, minor_units(currency))) END,
           CASE WHEN is_cycle AND compared.lines <> last.lines
                THEN format('%%s services instead of %%s', compared.lines, last.lines) END,
           CASE WHEN is_cycle AND compared.periods <> last.periods
                THEN format('%%s whole periods instead of %%s', compared.periods, last.periods) END,
           CASE WHEN compared.parts > 0 THEN 'part of a period'
                WHEN is_cycle AND last.parts > 0 THEN 'no part of a period' END,
           CASE WHEN before_id IS NOT NULL THEN
               'with ' || (SELECT string_agg(lower(label), ', ' ORDER BY label)
                           FROM (VALUES {_LABELS}) AS named(kind, label)
                           WHERE kind = ANY (compared.kinds) AND kind <> 'plan' AND NOT kind = ANY (last.kinds)) END,
           CASE WHEN before_id IS NOT NULL AND is_cycle THEN
               'without ' || (SELECT string_agg(lower(label), ', ' ORDER BY label)
                              FROM (VALUES {_LABELS}) AS named(kind, label)
                              WHERE kind = ANY (last.kinds) AND kind <> 'plan' AND NOT kind = ANY (compared.kinds)) END
       ), 200)
FROM compared
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT line.kind::text) AS kinds,
           count(*) FILTER (WHERE line.kind = 'plan' AND days = period_days) AS periods,
           count(*) FILTER (WHERE line.kind = 'plan' AND days < period_days) AS parts,
           max(abs(unit_price)) FILTER (WHERE line.kind = 'plan') AS price, count(DISTINCT subscription_id) AS lines
    FROM billing_invoiceline AS line
    WHERE line.tenant_id = %(tenant)s AND line.invoice_id = compared.before_id
) AS last ON compared.before_id IS NOT NULL
"""  # noqa: S608  (the names of the kinds are constants)

# Whose last cycle ended after the run before this one began, and who is in this one neither with a draft nor parked.
GONE_SQL = f"""
INSERT INTO billing_rundifference (id, tenant_id, created_at, updated_at, run_id, subscriber_id, kind, currency,
                                   previous, now, reason)
SELECT DISTINCT ON (before.subscriber_id, before.currency)
       uuidv7(), %(tenant)s, now(), now(), %(run)s, before.subscriber_id, 'gone', before.currency,
       {SIGNED.format(document="before")}, 0, {WHY_GONE.format(document="before")}
FROM billing_invoice AS before
WHERE before.tenant_id = %(tenant)s AND before.run_id IS NOT NULL AND before.run_id <> %(run)s
  AND before.status NOT IN ('draft', 'void')
  AND before.period_end > %(after)s AND before.period_end <= %(on)s
  AND NOT EXISTS (
      SELECT FROM billing_invoice AS later
      WHERE later.tenant_id = %(tenant)s AND later.subscriber_id = before.subscriber_id
        AND later.currency = before.currency AND later.run_id IS NOT NULL AND later.period_end IS NOT NULL
        AND later.status <> 'void' AND later.id > before.id)
  AND NOT EXISTS (
      SELECT FROM billing_parkedaccount AS parked
      WHERE parked.tenant_id = %(tenant)s AND parked.run_id = %(run)s
        AND parked.subscriber_id = before.subscriber_id)
ORDER BY before.subscriber_id, before.currency, before.id DESC
ON CONFLICT (tenant_id, run_id, subscriber_id, currency) DO NOTHING
"""  # noqa: S608


def compare_batch(terms: Terms, subscribers: Sequence[UUID], *, after: date | None) -> None:
    """Write what differs for these subscribers, whose drafts were just planned. Once per run and subscriber.

    `after` is the day of the run before, if there was one.
    """
    values: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "run": terms.run_id,
        "subscribers": keys(subscribers),
        "bound": terms.bound_percent,
        "after": after,
        "on": terms.on,
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
