"""The recount: everything that must add up, computed again from the rows themselves.

Each invariant is one statement over the bound tenant's rows, which finds the records that do not add up and says by
how much. It reads only; nothing is mended here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from billing.models import Invoice, LedgerCheck, LedgerFinding, LedgerInvariant
from ispcore.events.services import publish
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant

KIND = "billing.recount_ledger"
MOST = 100  # Findings of one invariant that are named; the first show what is wrong.

STATEMENTS: dict[LedgerInvariant, str] = {
    LedgerInvariant.BALANCE: """
        SELECT format('Subscriber %%s', customer.number),
               format('kept %%s, transfers make %%s %%s', trim_scale(COALESCE(kept.balance, 0)),
                      trim_scale(COALESCE(booked.balance, 0)), currency)
        FROM (
            SELECT subscriber_id, currency,
                   sum(CASE WHEN debit = 'receivable' THEN amount ELSE -amount END) AS balance
            FROM billing_transfer
            WHERE tenant_id = %(tenant)s AND (debit = 'receivable' OR credit = 'receivable')
            GROUP BY subscriber_id, currency
        ) AS booked
        FULL JOIN (
            SELECT subscriber_id, currency, balance FROM billing_subscriberbalance WHERE tenant_id = %(tenant)s
        ) AS kept USING (subscriber_id, currency)
        JOIN subscribers_subscriber AS customer ON customer.tenant_id = %(tenant)s AND customer.id = subscriber_id
        WHERE COALESCE(kept.balance, 0) <> COALESCE(booked.balance, 0)
        ORDER BY customer.number LIMIT %(most)s
    """,
    LedgerInvariant.OPEN_AMOUNT: """
        SELECT format('%%s %%s', CASE invoice.kind WHEN 'invoice' THEN 'Invoice' ELSE 'Credit note' END,
                      invoice.number),
               format('open %%s, total %%s less %%s allocated is %%s %%s', trim_scale(invoice.open_amount),
                      trim_scale(invoice.total), trim_scale(COALESCE(live.amount, 0)),
                      trim_scale(invoice.total - COALESCE(live.amount, 0)), invoice.currency)
        FROM billing_invoice AS invoice
        LEFT JOIN (
            SELECT COALESCE(used.note, used.invoice) AS id, sum(amount) AS amount
            FROM (
                SELECT NULL::uuid AS note, invoice_id AS invoice, amount FROM billing_allocation
                WHERE tenant_id = %(tenant)s AND released_at IS NULL
                UNION ALL
                SELECT credit_note_id, NULL, amount FROM billing_allocation
                WHERE tenant_id = %(tenant)s AND released_at IS NULL AND credit_note_id IS NOT NULL
            ) AS used GROUP BY 1
        ) AS live ON live.id = invoice.id
        WHERE invoice.tenant_id = %(tenant)s AND invoice.status <> 'draft'
          AND invoice.open_amount <> CASE invoice.status WHEN 'void' THEN -COALESCE(live.amount, 0)
                                     ELSE invoice.total - COALESCE(live.amount, 0) END
        ORDER BY invoice.number LIMIT %(most)s
    """,
    LedgerInvariant.ALLOCATED: """
        SELECT format('Payment %%s', payment.id),
               format('says allocated %%s and refunded %%s of %%s %%s, the rows make %%s and %%s',
                      trim_scale(payment.allocated), trim_scale(payment.refunded), trim_scale(payment.amount),
                      payment.currency, trim_scale(COALESCE(live.amount, 0)), trim_scale(COALESCE(back.amount, 0)))
        FROM billing_payment AS payment
        LEFT JOIN (
            SELECT payment_id, sum(amount) AS amount FROM billing_allocation
            WHERE tenant_id = %(tenant)s AND released_at IS NULL AND payment_id IS NOT NULL GROUP BY payment_id
        ) AS live ON live.payment_id = payment.id
        LEFT JOIN (
            -- What bounced has no row of its own but in the ledger.
            SELECT payment_id, sum(amount) AS amount
            FROM (
                SELECT payment_id, amount FROM billing_refund WHERE tenant_id = %(tenant)s
                UNION ALL
                SELECT payment_id, amount FROM billing_transfer
                WHERE tenant_id = %(tenant)s AND kind = 'bounce' AND payment_id IS NOT NULL
            ) AS gone GROUP BY payment_id
        ) AS back ON back.payment_id = payment.id
        WHERE payment.tenant_id = %(tenant)s
          AND (payment.allocated <> COALESCE(live.amount, 0) OR payment.refunded <> COALESCE(back.amount, 0)
               OR payment.allocated + payment.refunded > payment.amount)
        ORDER BY payment.id LIMIT %(most)s
    """,
    LedgerInvariant.RECEIVABLE: """
        SELECT format('%%s %%s', CASE invoice.kind WHEN 'invoice' THEN 'Invoice' ELSE 'Credit note' END,
                      COALESCE(NULLIF(invoice.number, ''), invoice.id::text)),
               format('booked %%s, should be %%s %%s', trim_scale(COALESCE(booked.amount, 0)),
                      trim_scale(wanted.amount), invoice.currency)
        FROM billing_invoice AS invoice
        CROSS JOIN LATERAL (
            SELECT CASE WHEN invoice.status IN ('draft', 'void') THEN 0
                        WHEN invoice.kind = 'credit_note' THEN -invoice.total ELSE invoice.total END AS amount
        ) AS wanted
        LEFT JOIN (
            SELECT invoice_id, sum(CASE WHEN debit = 'receivable' THEN amount WHEN credit = 'receivable' THEN -amount
                                   ELSE 0 END) AS amount
            FROM billing_transfer
            WHERE tenant_id = %(tenant)s AND invoice_id IS NOT NULL AND kind IN ('invoice', 'credit_note', 'void')
            GROUP BY invoice_id
        ) AS booked ON booked.invoice_id = invoice.id
        WHERE invoice.tenant_id = %(tenant)s AND COALESCE(booked.amount, 0) <> wanted.amount
        ORDER BY invoice.number LIMIT %(most)s
    """,
    LedgerInvariant.TOTALS: """
        WITH taxed AS (
            SELECT line_id, sum(amount) AS amount FROM billing_linetax WHERE tenant_id = %(tenant)s GROUP BY line_id
        ), summed AS (
            SELECT line.invoice_id, sum(line.net) AS net, sum(line.tax) AS tax, sum(taxed.amount) AS taxes
            FROM billing_invoiceline AS line LEFT JOIN taxed ON taxed.line_id = line.id
            WHERE line.tenant_id = %(tenant)s GROUP BY line.invoice_id
        )
        SELECT format('%%s %%s', CASE invoice.kind WHEN 'invoice' THEN 'Invoice' ELSE 'Credit note' END,
                      COALESCE(NULLIF(invoice.number, ''), invoice.id::text)),
               format('says %%s and %%s tax, its items make %%s and %%s, their taxes %%s', trim_scale(invoice.net),
                      trim_scale(invoice.tax), trim_scale(COALESCE(summed.net, 0)), trim_scale(COALESCE(summed.tax, 0)),
                      trim_scale(COALESCE(summed.taxes, 0)))
        FROM billing_invoice AS invoice LEFT JOIN summed ON summed.invoice_id = invoice.id
        WHERE invoice.tenant_id = %(tenant)s
          AND (invoice.net <> COALESCE(summed.net, 0) OR invoice.tax <> COALESCE(summed.tax, 0)
               OR COALESCE(summed.tax, 0) <> COALESCE(summed.taxes, 0))
        ORDER BY invoice.number LIMIT %(most)s
    """,
    LedgerInvariant.NUMBERS: """
        WITH numbered AS (
            SELECT left(number, -7) AS series, right(number, 6)::bigint AS place FROM billing_invoice
            WHERE tenant_id = %(tenant)s AND number ~ '-[0-9]{6}$'
        ), counted AS (
            SELECT series, count(*) AS found, max(place) AS last FROM numbered GROUP BY series
        )
        SELECT format('Series %%s', COALESCE(counted.series, series.kind)),
               format('%%s numbers found, %%s drawn', COALESCE(counted.found, 0), GREATEST(counted.last, drawn.count))
        FROM counted
        LEFT JOIN tenants_numberseries AS series
            ON series.tenant_id = %(tenant)s AND series.kind = counted.series
        CROSS JOIN LATERAL (SELECT COALESCE(series.next_value - 1, counted.last) AS count) AS drawn
        WHERE counted.found <> counted.last OR drawn.count <> counted.last
        ORDER BY counted.series LIMIT %(most)s
    """,
    LedgerInvariant.BILLED_ONCE: """
        SELECT format('Service %%s', service.number),
               format('%%s is billed again until %%s, by an item that begins on %%s',
                      CASE billed.kind WHEN 'plan' THEN 'The plan' WHEN 'add_on' THEN 'An add-on'
                                       ELSE 'Data above the cap' END,
                      to_char(LEAST(billed.before, billed.period_end), 'FMDD Mon YYYY'),
                      to_char(billed.period_start, 'FMDD Mon YYYY'))
        FROM (
            SELECT subscription_id, kind, source, period_start, period_end,
                   max(period_end) OVER (PARTITION BY subscription_id, kind,
                                                      CASE kind WHEN 'plan' THEN NULL ELSE source END
                                         ORDER BY period_start, id
                                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM billing_invoiceline
            WHERE tenant_id = %(tenant)s AND kind IN ('plan', 'add_on', 'overage') AND NOT is_void
              AND period_start IS NOT NULL AND subscription_id IS NOT NULL
        ) AS billed
        JOIN subscribers_subscription AS service
            ON service.tenant_id = %(tenant)s AND service.id = billed.subscription_id
        WHERE billed.before > billed.period_start
        ORDER BY service.number LIMIT %(most)s
    """,
    LedgerInvariant.POSITION: """
        SELECT format('Service %%s', service.number),
               format('stands at %%s, its invoices go until %%s',
                      COALESCE(to_char(position.billed_until, 'FMDD Mon YYYY'), 'the beginning'),
                      to_char(billed.until, 'FMDD Mon YYYY'))
        FROM (
            -- A line that ended stands at its end: what was billed after it was given back.
            SELECT line.subscription_id,
                   LEAST(max(line.period_end) FILTER (WHERE line.kind = 'plan'),
                         min(line.period_start) FILTER (WHERE line.kind = 'end_credit')) AS until
            FROM billing_invoiceline AS line
            JOIN billing_invoice AS invoice ON invoice.tenant_id = %(tenant)s AND invoice.id = line.invoice_id
            WHERE line.tenant_id = %(tenant)s AND NOT line.is_void
              AND (line.kind = 'plan'
                   OR line.kind = 'end_credit' AND line.source = '00000000-0000-0000-0000-000000000000')
              AND line.subscription_id IS NOT NULL AND invoice.status <> 'draft'
              AND (invoice.kind = 'invoice' OR invoice.run_id IS NOT NULL)
            GROUP BY line.subscription_id
        ) AS billed
        JOIN subscribers_subscription AS service
            ON service.tenant_id = %(tenant)s AND service.id = billed.subscription_id
        LEFT JOIN billing_billingposition AS position
            ON position.tenant_id = %(tenant)s AND position.subscription_id = billed.subscription_id
        WHERE position.billed_until IS DISTINCT FROM billed.until
        ORDER BY service.number LIMIT %(most)s
    """,
    LedgerInvariant.VOUCHERS: """
        SELECT format('Voucher batch %%s', COALESCE(batch.name, booked.entry::text)),
               format('booked %%s, sold for %%s %%s', trim_scale(COALESCE(booked.amount, 0)),
                      trim_scale(COALESCE(batch.worth, 0)), COALESCE(batch.currency, booked.currency))
        FROM (
            SELECT entry, currency, sum(CASE WHEN credit = 'vouchers' THEN amount ELSE 0 END) AS amount
            FROM billing_transfer WHERE tenant_id = %(tenant)s AND kind = 'sale' GROUP BY entry, currency
        ) AS booked
        FULL JOIN (
            SELECT id, name, currency, amount * sold_quantity AS worth FROM billing_creditvoucherbatch
            WHERE tenant_id = %(tenant)s AND sold_at IS NOT NULL
        ) AS batch ON batch.id = booked.entry AND batch.currency = booked.currency
        WHERE COALESCE(booked.amount, 0) <> COALESCE(batch.worth, 0)
        UNION ALL
        SELECT format('Voucher %%s…', voucher.shown),
               format('used for %%s, worth %%s %%s', trim_scale(COALESCE(booked.amount, 0)), trim_scale(batch.amount),
                      batch.currency)
        FROM billing_creditvoucher AS voucher
        JOIN billing_creditvoucherbatch AS batch
            ON batch.tenant_id = %(tenant)s AND batch.id = voucher.batch_id
        LEFT JOIN billing_transfer AS booked
            ON booked.tenant_id = %(tenant)s AND booked.payment_id = voucher.payment_id AND booked.kind = 'payment'
           AND booked.debit = 'vouchers' AND booked.currency = batch.currency
        WHERE voucher.tenant_id = %(tenant)s AND voucher.state = 'used'
          AND COALESCE(booked.amount, 0) <> batch.amount
        ORDER BY 1 LIMIT %(most)s
    """,
    LedgerInvariant.SHAPE: """
        SELECT format('Entry %%s', entry),
               CASE WHEN bool_or(amount <= 0) THEN 'moves no positive amount'
                    WHEN bool_or(debit = credit) THEN 'moves from an account to itself'
                    WHEN count(DISTINCT currency) > 1 THEN 'is in more than one currency'
                    WHEN bool_or(amount <> round(amount, minor_units(currency))) THEN 'is finer than its currency'
                    ELSE 'is owed by nobody' END
        FROM billing_transfer
        WHERE tenant_id = %(tenant)s
        GROUP BY entry
        HAVING bool_or(amount <= 0 OR debit = credit OR amount <> round(amount, minor_units(currency))
                       OR subscriber_id IS NULL AND (debit = 'receivable' OR credit = 'receivable'))
            OR count(DISTINCT currency) > 1
        ORDER BY entry LIMIT %(most)s
    """,
}


@dataclass(frozen=True)
class Finding:
    """A record that does not add up, and what differs."""

    invariant: LedgerInvariant
    record: str
    detail: str


def recount() -> list[Finding]:
    """Recount every invariant of the bound tenant; at most `MOST` findings of each. One query each, reads only."""
    values: dict[str, Any] = {"tenant": current_tenant_id(), "most": MOST}
    found: list[Finding] = []
    with connection.cursor() as cursor:
        for invariant, statement in STATEMENTS.items():
            cursor.execute(statement, values)
            found += [Finding(invariant, record, detail) for record, detail in cursor.fetchall()]
    return found


def request_check(*, user_id: UUID | None) -> Job:
    """Recount in the background; one that runs already is the answer."""
    return jobs.enqueue(
        kind=KIND,
        subject="ledger",
        label="Recount of the ledger",
        params={},
        queue="billing",
        user_id=user_id,
    )


def perform_check(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Recount as a job; taken up again by another worker it counts from the beginning. Returns what was found."""
    with run.tenant():
        run.hold()
        check = check_ledger(at=at)
        return {"ledger_check_id": str(check.pk), "findings_count": check.findings_count}


@transaction.atomic
def check_ledger(*, at: datetime) -> LedgerCheck:
    """Recount, keep what was found, and tell by the event `billing.ledger_differs` when something does not add up."""
    found = recount()
    check: LedgerCheck = LedgerCheck.objects.create(checked_at=at, findings_count=len(found))
    LedgerFinding.objects.bulk_create(
        LedgerFinding(
            check_run=check, invariant=each.invariant, record=each.record[:120], detail=each.detail[:200]
        )
        for each in found
    )
    if found:
        publish("billing.ledger_differs", ledger_check_id=str(check.pk))
    return check


def tenants_with_invoices() -> list[UUID]:
    """List the tenants that have billed anybody."""
    invoices = Invoice._base_manager.using("platform").filter(tenant=OuterRef("pk"))
    tenants = Tenant.objects.using("platform").filter(Exists(invoices), is_active=True)
    return list(tenants.order_by("pk").values_list("pk", flat=True))
