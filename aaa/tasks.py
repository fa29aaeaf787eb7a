from collections.abc import Callable, Collection
from functools import partial
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from aaa.models import ActionCause
from aaa.services import (
    accounts,
    actions,
    caps,
    delivery,
    differing,
    due,
    policies,
    purge,
    settling,
    sweeping,
    trying,
    vouchers,
)
from ispcore.jobs import services as jobs
from ispcore.jobs.bases import PlatformTask
from ispcore.tenants.context import tenant_context


@shared_task(base=PlatformTask, name="aaa.tasks.make_partitions")
def make_partitions() -> None:
    at = timezone.now()
    sweeping.make_partitions(on=at.date())
    sweeping.drop_hourly_usage(at=at)


@shared_task(base=PlatformTask, name="aaa.tasks.sweep_sessions")
def sweep_sessions() -> None:
    sweeping.close_stale_sessions()
    sweeping.move_closed_sessions()


@shared_task(name="aaa.tasks.steer_sessions", queue=actions.QUEUE)
def steer_sessions(*, tenant_id: str, job_id: str) -> None:
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=delivery.steer)


@shared_task(name="aaa.tasks.test_login", queue=actions.QUEUE)
def test_login(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: trying.try_login(run, at=at))


@shared_task(base=PlatformTask, name="aaa.tasks.send_actions", queue=actions.QUEUE)
def send_actions(*, tenant_id: str) -> None:
    delivery.send_due(tenant_id=UUID(tenant_id))


@shared_task(base=PlatformTask, name="aaa.tasks.find_due_actions")
def find_due_actions() -> None:
    """Send word of every tenant that has actions due: whose message was lost, or that are to be tried again."""
    for tenant_id in delivery.find_due():
        actions.send_wake(tenant_id)


def _settle(
    tenant_id: str, find: Callable[[], Collection[UUID]], cause: ActionCause = ActionCause.POLICY
) -> None:
    settling.settle_each(find, tenant_id=UUID(tenant_id), at=timezone.now(), cause=cause)


@shared_task(base=PlatformTask, name="aaa.tasks.follow_subscription")
def follow_subscription(*, tenant_id: str, subscription_id: str) -> None:
    """Make the new line's account where the provider wants one, and let its accounts follow the line."""
    with tenant_context(UUID(tenant_id)):
        accounts.create_account_of_line(subscription_id=UUID(subscription_id), at=timezone.now())
    _settle(tenant_id, lambda: settling.accounts_of_lines(pk=subscription_id), ActionCause.PLAN_CHANGE)


@shared_task(base=PlatformTask, name="aaa.tasks.follow_subscriber")
def follow_subscriber(*, tenant_id: str, subscriber_id: str) -> None:
    _settle(tenant_id, lambda: settling.accounts_of_lines(subscriber=subscriber_id))


@shared_task(base=PlatformTask, name="aaa.tasks.follow_address")
def follow_address(*, tenant_id: str, address_id: str, subscription_id: str = "") -> None:
    if subscription_id:
        _settle(tenant_id, lambda: settling.accounts_of_lines(pk=subscription_id))


@shared_task(base=PlatformTask, name="aaa.tasks.follow_quota")
def follow_quota(*, tenant_id: str, account_id: str) -> None:
    """Block or slow down who used up their data; a voucher's account is used up with it."""
    with tenant_context(UUID(tenant_id)):
        vouchers.end_vouchers(at=timezone.now(), account_ids=[UUID(account_id)])
    _settle(tenant_id, lambda: [UUID(account_id)])


@shared_task(base=PlatformTask, name="aaa.tasks.follow_policy")
def follow_policy(*, tenant_id: str, policy_id: str) -> None:
    _settle(tenant_id, lambda: settling.accounts_of_policy(UUID(policy_id)))


@shared_task(base=PlatformTask, name="aaa.tasks.follow_profile")
def follow_profile(*, tenant_id: str, service_profile_id: str) -> None:
    _settle(tenant_id, lambda: settling.accounts_of_profile(UUID(service_profile_id)))


@shared_task(base=PlatformTask, name="aaa.tasks.follow_settings")
def follow_settings(*, tenant_id: str) -> None:
    _settle(tenant_id, settling.all_accounts)


@shared_task(base=PlatformTask, name="aaa.tasks.settle_due")
def settle_due() -> None:
    """Do what the clock brings: accounts that expired, data caps that begin anew, vouchers whose time is over."""
    at = timezone.now()
    for tenant_id in due.tenants_with_something_due(at=at):
        with tenant_context(tenant_id):
            vouchers.end_vouchers(at=at)
            policies.follow_plans()
        since = at - due.LOOK_BACK
        settling.settle_each(
            partial(settling.accounts_expired, since=since, until=at), tenant_id=tenant_id, at=at
        )
        changed: list[UUID] | None = None
        while changed is None or changed:
            with tenant_context(tenant_id):
                changed = caps.roll_periods(at=at)
                settling.settle(changed, at=at)


@shared_task(base=PlatformTask, name="aaa.tasks.settle_all")
def settle_all() -> None:
    """Find what no event told of: settle every account, and make an action for every session that differs."""
    at = timezone.now()
    for tenant_id in due.tenants_with_accounts():
        settling.settle_each(settling.all_accounts, tenant_id=tenant_id, at=at)
        with tenant_context(tenant_id):
            differing.act_on_differences(at=at)


@shared_task(base=PlatformTask, name="aaa.tasks.purge_old")
def purge_old() -> None:
    """Delete accounts nobody uses, and attempts and sessions older than their provider keeps them."""
    at = timezone.now()
    for tenant_id in due.tenants_with_accounts():
        purged = -1
        while purged:
            with tenant_context(tenant_id):
                purged = purge.purge_idle_accounts(at=at)
        with tenant_context(tenant_id):
            purge.forget_old_records(at=at)
    purge.drop_old_months(at=at)


@shared_task(name="aaa.tasks.make_vouchers")
def make_vouchers(*, tenant_id: str, job_id: str) -> None:
    at = timezone.now()
    jobs.perform(tenant_id=tenant_id, job_id=job_id, work=lambda run: vouchers.make_vouchers(run, at=at))
