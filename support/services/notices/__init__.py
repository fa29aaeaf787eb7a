"""Notices to customers: what happened becomes a row per customer and way, and each row one message at most."""

from support.services.notices.mass import approve, cancel, change, count, create
from support.services.notices.sending import send_due
from support.services.notices.writing import write

__all__ = ["approve", "cancel", "change", "count", "create", "send_due", "write"]
