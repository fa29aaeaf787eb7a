"""Invoices and credit notes: the list, the page, and what a customer's page says of them."""

from billing.admin.invoices import customers, records

__all__ = ["customers", "records"]
