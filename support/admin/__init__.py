"""Support in the staff site."""

from support.admin import customers, dashboard, desk, diagnosis, tickets

__all__ = ["customers", "dashboard", "desk", "diagnosis", "tickets"]
