"""The job that issues an approved run: chunk after chunk, each in one transaction with its numbers and its bookings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F

from billing.models import BillingRun, InvoiceKind, RunStatus
from billing.services.dunning.clearing import clear_of_many
from billing.services.invoices.numbers import draw_numbers
from billing.services.invoices.rows import billing_settings
from billing.services.planning import BY_KEY_SQL, FIRST, keys
from billing.services.runs import credit, digest
from billing.services.runs.deciding import PlanChanged
from billing.services.runs.planning import counts
from billing.services.runs.work import Work, lock_run
from ispcore.events.services import publish, publish_each
from ispcore.tenants.context import current_tenant_id
from subscribers.services.periods import local_date

CHUNK = 1000  # Drafts per transaction: payments of their subscribers wait as long as one takes.
DUE_DAYS = 14  # Of a customer without a billing profile: as that of a new profile.
NUMBERS = {InvoiceKind.INVOICE: "numbers", InvoiceKind.CREDIT_NOTE: "note_numbers"}
EVENTS = {
    InvoiceKind.INVOICE: "billing.invoice_issued",
    InvoiceKind.CREDIT_NOTE: "billing.credit_note_issued",
}

NEXT_SQL = """
SELECT id, subscriber_id, currency FROM billing_invoice
WHERE tenant_id = %(tenant)s AND run_id = %(run)s AND status = 'draft'
  AND (subscriber_id, currency) > (%(after)s, %(currency)s)
ORDER BY subscriber_id, currency LIMIT %(limit)s
"""

# The subscriber before all that is theirs, as payments do.
LOCK_SQL = """
SELECT FROM subscribers_subscriber WHERE tenant_id = %(tenant)s AND id = ANY (%(subscribers)s)
ORDER BY id FOR NO KEY UPDATE
"""

CHUNK_SQL = """
CREATE TEMP TABLE billing_chunk ON COMMIT DROP AS
SELECT draft.id, draft.subscriber_id, draft.currency, draft.total, draft.run_id, draft.kind, draft.corrects_id,
       CASE draft.kind WHEN 'invoice' THEN %(on)s::date + COALESCE(profile.due_days, %(due_days)s) END AS due_on,
       row_number() OVER (PARTITION BY draft.kind ORDER BY draft.subscriber_id, draft.currency) AS place
FROM billing_invoice AS draft
JOIN subscribers_subscriber AS customer ON customer.tenant_id = %(tenant)s AND customer.id = draft.subscriber_id
LEFT JOIN subscribers_billingprofile AS profile
    ON profile.tenant_id = %(tenant)s AND profile.id = customer.billing_profile_id
WHERE draft.tenant_id = %(tenant)s AND draft.id = ANY (%(drafts)s) AND draft.status = 'draft'
"""

# What each draft asks for, by the account it is earned on; below zero what it gives back.
BOOKINGS_SQL = """
CREATE TEMP TABLE billing_booked ON COMMIT DROP AS
SELECT chunk.id, chunk.subscriber_id, chunk.currency, chunk.kind, leg.account,
       CASE chunk.kind WHEN 'credit_note' THEN -leg.amount ELSE leg.amount END AS amount
FROM (
    SELECT line.invoice_id, sum(line.net) FILTER (WHERE line.kind <> 'late_fee') AS revenue,
           sum(line.net) FILTER (WHERE line.kind = 'late_fee') AS late_fees, sum(line.tax) AS tax
    FROM billing_chunk AS chunk
    JOIN billing_invoiceline AS line ON line.tenant_id = %(tenant)s AND line.invoice_id = chunk.id
    GROUP BY line.invoice_id
) AS summed
JOIN billing_chunk AS chunk ON chunk.id = summed.invoice_id
CROSS JOIN LATERAL (
    VALUES ('revenue', revenue), ('late_fees', late_fees), ('tax_payable', tax)
) AS leg(account, amount)
WHERE leg.amount <> 0
"""

TRANSFERS_SQL = """
INSERT INTO billing_transfer (id, tenant_id, entry, kind, debit, credit, amount, currency, subscriber_id, invoice_id,
                              booked_on, created_at, created_by_id, memo)
