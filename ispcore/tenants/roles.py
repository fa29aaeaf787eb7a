"""Who may do what: one table for the admin, the API and its documentation.

The eight roles are those of the Subscriber Accounts reference. A permission is `<app>.<verb>`; Django's
own `app.verb_model` names are reduced to it. A role that a line does not name may not.
"""

from django.db import models

VIEW = frozenset({"view"})
EDIT = frozenset({"view", "add", "change"})
FULL = frozenset({"view", "add", "change", "delete"})
# `operate` is what reaches out to a device: discover, authorise, reboot. `manage` is making, changing and purging
# access accounts, which the reference gives to roles that may not touch a router or a policy.
OPERATE = FULL | {"operate", "reveal"}
MANAGE = frozenset({"manage"})

EVERY_APP = ("subscribers", "billing", "hardware", "ipam", "aaa", "support", "jobs", "files", "events")


class Role(models.TextChoices):
    ADMINISTRATOR = "administrator", "Administrator"
    NETWORK_OPERATIONS = "network_operations", "Network Operations"
    STAFF_MEMBER = "staff_member", "Staff Member"
    SUBSCRIBER_ACCOUNTS = "subscriber_accounts", "Subscriber Accounts"
    SUBSCRIBER_ADMINISTRATOR = "subscriber_administrator", "Subscriber Administrator"
    SUBSCRIBER_SUPPORT = "subscriber_support", "Subscriber Support"
    SUPPORT = "support", "Support"
    CUSTOMER = "customer", "Customer"


GRANTS: dict[Role, dict[str, frozenset[str]]] = {
    Role.ADMINISTRATOR: {
        **dict.fromkeys(EVERY_APP, OPERATE), "aaa": OPERATE | MANAGE, "tenants": FULL, "ispauth": FULL,
    },
    Role.NETWORK_OPERATIONS: {
        "hardware": OPERATE, "ipam": FULL, "aaa": OPERATE | MANAGE, "subscribers": VIEW, "support": EDIT,
        "jobs": EDIT, "files": VIEW, "events": VIEW,
    },
    Role.STAFF_MEMBER: {
        "subscribers": EDIT, "billing": EDIT, "support": EDIT, "hardware": VIEW, "ipam": VIEW, "aaa": VIEW,
        "jobs": VIEW, "files": VIEW,
    },
    Role.SUBSCRIBER_ACCOUNTS: {
        "subscribers": EDIT, "billing": FULL, "aaa": VIEW | MANAGE, "support": EDIT, "jobs": VIEW, "files": VIEW,
    },
    Role.SUBSCRIBER_ADMINISTRATOR: {
        "subscribers": FULL, "aaa": EDIT | MANAGE | {"operate"}, "billing": VIEW, "hardware": VIEW, "ipam": VIEW,
        "support": EDIT, "jobs": VIEW, "files": VIEW,
    },
    Role.SUBSCRIBER_SUPPORT: {
        "subscribers": VIEW, "aaa": VIEW, "hardware": VIEW, "ipam": VIEW, "support": EDIT, "jobs": VIEW,
        "files": VIEW,
    },
    Role.SUPPORT: {
        "subscribers": VIEW, "hardware": VIEW, "ipam": VIEW, "aaa": VIEW, "support": EDIT, "jobs": VIEW,
        "files": VIEW,
    },
    Role.CUSTOMER: {},  # Sees its own records only, through routes made for it.
}  # fmt: skip

STAFF_ROLES = frozenset(Role) - {Role.CUSTOMER}


def allows(role: str | None, app_label: str, verb: str) -> bool:
    """Tell whether `role` may do `verb` in an app; no role may do nothing."""
    return role in GRANTS and verb in GRANTS[Role(role)].get(app_label, frozenset())


def roles_that_may(app_label: str, verb: str) -> list[Role]:
    """List the roles for which `allows` is true, in the order of the table."""
    return [role for role in Role if allows(role, app_label, verb)]
