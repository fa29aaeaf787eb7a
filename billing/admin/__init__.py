"""What staff see and click of billing. Split by noun."""

from billing.admin import bank

__all__ = ["bank"]
