"""Billing runs: the list, the four steps on one page, what differs, and whom a run left out."""

from billing.admin.runs import differences, parked, records

__all__ = ["differences", "parked", "records"]
