"""The feed of events: all of them, once, whatever commits late."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from ispcore.events import services
from ispcore.events.api.feed import _write_cursor
from ispcore.events.models import Event
from ispcore.events.services import feed, keeping
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from tests.events.hooked import OLT

pytestmark = pytest.mark.django_db(transaction=True)


def happen(tenant: Tenant, *numbers: int, name: str = OLT) -> None:
    for number in numbers:
        with tenant_context(tenant.pk):
            services.publish(name, olt_id=str(number))


def shown(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [int(each["data"]["olt_id"]) for each in answer.json()["data"]]


def cursor_of(answer: Any) -> str:
    return str(answer.json()["meta"]["pagination"]["cursor"])


def test_gives_everything_once_oldest_first(api, tenant, other_tenant):
    happen(other_tenant, 99)
    happen(tenant, *range(5))

    first = api.get("events?limit=2")
    second = api.get(f"events?limit=2&cursor={cursor_of(first)}")
    third = api.get(f"events?limit=2&cursor={cursor_of(second)}")
    happen(tenant, 5)
    fourth = api.get(f"events?limit=2&cursor={cursor_of(third)}")

    assert [shown(each) for each in (first, second, third, fourth)] == [[0, 1], [2, 3], [4], [5]]
    nexts = [each.json()["meta"]["pagination"]["next"] for each in (first, second, third, fourth)]
    assert [bool(each) for each in nexts] == [True, True, False, False]
    assert shown(api.get(f"events?limit=2&cursor={cursor_of(first)}")) == [2, 3]
    assert shown(api.get("events?cursor=")) == list(range(6))
    assert shown(api.get(f"events?cursor={cursor_of(fourth)}")) == []


def test_shows_what_a_webhook_would_be_sent(api, tenant):
    happen(tenant, 1)

    (shown_,) = api.get("events").json()["data"]

    with tenant_context(tenant.pk):
        event = Event.objects.get()
    at = event.created_at.isoformat().replace("+00:00", "Z")
    assert shown_ == {"id": str(event.pk), "type": OLT, "timestamp": at, "data": {"olt_id": "1"}}


def test_what_is_committed_late_is_not_passed_over(tenant):
    began, may_end = threading.Event(), threading.Event()

    def be_slow() -> None:
        with tenant_context(tenant.pk):
            services.publish(OLT, olt_id="1")
            began.set()
            may_end.wait(30)
        connection.close()

    slow = threading.Thread(target=be_slow)
    slow.start()
    began.wait(30)
    happen(tenant, 2)
    with tenant_context(tenant.pk):
        early = feed.read(position=feed.Position(), limit=10)
    may_end.set()
    slow.join()
    with tenant_context(tenant.pk):
        late = feed.read(position=early.end, limit=10)

    assert early.events == []
    assert [each["data"]["olt_id"] for each in late.events] == ["1", "2"]


def test_by_type_and_time(api, tenant, monkeypatch):
    happen(tenant, 1, 2)
    happen(tenant, 3, name="billing.run_issued")
    happen(tenant, 4)
    happen(tenant, 5, name="billing.run_planned")
    with tenant_context(tenant.pk):
        Event.objects.filter(payload__olt_id="3").update(created_at=timezone.now() - timedelta(days=2))
    since = (timezone.now() - timedelta(days=1)).isoformat().replace("+00:00", "Z")

    assert shown(api.get(f"events?type={OLT}")) == [1, 2, 4]
    assert shown(api.get("events?type=billing.*")) == [3, 5]
    assert shown(api.get(f"events?since={since}")) == [1, 2, 4, 5]
    assert shown(api.get(f"events?since={since}&type=billing.*")) == [5]
    part = api.get("events?type=billing.*&limit=1")
    assert shown(part) == [3]
    follow = part.json()["meta"]["pagination"]["next"].partition("/api/v1/")[2]
    assert shown(api.get(follow)) == [5]


def test_one_call_looks_at_so_many_events_and_goes_on_behind_them(tenant, monkeypatch):
    monkeypatch.setattr(feed, "MOST_LOOKED_AT", 3)
    happen(tenant, *range(7))
    happen(tenant, 7, name="billing.run_issued")
    position, found, calls = feed.Position(), [], 0
    while True:
        with tenant_context(tenant.pk):
            part = feed.read(position=position, limit=10, names=["billing.run_issued"])
        position, calls = part.end, calls + 1
        found += [each["data"]["olt_id"] for each in part.events]
        if not part.has_more:
            break

    assert (found, calls) == (["7"], 3)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("cursor=nonsense", 400, "malformed_request"),
        ("limit=0", 400, "malformed_request"),
        ("limit=1001", 400, "malformed_request"),
        ("limit=ten", 400, "malformed_request"),
        ("type=billing.nothing", 422, "validation_error"),
        ("since=yesterday", 400, "malformed_request"),
        ("page=2", 400, "unknown_parameter"),
    ],
)
def test_refuses_what_it_does_not_know(api, query, status, code):
    answer = api.get(f"events?{query}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_anothers_cursor_is_none(api, tenant, other_tenant, make_user):
    from tests.client import Api

    theirs = Api(make_user("their", {other_tenant: Role.ADMINISTRATOR}))
    happen(other_tenant, 1)

    assert api.get(f"events?cursor={cursor_of(theirs.get('events'))}").status_code == 400


def test_a_cursor_this_server_has_not_come_to_is_none(api, tenant):
    happen(tenant, 1)
    with tenant_context(tenant.pk):
        before_a_restore = _write_cursor(feed.Position(9_000_000_000))

    answer = api.get(f"events?cursor={before_a_restore}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_request")
    assert shown(api.get("events?cursor=")) == [1]


def test_costs_the_same_for_one_or_six(api, tenant, query_count):
    happen(tenant, 1)
    one = query_count(api.get, "events")
    happen(tenant, *range(5))

    assert query_count(api.get, "events") == one


def test_the_catalogue_is_listed(api):
    listed = {each["type"]: each for each in api.get("event-types").json()["data"]}

    assert listed["billing.invoice_issued"]["description"] == "An invoice was issued."
    data = listed["billing.invoice_issued"]["schema"]["properties"]["data"]
    assert data["required"] == ["invoice_id", "subscriber_id"]


def test_events_are_kept_for_ninety_days(tenant):
    happen(tenant, 1)
    now = timezone.now()
    with tenant_context(tenant.pk):
        assert keeping.forget_events(at=now + timedelta(days=91)) == 0  # Nobody was told of it yet.
        services.relay_tenant()
        assert keeping.forget_events(at=now + timedelta(days=89)) == 0
        assert keeping.forget_events(at=now + timedelta(days=91)) == 1
        assert not Event.objects.exists()
