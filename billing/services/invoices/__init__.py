"""Invoices one by one: written by hand, issued, made void, credited, sent.

Every function locks the subscriber first, then invoices by their keys. A run issues its own drafts in bulk.
"""

from billing.services.invoices.crediting import CreditedLine, credit
from billing.services.invoices.drafting import DraftLine, add_line, create_draft, discard_draft
from billing.services.invoices.issuing import issue
from billing.services.invoices.sending import send
from billing.services.invoices.voiding import void

__all__ = [
    "CreditedLine",
    "DraftLine",
    "add_line",
    "create_draft",
    "credit",
    "discard_draft",
    "issue",
    "send",
    "void",
]
