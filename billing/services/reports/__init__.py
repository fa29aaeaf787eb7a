"""What the ledger and the invoices say, summed up by the database. Import from here; nothing is changed by it."""

from billing.services.reports.billed import BilledMonth, billed_by_month
from billing.services.reports.debt import (
    AgedDebt,
    DebtOfSubscriber,
    DebtTotal,
    aged_debt,
    aged_debt_rows,
    debt_now,
    debt_totals,
)
from billing.services.reports.files import aged_debt_file, journal_file
from billing.services.reports.journal import JOURNAL_HEADER, journal_rows
from billing.services.reports.revenue import RecurringMonth, months_before, recurring
from billing.services.reports.takings import CashRow, cash
from billing.services.reports.tax import TaxReport, TaxRow, TaxTotal, taxes

__all__ = [
    "JOURNAL_HEADER",
    "AgedDebt",
    "BilledMonth",
    "CashRow",
    "DebtOfSubscriber",
    "DebtTotal",
    "RecurringMonth",
    "TaxReport",
    "TaxRow",
    "TaxTotal",
    "aged_debt",
    "aged_debt_file",
    "aged_debt_rows",
    "billed_by_month",
    "cash",
    "debt_now",
    "debt_totals",
    "journal_file",
    "journal_rows",
    "months_before",
    "recurring",
    "taxes",
]
