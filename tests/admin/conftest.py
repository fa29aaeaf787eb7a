from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hardware.models import DiscoveryRun, Olt, Onu, RunOutcome
from ispcore.auth import services as auth
from ispcore.events.models import Event
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Membership, Tenant, User
from ispcore.tenants.roles import Role
from tests.factories import OltFactory, OnuFactory, PonPortFactory


@pytest.fixture
def browser(admin_user: User) -> Client:
    """A browser in which `tenant`'s administrator is logged in."""
    return browser_of(admin_user)


@pytest.fixture
def browser_as(tenant: Tenant, make_user: Callable[..., User]) -> Callable[[Role], Client]:
    """A browser of somebody with the role given."""
    return lambda role: browser_of(make_user(f"{role}-browser", {tenant: role}))


@pytest.fixture
def operator(make_user: Callable[..., User]) -> User:
    """Platform staff, member of no tenant."""
    return make_user("operator", is_platform_staff=True)


def browser_of(user: User, **kwargs: Any) -> Client:
    client = Client(raise_request_exception=kwargs.pop("raise_request_exception", True), **kwargs)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def fill(tenant: Tenant, user: User) -> dict[str, Any]:
    """Make one row of everything the admin shows, for one tenant; returns them by model label."""
    with tenant_context(tenant.pk):
        olt = OltFactory(name=f"Exchange of {tenant.slug}")
        port = PonPortFactory(olt=olt)
        onu = OnuFactory(olt=olt, pon_port=port, serial=f"HWTC{tenant.slug.upper()}")
        now = timezone.now()
        job = Job.objects.create(
            kind="hardware.discover_olt",
            label=f"Discovery of {olt.name}",
            subject=f"olt:{olt.pk}",
            params={"olt_id": str(olt.pk), "queue": "devices"},
            status=JobStatus.FAILED,
            error_code="device_unreachable",
            error_message="No answer.",
            started_at=now,
            finished_at=now,
        )
        run = DiscoveryRun.objects.create(
            olt=olt, job=job, outcome=RunOutcome.FAILED, started_at=now, finished_at=now
        )
        key, _ = auth.create_api_key(name=f"Key of {tenant.slug}", role="support", created_by=user, at=now)
        return {
            "hardware.Olt": olt,
            "hardware.Onu": onu,
            "hardware.DiscoveryRun": run,
            "jobs.Job": job,
            "events.Event": Event.objects.create(
                name="hardware.discovery_finished", payload={"olt_id": str(olt.pk)}
            ),
            "ispauth.ApiKey": key,
            "tenants.AuditEntry": AuditEntry.objects.create(action="looked", user=user),
            "tenants.Membership": Membership.objects.get(user=user, tenant=tenant),
        }


@pytest.fixture
def rows(tenant: Tenant, admin_user: User) -> dict[str, Any]:
    return fill(tenant, admin_user)


@pytest.fixture
def foreign_rows(other_tenant: Tenant, make_user: Callable[..., User]) -> dict[str, Any]:
    """The same of a tenant that must never be seen."""
    return fill(other_tenant, make_user("stranger", {other_tenant: Role.ADMINISTRATOR}))


__all__ = ["Olt", "Onu", "browser_of", "fill"]
