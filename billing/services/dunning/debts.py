"""Who owes what since when, computed by the database; the one place that says what counts as overdue.

The rules, each once:
- Overdue is what is open of issued invoices whose due date is before the day, at the provider's.
- Nobody owes more than the ledger says: a credit note, or credit that was not used yet, counts at once.
- Amounts of two currencies are never added; each is compared with the minimum balance by itself.
- Cutting looks at what is past the grace days of the billing profile; coming back, at all that is overdue.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db import connection

from ispcore.tenants.context import current_tenant_id

# %(subscribers)s: NULL for everybody. A policy of the profile goes before that for all customers.
OVERDUE_SQL = """
overdue AS (
    SELECT invoice.subscriber_id, invoice.currency, invoice.due_on, invoice.open_amount
    FROM billing_invoice AS invoice
    WHERE invoice.tenant_id = %(tenant)s AND invoice.open_amount > 0 AND invoice.due_on < %(on)s
      AND invoice.kind = 'invoice' AND invoice.status IN ('issued', 'partly_paid')
      AND (%(subscribers)s::uuid[] IS NULL OR invoice.subscriber_id = ANY (%(subscribers)s))
), ruled AS (
    SELECT overdue.*, COALESCE(own.id, general.id) AS policy_id, COALESCE(profile.grace_days, 0) AS grace_days,
           COALESCE(own.minimum_balance, general.minimum_balance, 0) AS minimum_balance
    FROM overdue
    JOIN subscribers_subscriber AS customer
        ON customer.tenant_id = %(tenant)s AND customer.id = overdue.subscriber_id
    LEFT JOIN subscribers_billingprofile AS profile
        ON profile.tenant_id = %(tenant)s AND profile.id = customer.billing_profile_id
    LEFT JOIN billing_dunningpolicy AS own
        ON own.tenant_id = %(tenant)s AND own.billing_profile_id = customer.billing_profile_id
    LEFT JOIN billing_dunningpolicy AS general
        ON general.tenant_id = %(tenant)s AND general.billing_profile_id IS NULL
), summed AS (
    SELECT ruled.subscriber_id, ruled.currency, ruled.policy_id, ruled.minimum_balance, min(ruled.due_on) AS since,
           sum(ruled.open_amount) AS overdue,
           COALESCE(sum(ruled.open_amount) FILTER (WHERE ruled.due_on + ruled.grace_days < %(on)s), 0) AS past_grace
    FROM ruled
    GROUP BY ruled.subscriber_id, ruled.currency, ruled.policy_id, ruled.minimum_balance
), owing AS (
    SELECT summed.subscriber_id, summed.currency, summed.policy_id, summed.minimum_balance, summed.since,
           LEAST(summed.overdue, balance.balance) AS owed, LEAST(summed.past_grace, balance.balance) AS owed_past_grace
    FROM summed
    JOIN billing_subscriberbalance AS balance
        ON balance.tenant_id = %(tenant)s AND balance.subscriber_id = summed.subscriber_id
       AND balance.currency = summed.currency AND balance.balance > 0
)
"""

# Of an `invoice`: the policy its customer is under; nothing for who owes nothing on balance.
POLICY_SQL = """\
JOIN subscribers_subscriber AS customer
    ON customer.tenant_id = %(tenant)s AND customer.id = invoice.subscriber_id
JOIN billing_subscriberbalance AS balance
    ON balance.tenant_id = %(tenant)s AND balance.subscriber_id = invoice.subscriber_id
   AND balance.currency = invoice.currency AND balance.balance > 0
LEFT JOIN billing_dunningpolicy AS own
    ON own.tenant_id = %(tenant)s AND own.billing_profile_id = customer.billing_profile_id
JOIN billing_dunningpolicy AS policy
    ON policy.tenant_id = %(tenant)s
   AND (policy.id = own.id OR own.id IS NULL AND policy.billing_profile_id IS NULL)"""

# That nobody spares the customer of an `invoice`.
NOT_SPARED_SQL = """\
NOT EXISTS (SELECT FROM billing_exemption AS spared
            WHERE spared.tenant_id = %(tenant)s AND spared.subscriber_id = invoice.subscriber_id
              AND spared.ended_at IS NULL AND (spared.until IS NULL OR spared.until >= %(on)s))
AND NOT EXISTS (SELECT FROM billing_promise AS promised
                WHERE promised.tenant_id = %(tenant)s AND promised.subscriber_id = invoice.subscriber_id
                  AND promised.status = 'open' AND promised.until >= %(on)s)"""


@dataclass(frozen=True)
class Debt:
    """What a subscriber owes of overdue invoices in one currency, `since` the oldest one's due date."""

    amount: Decimal
    currency: str
    since: date
    minimum_balance: Decimal

    @property
    def counts(self) -> bool:
        """Tell whether it is beyond the minimum balance."""
        return self.amount > self.minimum_balance


def overdue_of(subscriber_id: UUID, *, on: date) -> list[Debt]:
    """Return what a subscriber owes on that day, by currency; nothing where the ledger knows of no debt."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {OVERDUE_SQL} SELECT owed, currency, since, minimum_balance FROM owing ORDER BY currency",  # noqa: S608
            {"tenant": current_tenant_id(), "on": on, "subscribers": [subscriber_id]},
        )
        return [Debt(*row) for row in cursor.fetchall()]
