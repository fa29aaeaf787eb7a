"""What the clock brings, in every tenant that has something due and in no other."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from aaa import tasks
from aaa.models import Account, AccountState, ServiceProfile, SessionAction
from aaa.services import accounts, policies
from ispcore.tenants.context import tenant_context
from ispcore.wiring import HANDLERS
from subscribers.models import Plan, Subscription
from tests.aaa.online import make_nas, make_session
from tests.factories import PlanFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db(databases=["default", "platform"], transaction=True)


def make(username: str, **fields: Any) -> Account:
    profile, _ = ServiceProfile.objects.get_or_create(name="PPPoE")
    return accounts.create_account(
        at=timezone.now(), username=username, service_profile_id=profile.pk, **fields
    )


def test_settles_what_is_due(tenant: Any, other_tenant: Any) -> None:
    now = timezone.now()
    with tenant_context(tenant.pk):
        expired = make("expired", expires_at=now + timedelta(hours=1))
        session = make_session(make_nas(None), expired, "s1", applied=expired.wanted)
        Account.objects.filter(pk=expired.pk).update(expires_at=now - timedelta(minutes=1))
        used_up = make("used up", cap_bytes=10)
        AccountState.objects.filter(account=used_up).update(used_bytes=10, period_ends_at=now)
        followed = policies.create_policy(name="Followed", plan_id=PlanFactory().pk)
        Plan.objects.update(down_kbps=7)
    with tenant_context(other_tenant.pk):
        theirs = make("theirs")

    tasks.settle_due()

    with tenant_context(tenant.pk):
        expired.refresh_from_db()
        followed.refresh_from_db()
        assert expired.wanted == "refused:expired"
        assert SessionAction.objects.get().session_id == session.pk
        assert AccountState.objects.get(account=used_up).used_bytes == 0
        assert followed.down_kbps == 7
    with tenant_context(other_tenant.pk):
        settled_at = theirs.settled_at
        theirs.refresh_from_db()
        assert theirs.settled_at == settled_at


def test_finds_what_no_event_told_of(tenant: Any) -> None:
    with tenant_context(tenant.pk):
        line = SubscriptionFactory(status="active")
        account = make("jane", subscription_id=line.pk)
        gone = make_session(make_nas(None), make("gone"), "s1", applied="active:x.0.-.y")
        Account.objects.filter(username="gone").delete()
        Subscription.objects.update(status="suspended")

    tasks.settle_all()

    with tenant_context(tenant.pk):
        account.refresh_from_db()
        assert (account.blocked_reason, account.wanted) == ("suspended", "refused:blocked")
        assert SessionAction.objects.get().session_id == gone.pk


def test_purges_what_nobody_uses(tenant: Any) -> None:
    with tenant_context(tenant.pk):
        make("kept")
        make("idle", inactive_purge_hours=1)
        Account.objects.update(created_at=timezone.now() - timedelta(hours=2))

    tasks.purge_old()

    with tenant_context(tenant.pk):
        assert list(Account.objects.values_list("username", flat=True)) == ["kept"]


def test_every_event_followed_has_its_task(tenant: Any) -> None:
    with tenant_context(tenant.pk):
        line = SubscriptionFactory(status="active")
        account = make("jane", subscription_id=line.pk)
        Subscription.objects.update(status="suspended")
    ids = {
        "subscription_id": str(line.pk), "subscriber_id": str(line.subscriber_id), "account_id": str(account.pk),
        "policy_id": str(account.policy_id), "service_profile_id": str(account.service_profile_id),
        "address_id": str(account.pk),
    }  # fmt: skip
    payloads = {
        "subscribers.subscription_status_changed": ["subscription_id"],
        "subscribers.subscription_changed": ["subscription_id"],
        "subscribers.subscriber_status_changed": ["subscriber_id"],
        "ipam.address_assigned": ["address_id", "subscription_id"],
        "ipam.address_released": ["address_id", "subscription_id"],
        "aaa.quota_depleted": ["account_id"],
        "aaa.policy_changed": ["policy_id"],
        "aaa.profile_changed": ["service_profile_id"],
        "aaa.settings_changed": [],
    }

    for event, names in payloads.items():
        with tenant_context(tenant.pk):
            Account.objects.update(wanted="", blocked_reason="")
        [task] = [name for name in HANDLERS[event] if name.startswith("aaa.")]
        getattr(tasks, task.rpartition(".")[2])(
            tenant_id=str(tenant.pk), **{name: ids[name] for name in names}
        )
        with tenant_context(tenant.pk):
            account.refresh_from_db()
            assert (account.blocked_reason, account.wanted) == ("suspended", "refused:blocked"), event
