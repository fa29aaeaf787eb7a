"""What the tests of log-ins share: two devices, and how an account gets its bars."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from aaa.models import Account, AccountState, AuthAttempt, Policy, PolicyReply, RadiusSettings, ServiceProfile
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.factories import PolicyFactory

HERE, THERE = "aa:bb:cc:00:00:01", "AA-BB-CC-00-00-02"


def rate(name: str, **slots: str) -> Policy:
    policy: Policy = PolicyFactory(name=name)
    PolicyReply.objects.create(policy=policy, nas_type="mikrotik", **slots)
    return policy


def change(account: Account, **fields: Any) -> None:
    with tenant_context(account.tenant_id):
        for name in [name for name in fields if name.startswith("state_")]:
            AccountState.objects.filter(account=account).update(**{name[6:]: fields.pop(name)})
        for name in [name for name in fields if name.startswith("profile_")]:
            ServiceProfile.objects.filter(pk=account.service_profile_id).update(
                **{name[8:]: fields.pop(name)}
            )
        row = Account.objects.get(pk=account.pk)
        for name, value in fields.items():
            setattr(row, name, value)
        row.save()


def garden(tenant: Tenant, **fields: Any) -> None:
    with tenant_context(tenant.pk):
        policy = rate("Garden", r1="1M/1M", r2="unpaid")
        RadiusSettings.objects.create(garden_policy=policy, **fields)


def attempts(tenant: Tenant) -> list[tuple[str, bool, str, int]]:
    with tenant_context(tenant.pk):
        rows = AuthAttempt.objects.order_by("at", "id")
        return list(rows.values_list("username", "accepted", "reason", "times"))


def past(**duration: float) -> datetime:
    return timezone.now() - timedelta(**duration)
