"""A provider with many events leaves room in the queues for what others ask for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ispcore.events.models import Event
from ispcore.events.services import publish_each
from ispcore.files import exports
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from tests.factories import SubscriberFactory
from tests.workers import celery_worker, wait_for

EVENTS = 1_000

pytestmark = [
    pytest.mark.django_db(databases=["default", "platform"], transaction=True),
    pytest.mark.timeout(900),  # Nothing here is timed: this ends what hangs, and no busy machine's slow run.
]


def untold(tenant: Tenant) -> int:
    with tenant_context(tenant.pk):
        return Event.objects.filter(delivered_at=None).count()


def test_an_export_does_not_stand_behind_all_events_of_another(
    tenant: Tenant, other_tenant: Tenant, make_user: Callable[..., User], tmp_path: Path
) -> None:
    with tenant_context(tenant.pk):
        customer = SubscriberFactory()
        publish_each("subscribers.subscriber_created", [{"subscriber_id": str(customer.pk)}] * EVENTS)
    log = tmp_path / "worker.log"

    with celery_worker(log, queues="default", threads=2) as worker:
        wait_for(worker, lambda: untold(tenant) < EVENTS, log)
        with tenant_context(other_tenant.pk):
            job = exports.request_export(
                export=exports.find("subscribers"), file_format="csv", bom=False, rows_from="list",
                asked={"filters": {}, "search": ""}, role=Role.ADMINISTRATOR,
                user_id=make_user("them").pk, ip=None, request_id="",
            )  # fmt: skip

        def has_ended() -> bool:
            with tenant_context(other_tenant.pk):
                return bool(Job.objects.get(pk=job.pk).status == JobStatus.SUCCEEDED)

        wait_for(worker, has_ended, log)
        left = untold(tenant)
        wait_for(worker, lambda: untold(tenant) == 0, log)

    assert left > EVENTS / 10
