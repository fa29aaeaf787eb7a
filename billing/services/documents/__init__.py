"""Invoices, credit notes and statements as documents: PDF/A-2b by typst, and CSV."""

from billing.services.documents.invoices import invoice_pdf
from billing.services.documents.statements import statement_csv, statement_pdf

__all__ = ["invoice_pdf", "statement_csv", "statement_pdf"]
