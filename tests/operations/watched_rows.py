"""Rows of everything that is watched, so that no series is missing from a scrape; each helper acts for a tenant."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from django.utils import timezone

from aaa.models import AuthAttempt, SessionAction
from billing.models import BillingRun, DunningNight, LedgerCheck
from billing.models.dunning import NightStatus
from billing.models.runs import RunStatus
from hardware.models import OltPolling, Outage
from ispcore.events.models import Event, WebhookEndpoint
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.fields import new_id
from ispcore.tenants.models import Tenant
from tests.factories import NasFactory, OltFactory


@contextmanager
def _at(then: datetime) -> Iterator[None]:
    """Let rows be as old as they say: one that is made older later leaves its young version in the index."""
    with mock.patch.object(timezone, "now", return_value=then):
        yield


def make_log_ins(number: int, *, minutes: float = 0, **fields: Any) -> None:
    at = timezone.now() - timedelta(minutes=minutes)
    fields = {"accepted": True, "reason": "", **fields}
    AuthAttempt.objects.bulk_create(
        [
            AuthAttempt(at=at, last_at=at, username=f"user{n}", username_key=f"user{n}", **fields)
            for n in range(number)
        ]
    )


def make_ended_jobs(number: int, *, hours: float) -> None:
    then = timezone.now() - timedelta(hours=hours)
    jobs = [
        Job(
            kind="hardware.read_onu",
            status=JobStatus.SUCCEEDED,
            finished_at=then,
            queue="network",
        )
        for _ in range(number)
    ]
    with _at(then):
        Job.objects.bulk_create(jobs)


def make_delivered_events(number: int, *, hours: float) -> None:
    then = timezone.now() - timedelta(hours=hours)
    with _at(then):
        Event.objects.bulk_create([Event(name="x.y", delivered_at=then) for _ in range(number)])


def make_ended_actions(number: int, *, minutes: float, outcome: str = "ack") -> None:
    then = timezone.now() - timedelta(minutes=minutes)
    nas = NasFactory(last_acct_at=timezone.now() - timedelta(minutes=minutes))
    actions = [
        SessionAction(
            kind="coa",
            session_id=new_id(),
            nas=nas,
            cause="staff",
            state="done",
            outcome=outcome,
            next_at=then,
            finished_at=then,
        )
        for _ in range(number)
    ]
    with _at(then):
        SessionAction.objects.bulk_create(actions)


def make_some_of_all(tenant: Tenant) -> None:
    """One of each thing that is worth a warning."""
    now = timezone.now()
    with tenant_context(tenant.pk):
        make_log_ins(3)
        make_log_ins(2, accepted=False, reason="password")
        make_ended_actions(2, minutes=1, outcome="timeout")
        make_ended_actions(1, minutes=30)
        make_ended_jobs(2, hours=0.01)
        lost = Job.objects.create(
            kind="billing.issue_run",
            status=JobStatus.RUNNING,
            queue="billing",
            heartbeat_at=now - timedelta(minutes=5),
        )
        Job.objects.create(kind="billing.plan_run", queue="billing", dispatched_at=now - timedelta(minutes=3))
        Job.objects.update(created_at=now - timedelta(minutes=3))
        Event.objects.create(name="x.y")
        for state in ({}, {"failing_since": now}):
            WebhookEndpoint.objects.create(url="https://r.example/", secret="s", **state)
        late, fresh = OltFactory(name="Late"), OltFactory(name="Fresh")
        due = {"status_due_at": now, "optics_due_at": now, "inventory_due_at": now}
        OltPolling.objects.create(olt=late, failures=3, status_read_at=now - timedelta(hours=2), **due)
        OltPolling.objects.create(olt=fresh, status_read_at=now, **due)
        Outage.objects.create(olt=late, started_at=now, customers_affected=40)
        BillingRun.objects.create(
            on=now.date(),
            status=RunStatus.ISSUING,
            as_of=now,
            invoices_planned=100,
            invoices_issued=40,
            job=None,
        )
        BillingRun.objects.create(
            on=now.date() - timedelta(days=1),
            status=RunStatus.ISSUED,
            as_of=now,
            issued_at=now - timedelta(days=1),
        )
        DunningNight.objects.create(
            on=now.date(), status=NightStatus.WAITING, active_lines=100, cap_lines=5, found_lines=20, job=lost
        )
        LedgerCheck.objects.create(checked_at=now, findings_count=2)