SELECT uuidv7(), %(tenant)s, booked.id, booked.kind, CASE WHEN amount > 0 THEN 'receivable' ELSE account END,
       CASE WHEN amount > 0 THEN account ELSE 'receivable' END, abs(amount), booked.currency, booked.subscriber_id,
       booked.id, %(on)s, now(), %(user)s, invoice.number
FROM billing_booked AS booked
JOIN billing_invoice AS invoice ON invoice.tenant_id = %(tenant)s AND invoice.id = booked.id
ORDER BY booked.subscriber_id
"""

# Nothing to pay is paid.
ISSUE_SQL = """
UPDATE billing_invoice AS invoice
SET number = CASE chunk.kind WHEN 'invoice' THEN (%(numbers)s::text[])[chunk.place]
                  ELSE (%(note_numbers)s::text[])[chunk.place] END,
    status = CASE WHEN invoice.total = 0 THEN 'paid' ELSE 'issued' END,
    paid_at = CASE WHEN invoice.total = 0 THEN %(at)s END, open_amount = invoice.total,
    issued_on = %(on)s, issued_at = %(at)s, due_on = chunk.due_on, updated_at = now()
FROM billing_chunk AS chunk
WHERE invoice.tenant_id = %(tenant)s AND invoice.id = chunk.id
"""

# A line stands where its last period ends, or where it ended itself; a line with a new position began with this run.
POSITIONS_SQL = """
INSERT INTO billing_billingposition AS position (id, tenant_id, created_at, updated_at, subscription_id, billed_until,
                                                 settled_at, is_closed)
SELECT uuidv7(), %(tenant)s, now(), now(), line.subscription_id,
       COALESCE(min(line.period_start) FILTER (
                    WHERE line.kind = 'end_credit' AND line.source = '00000000-0000-0000-0000-000000000000'),
                max(line.period_end) FILTER (WHERE line.kind = 'plan'),
                (SELECT stands.billed_until FROM billing_billingposition AS stands
                 WHERE stands.tenant_id = %(tenant)s AND stands.subscription_id = line.subscription_id)),
       %(as_of)s, false
