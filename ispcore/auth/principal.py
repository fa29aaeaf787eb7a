"""Who calls: the one answer of every kind of credential."""

from dataclasses import dataclass, field
from uuid import UUID

from ispcore.tenants.models import User


@dataclass(frozen=True)
class Principal:
    """A caller whose credential was checked.

    `key` names the credential's holder for limits and idempotency: `user:<id>` or `key:<id>`. `grants`
    maps the tenants it may act for to its role there; `every_tenant` marks platform staff, who act as
    administrator for one tenant at a time.
    """

    key: str
    user: User | None
    grants: dict[UUID, str] = field(default_factory=dict)
    every_tenant: bool = False
