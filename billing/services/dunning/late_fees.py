"""Late fees: once for each invoice, charged with the next one."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.models import LateFee, OneOffCharge
from billing.models.charges import ChargeKind
from billing.services.dunning import debts
from ispcore import money
from ispcore.jobs import services as jobs
from ispcore.tenants.context import current_tenant_id

BATCH = 1000

# No fee for an invoice that asks for nothing but late fees: fees would breed fees.
_DUE_SQL = f"""
SELECT invoice.id, invoice.number, invoice.subscriber_id, invoice.currency, invoice.open_amount,
       policy.late_fee_amount, policy.late_fee_percent
FROM billing_invoice AS invoice
{debts.POLICY_SQL}
WHERE invoice.tenant_id = %(tenant)s AND invoice.open_amount > 0 AND invoice.due_on < %(on)s
  AND invoice.kind = 'invoice' AND invoice.status IN ('issued', 'partly_paid')
  AND invoice.due_on + policy.late_fee_after_days::int < %(on)s
  AND (policy.late_fee_amount > 0 OR policy.late_fee_percent > 0)
  AND NOT EXISTS (SELECT FROM billing_latefee AS fee
                  WHERE fee.tenant_id = %(tenant)s AND fee.invoice_id = invoice.id)
  AND (NOT EXISTS (SELECT FROM billing_invoiceline AS line
                   WHERE line.tenant_id = %(tenant)s AND line.invoice_id = invoice.id AND line.kind = 'late_fee')
       OR EXISTS (SELECT FROM billing_invoiceline AS line
                  WHERE line.tenant_id = %(tenant)s AND line.invoice_id = invoice.id AND line.kind <> 'late_fee'))
  AND {debts.NOT_SPARED_SQL}
ORDER BY invoice.id
LIMIT %(limit)s
"""  # noqa: S608  (only the constants of `debts` are put in)


def charge_late_fees(run: jobs.Run, *, on: date) -> int:
    """Charge the late fees that are due on a day, a batch in each transaction; return how many. Safe to repeat."""
    charged = 0
    while True:
        with run.tenant():
            run.hold()
            due = _due(on)
            _charge(due, on)
        charged += len(due)
        if len(due) < BATCH:
            return charged
        run.progress(charged, 0, f"{charged} late fees")


def _due(on: date) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE_SQL, {"tenant": current_tenant_id(), "on": on, "limit": BATCH})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _charge(due: list[tuple[Any, ...]], on: date) -> None:
    charges, fees = [], []
    for invoice_id, number, subscriber_id, currency, open_amount, amount, percent in due:
        exact = amount if amount is not None else open_amount * percent / 100
        # The smallest coin at least: an invoice without its row would come again in each batch.
        fee = max(money.round_money(exact, currency), Decimal(1).scaleb(-money.minor_units(currency)))
        charge = OneOffCharge(
            subscriber_id=subscriber_id,
            kind=ChargeKind.LATE_FEE,
            name=f"Late fee, {number}",
            amount=fee,
            currency=currency,
            due_on=on,
        )
        charges.append(charge)
        fees.append(LateFee(invoice_id=invoice_id, charge=charge, charged_on=on))
    OneOffCharge.objects.bulk_create(charges)
    LateFee.objects.bulk_create(fees)
