"""The general journal for accounting programs: every transfer of a period, one a row."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from billing.models import LedgerAccount, TransferKind
from billing.services.reports.tax import refuse_bad_period
from ispcore.money import round_money
from ispcore.tenants.context import tenant_context

PAGE = 2_000
FIRST = UUID(int=0)
JOURNAL_HEADER = (
    "Day", "Entry", "Kind", "Debit", "Credit", "Amount", "Currency", "Customer", "Customer name", "Invoice",
    "Payment reference", "Memo", "Booked by",
)  # fmt: skip
PAGE_SQL = """
SELECT moved.booked_on, moved.id, moved.entry, moved.kind, moved.debit, moved.credit, moved.amount, moved.currency,
       customer.number, customer.full_name, invoice.number, payment.reference, moved.memo, person.full_name
FROM (
    SELECT * FROM billing_transfer
    WHERE tenant_id = %(tenant)s AND booked_on < %(until)s AND (booked_on, id) > (%(day)s, %(after)s)
    ORDER BY booked_on, id LIMIT %(limit)s
) AS moved
LEFT JOIN subscribers_subscriber AS customer
    ON customer.tenant_id = %(tenant)s AND customer.id = moved.subscriber_id
LEFT JOIN billing_invoice AS invoice ON invoice.tenant_id = %(tenant)s AND invoice.id = moved.invoice_id
LEFT JOIN billing_payment AS payment ON payment.tenant_id = %(tenant)s AND payment.id = moved.payment_id
LEFT JOIN tenants_user AS person ON person.id = moved.created_by_id
ORDER BY moved.booked_on, moved.id
"""


def journal_rows(*, tenant_id: UUID, since: date, until: date) -> Iterator[list[Any]]:
    """Yield the header and a row for each transfer booked in [since, until), by day and key.

    Memory and each page's cost stay the same for any number of them; each page is a transaction of its own, bound to
    the tenant, so that it may be read while an answer is sent. Raises BadPeriod at once.
    """
    refuse_bad_period(since, until)
    return _rows(tenant_id, since, until)


def _rows(tenant_id: UUID, since: date, until: date) -> Iterator[list[Any]]:
    yield list(JOURNAL_HEADER)
    day, after = since, FIRST
    while True:
        values: dict[str, Any] = {
            "tenant": tenant_id,
            "until": until,
            "day": day,
            "after": after,
            "limit": PAGE,
        }
        with tenant_context(tenant_id), connection.cursor() as cursor:
            cursor.execute(PAGE_SQL, values)
            page = cursor.fetchall()
        for row in page:
            yield _shown(row)
        if len(page) < PAGE:
            return
        day, after = page[-1][0], page[-1][1]


def _shown(row: tuple[Any, ...]) -> list[Any]:
    booked_on, _, entry, kind, debit, credit, amount, currency, *named = row
    return [
        booked_on,
        str(entry),
        str(TransferKind(kind).label),
        str(LedgerAccount(debit).label),
        str(LedgerAccount(credit).label),
        round_money(amount, currency),
        currency,
        *named,
    ]
