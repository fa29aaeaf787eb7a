"""One tenant's requests take so many threads and so much time of the database; the others have the rest."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from django.db import connection

from ispcore.api import seats
from ispcore.api.seats import NoSeat, seat
from ispcore.tenants import middleware
from ispcore.tenants.context import JOB, Limits, tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Zone
from tests.client import Api


@pytest.fixture
def _two_seats(settings: Any) -> None:
    settings.REQUESTS_PER_TENANT = 2


@pytest.mark.django_db
@pytest.mark.usefixtures("_two_seats")
class TestSeats:
    def test_one_too_many_is_told_to_come_back(
        self, tenant: Tenant, other_tenant: Tenant, make_user: Callable[..., User]
    ) -> None:
        ours = Api(make_user("ours", {tenant: Role.SUPPORT}))
        theirs = Api(make_user("theirs", {other_tenant: Role.SUPPORT}))

        with seat(tenant.pk), seat(tenant.pk):
            refused = ours.get("zones")
            served = theirs.get("zones")
        again = ours.get("zones")

        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
        assert refused.headers["Retry-After"] == "1"
        assert refused.json()["error"]["message"].startswith("2 requests of this tenant")
        assert (served.status_code, again.status_code) == (200, 200)

    def test_a_refused_write_changes_nothing(self, tenant: Tenant, api: Api) -> None:

        with seat(tenant.pk), seat(tenant.pk):
            refused = api.post("zones", {"name": "North"})

        assert refused.status_code == 429
        with tenant_context(tenant.pk):
            assert not Zone.objects.exists()

    def test_a_request_that_fails_gives_its_seat_back(self, api: Api) -> None:

        found = {api.get("zones/019a0000-0000-7000-8000-000000000000").status_code for _ in range(5)}

        assert found == {404}


def test_callers_at_once_never_hold_more_seats_than_there_are(settings: Any) -> None:
    settings.REQUESTS_PER_TENANT = 3
    tenant_id = Tenant(slug="x").pk
    together, outcomes = threading.Barrier(16), []

    def call() -> None:
        together.wait(30)
        try:
            with seat(tenant_id):
                together.wait(30)
        except NoSeat:
            together.wait(30)
            outcomes.append("refused")
        else:
            outcomes.append("served")

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (outcomes.count("served"), outcomes.count("refused")) == (3, 13)


def test_who_asks_alone_has_all_seats_at_once(settings: Any) -> None:
    settings.REQUESTS_PER_TENANT = 8
    tenant_id, together = Tenant(slug="x").pk, threading.Barrier(8)

    def call(_: int) -> None:
        with seat(tenant_id):
            together.wait(30)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(call, range(8)))


def test_while_others_ask_a_quarter_is_worked_on_and_the_rest_wait_for_their_turn(settings: Any) -> None:
    settings.REQUESTS_PER_TENANT = 8
    ours, theirs = Tenant(slug="x").pk, Tenant(slug="y").pk
    lock, at_work = threading.Lock(), [0]
    seen: list[int] = []

    def call(_: int) -> None:
        with seat(ours):
            with lock:
                at_work[0] += 1
                seen.append(at_work[0])
            time.sleep(0.02)
            with lock:
                at_work[0] -= 1

    with seat(theirs), ThreadPoolExecutor(8) as callers:
        list(callers.map(call, range(8)))

    assert len(seen) == 8
    assert max(seen) == 2


def test_nobody_waits_for_a_turn_for_ever(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REQUESTS_PER_TENANT = 4
    monkeypatch.setattr(seats, "MOST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(seats, "LATELY_SECONDS", 0.01)
    ours, theirs = Tenant(slug="x").pk, Tenant(slug="y").pk

    with seat(theirs), seat(ours), pytest.raises(NoSeat), seat(ours):
        pass

    assert not seats._taken
    assert not seats._working


def test_waiting_for_jobs_takes_seats_of_its_own(settings: Any) -> None:
    settings.REQUESTS_PER_TENANT = 4
    tenant_id = Tenant(slug="x").pk

    with seat(tenant_id, waiting=True), seat(tenant_id, waiting=True):
        with pytest.raises(NoSeat), seat(tenant_id, waiting=True):
            pass
        with ExitStack() as taken:
            for _ in range(4):
                taken.enter_context(seat(tenant_id))
            with pytest.raises(NoSeat):
                taken.enter_context(seat(tenant_id))


def test_zero_means_no_bound(settings: Any) -> None:
    settings.REQUESTS_PER_TENANT = 0
    tenant_id = Tenant(slug="x").pk

    with ExitStack() as taken:
        for _ in range(100):
            taken.enter_context(seat(tenant_id))


@pytest.mark.django_db(transaction=True)
class TestLimits:
    @pytest.fixture
    def held(self, tenant: Tenant) -> Iterator[Zone]:
        """A zone that somebody else is changing."""
        with tenant_context(tenant.pk):
            zone: Zone = Zone.objects.create(name="North")
        settings = connection.get_connection_params()
        wanted = {name: settings[name] for name in ("host", "port", "user", "password", "dbname")}
        with psycopg.connect(**wanted) as other:
            other.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant.pk)])
            assert (
                other.execute("SELECT FROM subscribers_zone WHERE id = %s FOR UPDATE", [zone.pk]).rowcount
                == 1
            )
            yield zone

    def test_a_request_that_waits_too_long_is_given_up(
        self, api: Api, held: Zone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(middleware, "REQUEST", Limits(statement=30, lock=1, idle=60))

        response = api.patch(f"zones/{held.pk}", {"name": "South"})

        assert (response.status_code, response.json()["error"]["code"]) == (503, "dependency_unavailable")
        assert response.json()["error"]["message"].startswith("This took too long")
        assert response.headers["Retry-After"] == "5"

    def test_the_limits_end_with_the_transaction(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk, limits=JOB):
            inside = _limits()
            with tenant_context(tenant.pk, limits=Limits(1, 1, 1)):
                nested = _limits()
        outside = _limits()

        assert inside == nested == ("1h", "5min", "10min")
        assert outside == ("0", "0", "0")


def _limits() -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), "
            "current_setting('idle_in_transaction_session_timeout')"
        )
        row: tuple[str, ...] = cursor.fetchone()
    return row
