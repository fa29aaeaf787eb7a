"""The provider of the drill: its tables, customers, lines, NAS and webhook. Django is set up here, before any model."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg

from bench.drill.load import PORT, TURNS


@dataclass(frozen=True)
class Stage:
    tenant_id: UUID
    token: str
    subscribers: list[str]


def prepare(environment: Mapping[str, str], owner_url: str) -> None:
    """Set Django up with the installation's environment, and make the tables as their owner."""
    os.environ.update(environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "ispcore.settings"
    os.environ["LOG_LEVEL"] = "ERROR"
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    runtime = dict(connection.settings_dict)
    owner = urlsplit(owner_url)
    connection.settings_dict.update(USER=owner.username, PASSWORD=owner.password)
    call_command("migrate", verbosity=0)
    connection.close()
    connection.settings_dict.update(USER=runtime["USER"], PASSWORD=runtime["PASSWORD"])


def fill(admin_url: str, directory: Path, *, nas: str, customers: int, lines: int) -> Stage:
    """Make one provider with so many customers to bill, and users for so many lines of one NAS."""
    from django.utils import timezone

    from aaa.models import Nas, ServiceProfile
    from bench import billing
    from bench.radius.isp import Isp
    from billing.models import BillingSettings
    from ispcore.auth.services import create_api_key
    from ispcore.events.services import endpoints
    from ispcore.tenants.context import tenant_context
    from ispcore.tenants.models import Tenant
    from ispcore.tenants.roles import Role
    from subscribers.models import Subscriber

    tenant = Tenant.objects.create(slug="drill", name="Drill")
    with psycopg.connect(admin_url, autocommit=True) as database:
        billing.fill(database, tenant.pk, customers)
    where: Any = _Servers(admin_url)
    Isp(where, directory, tenant, threads=0, port=0).load(accounts=lines * TURNS, sessions=0)
    with tenant_context(tenant.pk):
        BillingSettings.objects.update(bills_from=date(2025, 6, 1))
        Nas.objects.update(address=nas)
        ServiceProfile.objects.update(max_sessions=MANY_SESSIONS)
        endpoints.create_webhook(url=f"http://{nas}:{PORT}/", event_types=["billing.payment_received"])
        _, token = create_api_key(name="Drill", role=Role.ADMINISTRATOR, created_by=None, at=timezone.now())
        subscribers = [str(pk) for pk in Subscriber.objects.values_list("pk", flat=True)]
    return Stage(tenant.pk, token, subscribers)


MANY_SESSIONS = 100  # A line that never hung up because its host died keeps no other out.


@dataclass(frozen=True)
class _Home:
    account: None = None


@dataclass(frozen=True)
class _Servers:
    """What Isp asks of servers for its rows."""

    admin_url: str
    home: _Home = _Home()
