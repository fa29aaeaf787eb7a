"""Money that comes in, what it pays, and what goes back.

Every function locks the subscriber first, then invoices, credit notes and payments in the order of their keys: what
happens to one subscriber's money happens in a row. Amounts are whole minor units of their currency.
"""

from billing.services.payments.allocating import Share, allocate, release, spend_credit
from billing.services.payments.receiving import receive
from billing.services.payments.returning import bounce, refund

__all__ = ["Share", "allocate", "bounce", "receive", "refund", "release", "spend_credit"]
