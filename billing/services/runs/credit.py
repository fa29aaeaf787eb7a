"""What subscribers had paid ahead pays their new invoices, for many subscribers in a few statements.

As `billing.services.payments.allocating.spend_credit` does for one: credit notes before payments, the oldest first,
and the oldest due invoice first. A new credit note pays the invoice it corrects before any other.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from billing.services.planning import keys
from ispcore.tenants.context import current_tenant_id

CREDITS_SQL = """
CREATE TEMP TABLE billing_credit ON COMMIT DROP AS
SELECT payment.subscriber_id, payment.currency, payment.id AS payment_id, NULL::uuid AS credit_note_id,
       payment.amount - payment.allocated - payment.refunded AS available
FROM billing_payment AS payment
WHERE payment.tenant_id = %(tenant)s AND payment.subscriber_id = ANY (%(subscribers)s)
  AND payment.amount > payment.allocated + payment.refunded
UNION ALL
SELECT note.subscriber_id, note.currency, NULL, note.id, note.open_amount
FROM billing_invoice AS note
WHERE note.tenant_id = %(tenant)s AND note.subscriber_id = ANY (%(subscribers)s) AND note.kind = 'credit_note'
  AND note.open_amount > 0 AND note.status IN ('issued', 'partly_paid')
"""

CORRECTED_SQL = """
CREATE TEMP TABLE billing_spent ON COMMIT DROP AS
SELECT NULL::uuid AS payment_id, note.id AS credit_note_id, corrected.id AS invoice_id,
       LEAST(note.open_amount, corrected.open_amount) AS amount
FROM billing_chunk AS chunk
JOIN billing_invoice AS note ON note.tenant_id = %(tenant)s AND note.id = chunk.id
JOIN billing_invoice AS corrected ON corrected.tenant_id = %(tenant)s AND corrected.id = chunk.corrects_id
WHERE note.open_amount > 0 AND corrected.open_amount > 0 AND corrected.status IN ('issued', 'partly_paid')
"""

# Both sides are laid end to end; where a credit and an invoice overlap, that much of the one pays the other.
SPENT_SQL = """
CREATE TEMP TABLE billing_spent ON COMMIT DROP AS
WITH credited AS (
    SELECT *, sum(available) OVER ends - available AS starts_at, sum(available) OVER ends AS ends_at
    FROM billing_credit
    WINDOW ends AS (PARTITION BY subscriber_id, currency
                    ORDER BY payment_id IS NOT NULL, payment_id, credit_note_id)
), owed AS (
    SELECT id, subscriber_id, currency, sum(open_amount) OVER ends - open_amount AS starts_at,
           sum(open_amount) OVER ends AS ends_at
    FROM billing_invoice
    WHERE tenant_id = %(tenant)s AND kind = 'invoice' AND open_amount > 0 AND status IN ('issued', 'partly_paid')
      AND subscriber_id IN (SELECT subscriber_id FROM billing_credit)
    WINDOW ends AS (PARTITION BY subscriber_id, currency ORDER BY due_on, issued_at, id)
)
SELECT credited.payment_id, credited.credit_note_id, owed.id AS invoice_id,
       LEAST(credited.ends_at, owed.ends_at) - GREATEST(credited.starts_at, owed.starts_at) AS amount
FROM credited JOIN owed USING (subscriber_id, currency)
WHERE credited.starts_at < owed.ends_at AND owed.starts_at < credited.ends_at
"""

SPEND_SQL = (
    """
    INSERT INTO billing_allocation (id, tenant_id, created_at, updated_at, payment_id, credit_note_id, invoice_id,
                                    amount)
    SELECT uuidv7(), %(tenant)s, now(), now(), payment_id, credit_note_id, invoice_id, amount FROM billing_spent
    """,
    """
    UPDATE billing_payment AS payment SET allocated = payment.allocated + used.amount, updated_at = now()
    FROM (SELECT payment_id, sum(amount) AS amount FROM billing_spent GROUP BY payment_id) AS used
    WHERE payment.tenant_id = %(tenant)s AND payment.id = used.payment_id
    """,
    """
    UPDATE billing_invoice AS invoice
    SET open_amount = invoice.open_amount - used.amount,
        status = CASE WHEN invoice.open_amount = used.amount THEN 'paid' ELSE 'partly_paid' END,
        paid_at = CASE WHEN invoice.open_amount = used.amount THEN %(at)s::timestamptz END, updated_at = now()
    FROM (
        SELECT document, sum(amount) AS amount
        FROM (SELECT invoice_id AS document, amount FROM billing_spent
              UNION ALL SELECT credit_note_id, amount FROM billing_spent WHERE credit_note_id IS NOT NULL) AS both_sides
        GROUP BY document
    ) AS used
    WHERE invoice.tenant_id = %(tenant)s AND invoice.id = used.document
    """,
)


def pay_corrected(cursor: CursorWrapper, *, at: datetime) -> None:
    """Let the chunk's credit notes, just issued, pay what is open of the invoices they correct. Safe to repeat."""
    values: dict[str, Any] = {"tenant": current_tenant_id(), "at": at}
    cursor.execute(CORRECTED_SQL, values)
    for statement in SPEND_SQL:
        cursor.execute(statement, values)
    cursor.execute("DROP TABLE billing_spent")


def spend_of_many(cursor: CursorWrapper, *, subscribers: Sequence[UUID], at: datetime) -> None:
    """Use the credit of these subscribers, whom the caller locked, for their open invoices. Safe to repeat."""
    values: dict[str, Any] = {"tenant": current_tenant_id(), "subscribers": keys(subscribers), "at": at}
    cursor.execute(CREDITS_SQL, values)
    if cursor.rowcount:
        cursor.execute("ANALYZE billing_credit")
        cursor.execute(SPENT_SQL, values)
        for statement in SPEND_SQL:
            cursor.execute(statement, values)
        cursor.execute("DROP TABLE billing_spent")
    cursor.execute("DROP TABLE billing_credit")
