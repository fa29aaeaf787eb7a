"""What tests of notices share: customers, the worker's part, and the log."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from subscribers.models import Hold
from support.models import Notice, NoticeChannel
from support.services.notices import sending, writing
from tests.factories import SubscriberFactory, SubscriptionFactory
from tests.support.gateway import SECRET

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NIGHT = datetime(2026, 3, 10, 22, tzinfo=UTC)
MORNING = datetime(2026, 3, 11, 8, tzinfo=UTC)


def make_customer(**fields: Any) -> Any:
    return SubscriberFactory(
        **{
            "full_name": "Zoë Müller",
            "email": "zoe@customer.example",
            "phone_e164": "+351210000001",
            "status": "active",
            **fields,
        }
    )


def cut(customer: Any, at: datetime = NOON) -> Hold:
    """Bar a customer's line for non-payment."""
    hold: Hold = Hold.objects.create(
        subscription=SubscriptionFactory(subscriber=customer), reason="non_payment", opened_at=at
    )
    return hold


def make_gateway(url: str, channel: str = "sms", **fields: Any) -> NoticeChannel:
    made: NoticeChannel = NoticeChannel.objects.create(
        channel=channel, url=url, secret=SECRET, sender="Fibra", **fields
    )
    return made


def send(tenant: Any, at: datetime = NOON, now: Callable[[], datetime] | None = None) -> Job:
    """Do the worker's part of a job that sends what is due, at one moment or by a clock that moves."""
    with tenant_context(tenant.pk):
        job = writing.request_sending()
    clock = now or (lambda: at)
    jobs.perform(
        tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: sending.send_due(run, now=clock)
    )
    with tenant_context(tenant.pk):
        done: Job = Job.objects.get(pk=job.pk)
    return done


def log(tenant: Any) -> list[tuple[str, str, str, str]]:
    """Return event, way, status and why of each notice."""
    with tenant_context(tenant.pk):
        return list(Notice.objects.order_by("id").values_list("kind", "channel", "status", "detail"))