FROM billing_chunk AS chunk
JOIN billing_invoiceline AS line ON line.tenant_id = %(tenant)s AND line.invoice_id = chunk.id
WHERE line.kind NOT IN ('one_off', 'late_fee') AND line.subscription_id IS NOT NULL
GROUP BY line.subscription_id ORDER BY line.subscription_id
ON CONFLICT (tenant_id, subscription_id) DO UPDATE
SET billed_until = EXCLUDED.billed_until, settled_at = EXCLUDED.settled_at, updated_at = now()
"""

CHARGED_SQL = """
UPDATE billing_oneoffcharge AS charge SET charged = charge.charged + billed.parts, updated_at = now()
FROM (
    SELECT line.source, count(*) AS parts
    FROM billing_chunk AS chunk
    JOIN billing_invoiceline AS line ON line.tenant_id = %(tenant)s AND line.invoice_id = chunk.id
    WHERE line.kind IN ('one_off', 'late_fee') GROUP BY line.source
) AS billed
WHERE charge.tenant_id = %(tenant)s AND charge.id = billed.source
"""


def issue_run(work: Work, *, run_id: UUID, at: datetime) -> dict[str, Any]:
    """Issue an approved run's drafts, and book them.

    Safe to repeat and to kill: a chunk is issued wholly or not at all, and what is issued is no draft any more.
    Raises PlanChanged when the drafts are not those that were approved; the run waits for approval again then.
    """
    with work.tenant():
        run = lock_run(run_id)
        if run.status not in (RunStatus.APPROVED, RunStatus.ISSUING):
            return counts(run)
        total, is_new = run.invoices_planned, run.status == RunStatus.APPROVED
    if is_new:
        _begin(work, run_id, digest.plan_hash(run_id, work, total=total))
    after, currency = FIRST, ""
    while True:
        with work.tenant():
            work.hold()
            run = lock_run(run_id)
            if run.status != RunStatus.ISSUING:
                return counts(run)
            drafts = _next(run, after, currency)
            if not drafts:
                run.status, run.issued_at = RunStatus.ISSUED, at
                run.save()
                publish("billing.run_issued", run_id=str(run.pk))
                return counts(run)
            issued = issue_drafts(
                run=run, drafts=[row[0] for row in drafts], subscribers=[row[1] for row in drafts], at=at
            )
            BillingRun.objects.filter(pk=run.pk).update(invoices_issued=F("invoices_issued") + issued)
            done = run.invoices_issued + issued
        _, after, currency = drafts[-1]
        work.progress(done, max(done, total), "Issuing invoices")


def issue_drafts(*, run: BillingRun, drafts: list[UUID], subscribers: list[UUID], at: datetime) -> int:
    """Issue these drafts of a run in the caller's transaction; return how many. What is no draft is left alone."""
    on = local_date(at)
    values: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "drafts": keys(drafts),
        "subscribers": keys(subscribers),
        "on": on,
        "at": at,
        "as_of": run.as_of,
        "due_days": DUE_DAYS,
        "user": run.approved_by_id,
    }
    noted: list[UUID] = []
    with connection.cursor() as cursor:
        cursor.execute(BY_KEY_SQL)
        cursor.execute(LOCK_SQL, values)
        cursor.execute(CHUNK_SQL, values)
        count: int = cursor.rowcount
        if count:
            cursor.execute("ANALYZE billing_chunk")
            cursor.execute(BOOKINGS_SQL, values)
            cursor.execute(POSITIONS_SQL, values)
            cursor.execute(CHARGED_SQL, values)
            cursor.execute("SELECT id, subscriber_id, kind FROM billing_chunk ORDER BY place")
            found = cursor.fetchall()
            # From here on whoever else issues waits for the series.
            for kind, name in NUMBERS.items():
                drawn = [row for row in found if row[2] == kind]
                values[name] = (
                    draw_numbers(kind, on=on, settings=billing_settings(), count=len(drawn)) if drawn else []
                )
            cursor.execute(ISSUE_SQL, values)
            cursor.execute(TRANSFERS_SQL, values)
            if values["note_numbers"]:
                credit.pay_corrected(cursor, at=at)
            credit.spend_of_many(cursor, subscribers=subscribers, at=at)
            for kind, event in EVENTS.items():
                publish_each(
                    event,
                    [
                        {"invoice_id": str(invoice), "subscriber_id": str(subscriber)}
                        for invoice, subscriber, found_kind in found
                        if found_kind == kind
                    ],
                )
            noted = [row[1] for row in found if row[2] == InvoiceKind.CREDIT_NOTE]
            cursor.execute("DROP TABLE billing_booked")
        cursor.execute("DROP TABLE billing_chunk")
    clear_of_many(noted, at=at)
    return count


def _begin(work: Work, run_id: UUID, found: str) -> None:
    with work.tenant():
        work.hold()
        run = lock_run(run_id)
        is_same = found == run.plan_hash
        if run.status == RunStatus.APPROVED and is_same:
            run.status = RunStatus.ISSUING
        elif run.status == RunStatus.APPROVED:
            run.status, run.plan_hash = RunStatus.PLANNED, found
            run.approved_at, run.approved_by_id = None, None
        run.save()
    if not is_same:
        raise PlanChanged


def _next(run: BillingRun, after: UUID, currency: str) -> list[tuple[UUID, UUID, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            NEXT_SQL,
            {
                "tenant": current_tenant_id(),
                "run": run.pk,
                "after": after,
                "currency": currency,
                "limit": CHUNK,
            },
        )
        rows: list[tuple[UUID, UUID, str]] = cursor.fetchall()
        return rows
