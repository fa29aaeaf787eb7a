"""Refused credentials are counted per address, in front of what checks them."""

import time
from uuid import UUID

import pytest
from django.test import Client
from rest_framework.exceptions import Throttled

from ispcore.auth import guard, services
from ispcore.auth.guard import authenticate_carefully
from ispcore.auth.refusals import InvalidToken
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from tests.auth.test_log_ins import NOW

pytestmark = pytest.mark.django_db
ME = "/api/v1/me"


@pytest.fixture
def key(tenant: Tenant) -> str:
    with tenant_context(tenant.pk):
        return services.create_api_key(name="export", role=Role.SUPPORT, created_by=None, at=NOW)[1]


def guess(number: int, ip: str = "192.0.2.1") -> str:
    """Try a key that is none; returns what kind of refusal it met."""
    try:
        authenticate_carefully(f"Bearer ispk_{number:012x}_x", ip=ip)
    except (InvalidToken, Throttled) as refusal:
        return type(refusal).__name__
    raise AssertionError


def guess_until_refused(ip: str = "192.0.2.1") -> int:
    """Guess until it is not listened to any more; the limit refills while a slow machine does. Return how often."""
    number = 0
    while guess(number, ip) == "InvalidToken":
        number += 1
    return number


def test_an_address_that_keeps_guessing_is_not_listened_to(key):
    assert guess_until_refused() >= guard.REFUSALS_LIMIT.rate
    assert guess(0) == "Throttled"


def test_it_is_not_even_asked_whether_the_guess_was_right(key, django_assert_num_queries):
    guess_until_refused()

    with django_assert_num_queries(0), pytest.raises(Throttled):
        authenticate_carefully(f"Bearer {key}", ip="192.0.2.1")


def test_a_program_beside_a_broken_one_goes_on(key):
    authenticate_carefully(f"Bearer {key}", ip="192.0.2.1")
    guess_until_refused()

    assert authenticate_carefully(f"Bearer {key}", ip="192.0.2.1").grants


def test_a_key_revoked_meanwhile_is_refused_there_too(key, tenant):
    row = UUID(authenticate_carefully(f"Bearer {key}", ip="192.0.2.1").key.partition(":")[2])
    guess_until_refused()
    with tenant_context(tenant.pk):
        services.revoke_api_key(key_id=row, at=NOW)

    with pytest.raises(InvalidToken):
        authenticate_carefully(f"Bearer {key}", ip="192.0.2.1")
    with pytest.raises(Throttled):
        authenticate_carefully(f"Bearer {key}", ip="192.0.2.1")


def test_other_addresses_are_not_concerned(key):
    guess_until_refused(ip="2001:db8::1")

    assert guess(1, ip="2001:db8:0:0:ffff::9") == "Throttled"  # The same customer's /64.
    assert authenticate_carefully(f"Bearer {key}", ip="2001:db8:0:1::1").grants


def test_the_address_is_listened_to_again_after_a_while(key, monkeypatch):
    guess_until_refused()
    later = time.monotonic() + 5
    monkeypatch.setattr(time, "monotonic", lambda: later)

    assert authenticate_carefully(f"Bearer {key}", ip="192.0.2.1").grants


def test_good_credentials_are_never_counted(key):
    for _ in range(200):
        assert authenticate_carefully(f"Bearer {key}", ip="192.0.2.1").grants


def test_while_redis_is_away_nobody_is_shut_out(key, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    for number in range(70):
        assert guess(number) == "InvalidToken"

    assert authenticate_carefully(f"Bearer {key}", ip="192.0.2.1").grants


def test_the_api_answers_429_and_when_to_come_back(key):
    guess_until_refused(ip="127.0.0.1")

    answer = Client().get(ME, headers={"Authorization": "Bearer ispk_000000000001_x"})

    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limited"
    assert 1 <= int(answer["Retry-After"]) <= 2


def test_remembers_no_more_than_it_may(key):
    for number in range(guard.REMEMBERED + 10):
        guard.memory.note_good(f"Bearer {number}")
        guard.memory.close(f"10.{number >> 8}.{number & 255}.1", 5)

    assert len(guard.memory._good) == len(guard.memory._closed_until) == guard.REMEMBERED
