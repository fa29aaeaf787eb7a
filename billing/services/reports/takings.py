"""What came in and went back each day, by method and by who booked it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from billing.services.reports.tax import refuse_bad_period
from ispcore.tenants.context import current_tenant_id

CASH_SQL = """
SELECT moved.booked_on,
       COALESCE(payment.method, CASE moved.debit WHEN 'card_clearing' THEN 'card' ELSE moved.debit END),
       moved.created_by_id, COALESCE(person.full_name, ''), moved.currency,
       count(*) FILTER (WHERE moved.kind IN ('payment', 'sale')),
       COALESCE(sum(moved.amount) FILTER (WHERE moved.kind IN ('payment', 'sale')), 0),
       COALESCE(sum(moved.amount) FILTER (WHERE moved.kind IN ('refund', 'bounce')), 0)
FROM billing_transfer AS moved
-- Vouchers that were sold are no payment of anybody's; what they were sold for came in all the same.
LEFT JOIN billing_payment AS payment ON payment.tenant_id = %(tenant)s AND payment.id = moved.payment_id
LEFT JOIN tenants_user AS person ON person.id = moved.created_by_id
WHERE moved.tenant_id = %(tenant)s AND moved.booked_on >= %(from)s AND moved.booked_on < %(until)s
  AND moved.kind IN ('payment', 'refund', 'bounce', 'sale')
GROUP BY moved.booked_on, 2, moved.created_by_id, person.full_name, moved.currency
ORDER BY moved.booked_on, moved.currency, 2, 4
"""


@dataclass(frozen=True)
class CashRow:
    """One day, method, person and currency; without a person the system booked it."""

    day: date
    method: str
    user_id: UUID | None
    user_name: str
    currency: str
    payments: int
    received: Decimal
    given_back: Decimal

    @property
    def net(self) -> Decimal:
        return self.received - self.given_back


def cash(*, since: date, until: date) -> list[CashRow]:
    """Return what the ledger booked of payments and of vouchers sold in [since, until), days at the provider's.

    One statement. Raises BadPeriod.
    """
    refuse_bad_period(since, until)
    values: dict[str, Any] = {"tenant": current_tenant_id(), "from": since, "until": until}
    with connection.cursor() as cursor:
        cursor.execute(CASH_SQL, values)
        return [CashRow(*row) for row in cursor.fetchall()]
