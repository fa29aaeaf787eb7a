"""What staff see and click of access. Split by noun."""

from aaa.admin import accounts, actions, customers, dashboard, nas, policies, profiles, sessions, vouchers

__all__ = [
    "accounts",
    "actions",
    "customers",
    "dashboard",
    "nas",
    "policies",
    "profiles",
    "sessions",
    "vouchers",
]
