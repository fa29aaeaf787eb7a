"""An outage over two hundred customers, told by a worker in a process of its own that is killed half-way."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from ispcore.events.models import Event
from ispcore.events.services import publish, relay_tenant
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.jobs.tasks import sweep
from ispcore.tenants.context import tenant_context
from support.models import Notice, Ticket
from support.services import tickets
from support.services.notices import consent
from tests.billing.issued import make_identity
from tests.factories import SubscriptionFactory
from tests.support.desk import make_subject, outage_of
from tests.support.mailbox import Mailbox, mailbox_on_a_port
from tests.support.noticing import make_customer
from tests.workers import celery_worker, wait_for

CUSTOMERS, WITH_TICKETS = 200, 40
DOWN, OVER = "There is an outage on your line", "The outage is over"
pytestmark = [
    pytest.mark.django_db(databases=["default", "platform"], transaction=True),
    pytest.mark.timeout(900),  # Nothing here is timed: this ends what hangs, and no busy machine's slow run.
]


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mailbox_on_a_port() as (kept, port):
        monkeypatch.setenv("EMAIL_HOST", "127.0.0.1")
        monkeypatch.setenv("EMAIL_PORT", str(port))
        monkeypatch.delenv("EMAIL_FILE_PATH", raising=False)
        yield kept


@pytest.fixture
def outage(tenant: Any) -> Any:
    """Two hundred lines down on one OLT; forty of their customers had written already."""
    at = timezone.now()
    with tenant_context(tenant.pk):
        make_identity(legal_name="Fibra S.L.")
        consent.change_settings(quiet_from=None, quiet_until=None)
        subject = make_subject()
        lines = [
            SubscriptionFactory(subscriber=make_customer(email=f"c{number}@customer.example"))
            for number in range(CUSTOMERS)
        ]
        for line in lines[:WITH_TICKETS]:
            tickets.open_ticket(subject_id=subject.pk, subscription_id=line.pk, at=at)
        # Their customers were told of these tickets when they opened them, before the outage was known.
        Event.objects.update(delivered_at=at)
        return outage_of(*lines, at=at)


def happen(tenant: Any, event: str, outage: Any, *, times: int = 1) -> None:
    """Publish an event and hand it to the tasks, once or more often: the relay promises at least once."""
    with tenant_context(tenant.pk):
        publish(event, outage_id=str(outage.pk))
        for _ in range(times):
            Event.objects.filter(name=event).update(delivered_at=None)
            relay_tenant()


def statuses(tenant: Any) -> Counter[str]:
    with tenant_context(tenant.pk):
        return Counter(Notice.objects.values_list("status", flat=True))


def all_told(tenant: Any, kind: str) -> bool:
    with tenant_context(tenant.pk):
        rows = Notice.objects.filter(kind=kind)
        is_over = not rows.filter(status__in=("waiting", "sending")).exists()
        busy = Job.objects.filter(kind="support.send_notices", status__in=("queued", "running"))
        return rows.count() == CUSTOMERS and is_over and not busy.exists()


def end_lease(tenant: Any) -> None:
    """Let the next worker have the dead one's job at once."""
    with tenant_context(tenant.pk):
        Job.objects.filter(kind="support.send_notices", status="running").update(
            heartbeat_at=Now() - jobs.LEASE * 2
        )
    sweep()


def test_each_is_told_once_though_the_worker_is_killed_and_each_event_comes_twice(
    tenant: Any, outage: Any, mailbox: Mailbox, tmp_path: Path
) -> None:
    happen(tenant, "hardware.outage_confirmed", outage, times=2)
    log = tmp_path / "first.log"
    mailbox.slow = 0.02
    with celery_worker(log, queues="default", threads=2) as worker:
        wait_for(worker, lambda: len(mailbox.messages) >= CUSTOMERS // 2, log)
        worker.kill()
        worker.wait()
    killed_at, left = len(mailbox.messages), statuses(tenant)
    assert left["waiting"] > 0

    end_lease(tenant)
    happen(tenant, "hardware.outage_confirmed", outage)
    mailbox.slow = 0
    log = tmp_path / "second.log"
    with celery_worker(log, queues="default", threads=2) as worker:
        wait_for(worker, lambda: all_told(tenant, "outage"), log)

    told = Counter(mailbox.receivers)
    uncertain = statuses(tenant)["uncertain"]
    assert set(mailbox.subjects) == {DOWN}
    assert max(told.values()) == 1  # Nobody twice, whatever was under way when it was killed.
    assert uncertain <= 1  # One message at a time: no more than one can be in doubt.
    assert CUSTOMERS - uncertain <= len(told) <= CUSTOMERS
    assert statuses(tenant)["sent"] == CUSTOMERS - uncertain
    assert CUSTOMERS // 2 <= killed_at < CUSTOMERS
    with tenant_context(tenant.pk):
        assert Notice.objects.count() == CUSTOMERS
        assert Ticket.objects.filter(outage=outage).count() == WITH_TICKETS

    with tenant_context(tenant.pk):
        outage.status, outage.resolved_at = "resolved", timezone.now()
        outage.save()
    happen(tenant, "hardware.outage_resolved", outage, times=2)
    log = tmp_path / "third.log"
    with celery_worker(log, queues="default", threads=2) as worker:
        wait_for(worker, lambda: all_told(tenant, "outage_over"), log)

    over = Counter(mailbox.subjects)
    with tenant_context(tenant.pk):
        assert not Ticket.objects.exclude(status="resolved").exists()
        kinds = Counter(Notice.objects.values_list("kind", flat=True))
    assert (over[OVER], set(over)) == (CUSTOMERS, {DOWN, OVER})
    assert kinds == {"outage": CUSTOMERS, "outage_over": CUSTOMERS}
