"""Which taxes a period's invoices asked for, less what its credit notes and void invoices gave back."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant

MOST_DAYS = 366

# An invoice counts on the day it was issued and, made void, is taken off on the day of that: a period that was
# reported stays as it was. So the ledger books it, too.
_DOCUMENTS = """
SELECT id, currency, CASE kind WHEN 'credit_note' THEN -1 ELSE 1 END AS sign
FROM billing_invoice
WHERE tenant_id = %(tenant)s AND issued_on >= %(from)s AND issued_on < %(until)s AND status <> 'draft'
UNION ALL
SELECT id, currency, CASE kind WHEN 'credit_note' THEN 1 ELSE -1 END
FROM billing_invoice
WHERE tenant_id = %(tenant)s AND status = 'void' AND number <> ''
  AND (voided_at AT TIME ZONE %(zone)s)::date >= %(from)s AND (voided_at AT TIME ZONE %(zone)s)::date < %(until)s
"""
RATES_SQL = f"""
WITH documents AS ({_DOCUMENTS})
SELECT documents.currency, tax.name, tax.percent, sum(documents.sign * tax.base), sum(documents.sign * tax.amount)
FROM documents
JOIN billing_invoiceline AS item ON item.tenant_id = %(tenant)s AND item.invoice_id = documents.id
JOIN billing_linetax AS tax ON tax.tenant_id = %(tenant)s AND tax.line_id = item.id
GROUP BY documents.currency, tax.name, tax.percent
UNION ALL
SELECT documents.currency, '', 0, sum(documents.sign * item.net), 0
FROM documents
JOIN billing_invoiceline AS item ON item.tenant_id = %(tenant)s AND item.invoice_id = documents.id
WHERE NOT EXISTS (
    SELECT FROM billing_linetax AS tax WHERE tax.tenant_id = %(tenant)s AND tax.line_id = item.id
)
GROUP BY documents.currency
ORDER BY 1, 3 DESC, 2
"""  # noqa: S608  (No value of anybody's is in it.)
TOTALS_SQL = f"""
WITH documents AS ({_DOCUMENTS}), summed AS (
    SELECT invoice.currency, sum(documents.sign * invoice.net) AS net, sum(documents.sign * invoice.tax) AS tax,
           count(*) FILTER (WHERE documents.sign = 1 AND invoice.kind = 'invoice') AS invoices,
           count(*) FILTER (WHERE documents.sign = -1) AS given_back
    FROM documents JOIN billing_invoice AS invoice ON invoice.tenant_id = %(tenant)s AND invoice.id = documents.id
    GROUP BY invoice.currency
), booked AS (
    SELECT currency, sum(CASE WHEN credit = 'tax_payable' THEN amount ELSE -amount END) AS tax
    FROM billing_transfer
    WHERE tenant_id = %(tenant)s AND booked_on >= %(from)s AND booked_on < %(until)s
      AND 'tax_payable' IN (debit, credit)
    GROUP BY currency
)
SELECT currency, COALESCE(summed.net, 0), COALESCE(summed.tax, 0), COALESCE(summed.invoices, 0),
       COALESCE(summed.given_back, 0), COALESCE(booked.tax, 0)
FROM summed FULL JOIN booked USING (currency)
ORDER BY currency
"""  # noqa: S608


class BadPeriod(DomainError):
    code = "bad_period"
    message = f"`from` comes before `until`, by at most {MOST_DAYS} days."
    status = 422
    field = "from"


@dataclass(frozen=True)
class TaxRow:
    """One rate in one currency: what it was taken on, and the tax. Without a name: what bears no tax."""

    currency: str
    name: str
    percent: Decimal
    base: Decimal
    tax: Decimal


@dataclass(frozen=True)
class TaxTotal:
    """One currency. `booked_tax` is what the ledger has; it is `tax`, or something is wrong."""

    currency: str
    net: Decimal
    tax: Decimal
    invoices: int
    given_back: int
    booked_tax: Decimal


@dataclass(frozen=True)
class TaxReport:
    rates: list[TaxRow]
    totals: list[TaxTotal]


def refuse_bad_period(since: date, until: date) -> None:
    """Raise BadPeriod for days that are no period, or too long a one."""
    if not 0 < (until - since).days <= MOST_DAYS:
        raise BadPeriod


def taxes(*, since: date, until: date) -> TaxReport:
    """Sum up the taxes of [since, until), days at the provider's. Two statements. Raises BadPeriod."""
    refuse_bad_period(since, until)
    tenant_id = current_tenant_id()
    zone = Tenant.objects.values_list("timezone", flat=True).get(pk=tenant_id)
    values: dict[str, Any] = {"tenant": tenant_id, "from": since, "until": until, "zone": zone}
    with connection.cursor() as cursor:
        cursor.execute(RATES_SQL, values)
        rates = [TaxRow(*row) for row in cursor.fetchall()]
        cursor.execute(TOTALS_SQL, values)
        return TaxReport(rates, [TaxTotal(*row) for row in cursor.fetchall()])
