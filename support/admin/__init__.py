"""Support in the staff site."""

from support.admin import customers, dashboard, desk, diagnosis, mail, mass_messages, notices, portal, tickets

__all__ = [
    "customers",
    "dashboard",
    "desk",
    "diagnosis",
    "mail",
    "mass_messages",
    "notices",
    "portal",
    "tickets",
]
