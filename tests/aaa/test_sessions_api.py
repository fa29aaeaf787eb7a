"""Who is online, who was, and who tried."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from aaa.models import AuthAttempt, PastSession, Policy, Session
from ispcore.tenants.context import tenant_context
from ispcore.tenants.fields import new_id
from tests.aaa.online import make_account, make_nas, make_session
from tests.client import Api
from tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(admin_user: Any) -> Api:
    return Api(admin_user)


def past(account: Any, nas: Any, name: str, stopped_at: datetime, **fields: Any) -> PastSession:
    session: PastSession = PastSession.objects.create(
        unique_key=new_id(), acct_session_id=name, username=account.username, account_id=account.pk, nas=nas,
        started_at=stopped_at - timedelta(hours=1), stopped_at=stopped_at, last_event_at=stopped_at,
        last_seen_at=stopped_at, counted_at=stopped_at, ended_by="stop", **fields,
    )  # fmt: skip
    return session


def ids(response: Any) -> list[str]:
    return [row["acct_session_id"] for row in response.json()["data"]]


def follow(api: Any, link: str) -> Any:
    parts = urlsplit(link)
    return api.get(f"{parts.path.removeprefix('/api/v1/')}?{parts.query}")


class TestOpenSessions:
    @pytest.fixture
    def both(self, acting: Any) -> Any:
        line = SubscriptionFactory()
        jane = make_account("jane", Policy.objects.create(name="A"), subscription=line)
        joe = make_account("Joe", Policy.objects.create(name="B"))
        nas = make_nas(None)
        make_session(nas, jane, "jane", framed_ip="100.64.0.1", delegated_prefix="2001:db8:1::/56")
        make_session(make_nas(None), joe, "joe", framed_ip="100.64.0.2", context="throttled")
        make_session(nas, None, "over", stopped_at=timezone.now(), ended_by="stop")
        return {"line": line, "jane": jane, "nas": nas}

    def test_are_narrowed(self, api: Any, both: Any) -> None:
        for query, found in (
            ("", ["joe", "jane"]),
            (f"nas_id={both['nas'].pk}", ["jane"]),
            (f"policy_id={both['jane'].policy_id}", ["jane"]),
            (f"account_id={both['jane'].pk}", ["jane"]),
            (f"service_id={both['line'].pk}", ["jane"]),
            ("address=100.64.0.2", ["joe"]),
            ("address=2001:DB8:1:0::/56", ["jane"]),
            ("username=JO*", ["joe"]),
            ("username=JANE", ["jane"]),
            ("context=throttled", ["joe"]),
            ("history=false", ["joe", "jane"]),
        ):
            assert ids(api.get(f"aaa/sessions?{query}")) == found, query

    def test_tell_what_they_have_used_and_whether_they_are_as_wanted(self, api: Any, acting: Any) -> None:
        account = make_account("jane")
        make_session(
            make_nas(None), account, "a", applied=account.wanted, in4_bytes=1, in6_bytes=2, out4_bytes=4
        )
        make_session(make_nas(None), account, "b", applied="active:other.0.-.x")

        rows = {row["acct_session_id"]: row for row in api.get("aaa/sessions").json()["data"]}

        assert (rows["a"]["input_octets"], rows["a"]["output_octets"], rows["a"]["ipv6_input_octets"]) == (
            3,
            4,
            2,
        )
        assert (rows["a"]["is_as_wanted"], rows["b"]["is_as_wanted"]) == (True, False)

    def test_are_walked_by_cursor(self, api: Any, acting: Any) -> None:
        account, nas = make_account("jane"), make_nas(None)
        for n in range(5):
            make_session(nas, account, f"s{n}")

        first = api.get("aaa/sessions?cursor=&page_size=3")
        second = follow(api, first.json()["meta"]["pagination"]["next"])

        assert ids(first) + ids(second) == ["s4", "s3", "s2", "s1", "s0"]

    def test_refuse_odd_values(self, api: Any, acting: Any) -> None:
        for query, status in (
            ("history=maybe", 422), ("nas_id=x", 422), ("address=x", 422), ("context=gone", 422),
            ("history=true&page=1", 400), ("history=true&cursor=x", 400), ("history=true&page_size=0", 400),
            ("history=true&nas_id=x", 422), ("nas=x", 400),
        ):  # fmt: skip
            assert api.get(f"aaa/sessions?{query}").status_code == status, query


class TestHistory:
    def test_merges_what_just_ended_with_the_past_newest_end_first(self, api: Any, acting: Any) -> None:
        account, nas, now = make_account("jane"), make_nas(None), timezone.now()
        past(account, nas, "long ago", now - timedelta(days=3))
        make_session(nas, account, "just now", stopped_at=now, ended_by="stop")
        past(account, nas, "earlier", now - timedelta(hours=1))
        make_session(nas, account, "late", stopped_at=now - timedelta(hours=2), ended_by="stale")
        make_session(nas, account, "open")

        whole = api.get("aaa/sessions?history=true")
        first = api.get("aaa/sessions?history=true&page_size=3&cursor=")
        second = follow(api, first.json()["meta"]["pagination"]["next"])

        assert ids(whole) == ["just now", "earlier", "late", "long ago"]
        assert ids(first) + ids(second) == ids(whole)
        assert second.json()["meta"]["pagination"]["next"] is None
        assert whole.json()["data"][2]["is_as_wanted"] is None

    def test_goes_on_where_ends_are_equal(self, api: Any, acting: Any) -> None:
        account, nas, now = make_account("jane"), make_nas(None), timezone.now()
        for n in range(5):
            past(account, nas, f"s{n}", now)

        page, seen = api.get("aaa/sessions?history=true&page_size=2"), []
        while True:
            seen += ids(page)
            link = page.json()["meta"]["pagination"]["next"]
            if link is None:
                break
            page = follow(api, link)

        assert sorted(seen) == [f"s{n}" for n in range(5)]

    def test_is_narrowed(self, api: Any, acting: Any) -> None:
        jane, joe, nas, now = make_account("jane"), make_account("joe"), make_nas(None), timezone.now()
        past(jane, nas, "hers", now - timedelta(hours=1), framed_ip="100.64.0.1")
        past(joe, nas, "his", now)

        assert ids(api.get(f"aaa/sessions?history=true&account_id={jane.pk}")) == ["hers"]
        assert ids(api.get("aaa/sessions?history=true&address=100.64.0.1")) == ["hers"]
        assert ids(api.get("aaa/sessions?history=true&username=jo*")) == ["his"]

    def test_costs_the_same_for_one_row_or_six(self, api: Any, acting: Any, query_count: Any) -> None:
        account, nas, now = make_account("jane"), make_nas(None), timezone.now()
        past(account, nas, "s", now)
        api.get("aaa/sessions?history=true")
        one = query_count(api.get, "aaa/sessions?history=true")
        for n in range(5):
            past(account, nas, f"s{n}", now)

        assert query_count(api.get, "aaa/sessions?history=true") == one


class TestAttempts:
    @pytest.fixture
    def tried(self, acting: Any) -> Any:
        nas, now = make_nas(None), timezone.now()
        for n, (name, accepted, reason) in enumerate(
            (("Jane", True, ""), ("jane", False, "password"), ("joe", False, "quota"))
        ):
            at = now + timedelta(seconds=n)
            AuthAttempt.objects.create(
                at=at,
                last_at=at,
                nas=nas,
                username=name,
                username_key=name.lower(),
                accepted=accepted,
                reason=reason,
            )
        return nas

    def test_are_listed_newest_first_with_reasons_in_words(self, api: Any, tried: Any) -> None:
        rows = api.get("aaa/auth-attempts").json()["data"]

        assert [(row["username"], row["message"]) for row in rows] == [
            ("joe", "Data used up"), ("jane", "Wrong password"), ("Jane", ""),
        ]  # fmt: skip
        assert rows[0]["nas_name"] == tried.name

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("username=JANE", 2), ("username=j*", 3), ("accepted=true", 1), ("reason=quota", 1),
            ("at__gte=2000-01-01T00:00:00Z", 3), ("at__lte=2000-01-01T00:00:00Z", 0),
        ],
    )  # fmt: skip
    def test_are_narrowed(self, query: str, count: int, api: Any, tried: Any) -> None:
        assert len(api.get(f"aaa/auth-attempts?{query}").json()["data"]) == count

    def test_are_walked_by_cursor_at_a_constant_cost(self, api: Any, tried: Any, query_count: Any) -> None:
        first = api.get("aaa/auth-attempts?page_size=2")
        second = follow(api, first.json()["meta"]["pagination"]["next"])

        assert [row["username"] for row in second.json()["data"]] == ["Jane"]
        assert query_count(api.get, "aaa/auth-attempts?page_size=1") == query_count(
            api.get, "aaa/auth-attempts"
        )

    def test_of_another_tenant_are_not_shown(self, api: Any, tried: Any, other_tenant: Any) -> None:
        with tenant_context(other_tenant.pk):
            now = timezone.now()
            AuthAttempt.objects.create(at=now, last_at=now, username="x", username_key="x", accepted=True)
            make_session(
                make_nas(None, address="198.51.100.200"),
                make_account("x"),
                "theirs",
                stopped_at=now,
                ended_by="stop",
            )

        assert len(api.get("aaa/auth-attempts").json()["data"]) == 3
        assert ids(api.get("aaa/sessions?history=true")) == []

    def test_refuse_odd_values(self, api: Any, tried: Any) -> None:
        for query, status in (
            ("accepted=1", 422), ("reason=mood", 422), ("cursor=x", 400), ("page=2", 400), ("page_size=201", 400),
        ):  # fmt: skip
            assert api.get(f"aaa/auth-attempts?{query}").status_code == status, query


def test_a_page_reads_no_more_with_many_open_sessions(api: Any, acting: Any) -> None:
    """The list is served by its index in order: no sort, no reading of what is not shown."""
    from django.db import connection

    from ispcore.tenants.context import current_tenant_id

    nas = make_nas(None)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO aaa_session (id, tenant_id, nas_id, unique_key, acct_session_id, username, station, station_key,
                called, nas_port_id, started_at, last_event_at, last_seen_at, counted_at, session_seconds, in4_bytes,
                out4_bytes, in6_bytes, out6_bytes, terminate_cause, ended_by, context, applied, counted_seconds,
                last_in, last_out, last_in6, last_out6, total_in, total_out)
            SELECT uuidv7(), %s, %s, uuidv7(), 's' || n, 'u' || n, '', '', '', '', now() - n * interval '1 second',
                   now(), now(), now(), 0, 0, 0, 0, 0, '', '', 'active', '', 0, 0, 0, 0, 0, 0, 0
            FROM generate_series(1, 5000) AS n
            """,
            [current_tenant_id(), nas.pk],
        )
        cursor.execute("ANALYZE aaa_session")
        rows = Session.objects.filter(stopped_at=None).order_by("-started_at", "-id")[:51]
        plan = rows.explain()

    assert "session_open_newest" in plan
    assert "Sort" not in plan
    assert len(api.get("aaa/sessions").json()["data"]) == 50
