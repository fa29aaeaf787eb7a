"""The SHA-256 of a plan: of every planned item, in the order of the subscribers, whoever planned it when."""

import hashlib
from collections.abc import Iterator
from uuid import UUID

from django.db import connection

from billing.services.planning import BY_KEY_SQL, FIRST
from billing.services.runs.work import Work
from ispcore.tenants.context import current_tenant_id

BATCH = 5000  # Invoices hashed by one statement, so that neither side's memory grows with the run.

# Ids are drawn anew by each planning and are no part of what is billed. A row's text quotes what it holds.
DIGEST_SQL = """
WITH batch AS (
    SELECT id, subscriber_id, currency, kind, corrects_id, period_start, period_end, net, tax, total
    FROM billing_invoice
    WHERE tenant_id = %(tenant)s AND run_id = %(run)s AND (subscriber_id, currency) > (%(after)s, %(currency)s)
    ORDER BY subscriber_id, currency LIMIT %(limit)s
), hashed AS (
    SELECT batch.subscriber_id, batch.currency, sha256(convert_to(
               ROW(batch.subscriber_id, batch.currency, batch.kind, batch.corrects_id, batch.period_start,
                   batch.period_end, batch.net, batch.tax, batch.total)::text
               || string_agg(ROW(line.kind, line.subscription_id, line.source, line.description, line.period_start,
                                 line.period_end, line.quantity, line.unit_price, line.net, line.tax, line.tax_class,
                                 line.days, line.period_days)::text, '' ORDER BY line.position), 'UTF8')) AS digest
    FROM batch
    JOIN billing_invoiceline AS line ON line.tenant_id = %(tenant)s AND line.invoice_id = batch.id
    GROUP BY batch.id, batch.subscriber_id, batch.currency, batch.kind, batch.corrects_id, batch.period_start,
             batch.period_end, batch.net, batch.tax, batch.total
)
SELECT count(*), sha256(string_agg(digest, ''::bytea ORDER BY subscriber_id, currency)),
       (array_agg(subscriber_id ORDER BY subscriber_id DESC, currency DESC))[1],
       (array_agg(currency ORDER BY subscriber_id DESC, currency DESC))[1]
FROM hashed
"""


def plan_hash(run_id: UUID, work: Work, *, total: int) -> str:
    """Compute a run's hash from its drafts as they are, a batch per transaction."""
    digest = hashlib.sha256()
    done = 0
    for count, piece in _pieces(run_id, work):
        digest.update(piece)
        done += count
        work.progress(done, max(done, total), "Hashing the plan")
    return digest.hexdigest()


def _pieces(run_id: UUID, work: Work) -> Iterator[tuple[int, bytes]]:
    after, currency = FIRST, ""
    while True:
        with work.tenant(), connection.cursor() as cursor:
            cursor.execute(BY_KEY_SQL)
            cursor.execute(
                DIGEST_SQL,
                {
                    "tenant": current_tenant_id(),
                    "run": run_id,
                    "after": after,
                    "currency": currency,
                    "limit": BATCH,
                },
            )
            count, piece, after, currency = cursor.fetchone()
        if not count:
            return
        yield count, bytes(piece)
