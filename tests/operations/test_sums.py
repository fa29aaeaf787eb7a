"""Sums over a whole tenant: of now for a small one, kept and made anew beside the pages for a large one."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from ispcore import redis, sums
from ispcore.operations.tasks import find_due_sums, make_sums
from ispcore.sums import GRACE_SECONDS, WANTED, WANTED_SECONDS, Sum
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.totals import EXACT_UP_TO
from subscribers.models import Subscriber
from tests.factories import SubscriberFactory

pytestmark = pytest.mark.django_db(databases=["default", "platform"])
FOREVER = 3600


@pytest.fixture(autouse=True)
def forgotten() -> None:
    redis.client().delete(WANTED)


@pytest.fixture
def customers(monkeypatch: pytest.MonkeyPatch) -> Sum:
    """How many customers there are, which is told to have taken many rows."""
    return known(monkeypatch, "customers", rows=EXACT_UP_TO + 1)


def known(monkeypatch: pytest.MonkeyPatch, name: str, *, rows: int) -> Sum:
    one = Sum(f"tests.{name}", lambda: (Subscriber.objects.count(), rows), seconds=FOREVER)
    monkeypatch.setitem(sums._sums, one.name, one)
    return one


def read(one: Sum, tenant: Tenant) -> Any:
    with tenant_context(tenant.pk):
        return sums.read(one)


def add_customer(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        SubscriberFactory()


def make_old(one: Sum, tenant: Tenant) -> None:
    """Let the kept sum be older than it may become, and not yet so old that nobody is shown it."""
    redis.client().expire(f"sum:{tenant.pk}:{one.name}", GRACE_SECONDS - 1)


def make_due() -> dict[str, list[str]]:
    """Let the clock look and the workers do what it sent; return that."""
    due = {str(tenant): names for tenant, names in sums.due().items()}
    for tenant, names in due.items():
        make_sums(tenant_id=tenant, names=names)
    return due


def test_of_few_rows_it_is_always_of_now(tenant, monkeypatch):
    small = known(monkeypatch, "small", rows=EXACT_UP_TO)
    before = read(small, tenant)
    add_customer(tenant)

    assert (before, read(small, tenant)) == (0, 1)
    assert sums.due() == {}


def test_of_many_it_stays_until_it_is_made_anew(tenant, customers):
    before = read(customers, tenant)
    add_customer(tenant)
    meanwhile = read(customers, tenant)
    young = make_due()
    make_old(customers, tenant)
    old = make_due()

    assert (before, meanwhile, read(customers, tenant)) == (0, 0, 1)
    assert (young, old) == ({}, {str(tenant.pk): [customers.name]})


def test_nobody_is_shown_what_another_tenant_has(tenant, other_tenant, customers):
    add_customer(tenant)

    assert (read(customers, tenant), read(customers, other_tenant)) == (1, 0)


def test_without_a_worker_an_old_one_is_counted_again(tenant, customers):
    read(customers, tenant)
    add_customer(tenant)
    redis.client().delete(f"sum:{tenant.pk}:{customers.name}")  # As time does.

    assert read(customers, tenant) == 1


def test_what_nobody_looks_at_any_more_is_no_longer_made(tenant, customers):
    read(customers, tenant)
    make_old(customers, tenant)
    redis.client().zadd(WANTED, {f"{tenant.pk}/{customers.name}": time.time() - WANTED_SECONDS - 1})

    assert make_due() == {}
    assert redis.client().zcard(WANTED) == 0


def test_whoever_looks_keeps_it_wanted(tenant, customers):
    read(customers, tenant)
    member = f"{tenant.pk}/{customers.name}"
    long_ago = time.time() - WANTED_SECONDS + 5
    redis.client().zadd(WANTED, {member: long_ago})

    read(customers, tenant)

    assert (redis.client().zscore(WANTED, member) or 0) > long_ago


def test_a_name_that_this_release_does_not_know_is_left_out(tenant):
    redis.client().zadd(WANTED, {f"{tenant.pk}/tests.gone": time.time()})

    assert sums.due() == {}
    make_sums(tenant_id=str(tenant.pk), names=["tests.gone"])


def test_without_redis_it_is_counted_each_time(tenant, customers, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    before = read(customers, tenant)
    add_customer(tenant)

    assert (before, read(customers, tenant)) == (0, 1)


def test_the_clock_sends_them_tenant_by_tenant(tenant, other_tenant, customers):
    for each in (tenant, other_tenant):
        read(customers, each)
        make_old(customers, each)

    assert find_due_sums() == 2


def test_a_month_is_one_of_the_tenants_calendar(tenant, monkeypatch):
    Tenant.objects.filter(pk=tenant.pk).update(timezone="Pacific/Kiritimati")
    seen: list[datetime] = []

    def look() -> tuple[None, int]:
        seen.append(timezone.localtime())
        return None, 0

    one = Sum("tests.day", look, seconds=FOREVER)
    monkeypatch.setitem(sums._sums, one.name, one)

    make_sums(tenant_id=str(tenant.pk), names=[one.name])

    assert [at.utcoffset() for at in seen] == [timedelta(hours=14)]
