"""Pages, cursors, filters, ordering and search."""

import base64
from datetime import timedelta
from urllib.parse import quote, urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from hardware.models import (
    Olt,
    OnuStatus,
)
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from tests.api.records import MAKE
from tests.api.routes import Route, api_routes
from tests.factories import (
    OltFactory,
    OnuFactory,
    PonPortFactory,
)

pytestmark = pytest.mark.django_db

# A customer's own are asked for a customer, in tests/support/test_portal_api.py.
LISTS = [
    route
    for route in api_routes()
    if "get" in route.verbs
    and getattr(route.view, "model", None)
    and "{pk}" not in route.path
    and not route.path.startswith("me/")
]


def names(response) -> list[str]:
    return [row["name"] for row in response.json()["data"]]


def page_of(response) -> dict:
    page: dict = response.json()["meta"]["pagination"]
    return page


def follow(api, link: str):
    parts = urlsplit(link)
    return api.get(f"{parts.path.removeprefix('/api/v1/')}?{parts.query}")


def refusal(response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error.get("field", "")


def make_many(olt: Olt, count: int) -> None:
    """Insert ONUs by the thousand, with one creation time, as a bulk import does."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO hardware_onu (id, tenant_id, olt_id, index, serial, description, model, line_profile,
                                      service_profile, admin_state, signal, status, last_down_cause,
                                      first_seen_at, last_seen_at, created_at, updated_at)
            SELECT uuidv7(), %s, %s, '0/1/0/' || n, 'S' || n, '', '', '', '', '', 'none', 'online', '',
                   now(), now(), now(), now()
            FROM generate_series(1, %s) AS n
            """,
            [current_tenant_id(), olt.pk, count],
        )


class TestPages:
    def test_are_walked_by_next_and_previous(self, api, acting):
        for n in range(5):
            OltFactory(name=f"OLT-{n}")

        first = api.get("hardware/olts?page_size=2&ordering=name")
        second = follow(api, page_of(first)["next"])
        third = follow(api, page_of(second)["next"])

        assert [names(first), names(second), names(third)] == [
            ["OLT-0", "OLT-1"],
            ["OLT-2", "OLT-3"],
            ["OLT-4"],
        ]
        assert page_of(third)["next"] is None
        assert names(follow(api, page_of(third)["previous"])) == ["OLT-2", "OLT-3"]
        assert page_of(first)["previous"] is None
        assert {**page_of(second), "next": "", "previous": ""} == {
            "page": 2, "page_size": 2, "count": 2, "total": 5, "total_is_estimate": False, "pages": 3, "next": "",
            "previous": "",
        }  # fmt: skip

    def test_an_empty_list_is_one_empty_page(self, api):
        response = api.get("hardware/olts")

        assert response.json()["data"] == []
        assert (page_of(response)["total"], page_of(response)["pages"], page_of(response)["next"]) == (
            0,
            1,
            None,
        )

    def test_hold_fifty_by_default_and_two_hundred_at_most(self, api, acting):
        make_many(OltFactory(), 201)

        assert page_of(api.get("hardware/onus"))["count"] == 50
        assert page_of(api.get("hardware/onus?page_size=200"))["count"] == 200
        assert refusal(api.get("hardware/onus?page_size=201")) == (400, "malformed_request", "page_size")

    @pytest.mark.parametrize("name", ["page", "page_size"])
    @pytest.mark.parametrize("value", ["0", "-1", "1.5", "x", "٣", "1e3", " 1", "9" * 400, "0x10", "null"])
    def test_a_number_that_is_none_is_400(self, name, value, api):
        assert refusal(api.get(f"tasks?{name}={quote(value)}")) == (400, "malformed_request", name)

    def test_a_page_past_the_end_is_404(self, api):
        assert refusal(api.get("tasks?page=2"))[:2] == (404, "not_found")
        assert refusal(api.get("tasks?page=1000000&page_size=200"))[:2] == (404, "not_found")

    def test_do_not_overlap_when_rows_are_equal(self, api, acting):
        make_many(OltFactory(), 20)
        seen = []

        for number in range(1, 5):
            page = api.get(f"hardware/onus?ordering=created_at&page_size=5&page={number}").json()["data"]
            seen += [row["serial"] for row in page]

        assert sorted(seen) == sorted(f"S{n}" for n in range(1, 21))


class TestTotal:
    def test_is_exact_up_to_ten_thousand(self, api, acting):
        make_many(OltFactory(), 10_000)

        page = page_of(api.get("hardware/onus?page_size=1"))

        assert (page["total"], page["total_is_estimate"], page["pages"]) == (10_000, False, 10_000)

    def test_is_an_estimate_above_and_counted_when_asked(self, api, acting):
        make_many(OltFactory(), 10_001)

        estimated = page_of(api.get("hardware/onus?page_size=1"))
        exact = page_of(api.get("hardware/onus?page_size=1&total=exact"))

        assert estimated["total"] >= 10_001
        assert estimated["total_is_estimate"] is True
        assert (exact["total"], exact["total_is_estimate"]) == (10_001, False)

    def test_that_is_an_estimate_is_not_counted_anew_for_every_page(self, api, acting, query_count):
        make_many(OltFactory(), 10_001)

        first = query_count(api.get, "hardware/onus?page_size=1&status=online")
        second = query_count(api.get, "hardware/onus?page_size=1&status=online&page=2")
        filtered = page_of(api.get("hardware/onus?page_size=1&status=offline"))

        assert first - second == 2  # The bounded count, and the question to the planner.
        assert (filtered["total"], filtered["total_is_estimate"]) == (0, False)

    def test_of_what_one_page_shows_needs_no_count(self, api, acting, query_count):
        make_many(OltFactory(), 3)

        whole = query_count(api.get, "hardware/onus?page_size=3")
        part = query_count(api.get, "hardware/onus?page_size=2")

        assert part - whole == 1
        assert page_of(api.get("hardware/onus?page_size=2&page=2"))["total"] == 3

    def test_that_is_estimated_too_low_does_not_end_a_walk(self, api, acting):
        make_many(OltFactory(), 10_600)  # Nobody has analysed the table: the planner guesses.

        last_known = api.get("hardware/onus?page_size=200&page=51")

        assert page_of(last_known)["next"] is not None
        assert page_of(last_known)["pages"] >= 52
        assert page_of(follow(api, page_of(last_known)["next"]))["count"] == 200

    def test_can_only_be_exact(self, api):
        assert refusal(api.get("tasks?total=estimate")) == (400, "malformed_request", "total")


class TestCursor:
    def test_gives_each_row_once_both_ways(self, api, acting):
        make_many(OltFactory(), 1205)
        response = api.get("hardware/onus?cursor=&page_size=200")
        forward = [response]

        while page_of(forward[-1])["next"]:
            forward.append(follow(api, page_of(forward[-1])["next"]))
        back = [forward[-1]]
        while page_of(back[-1])["previous"]:
            back.append(follow(api, page_of(back[-1])["previous"]))

        seen = [row["id"] for each in forward for row in each.json()["data"]]
        assert len(forward) == 7
        assert len(seen) == len(set(seen)) == 1205
        assert seen == sorted(seen, reverse=True)
        assert {row["id"] for each in back for row in each.json()["data"]} == set(seen)

    def test_is_not_moved_by_new_rows(self, api, acting):
        olt = OltFactory()
        make_many(olt, 4)
        first = api.get("hardware/onus?cursor=&page_size=2")

        OnuFactory(olt=olt)
        second = follow(api, page_of(first)["next"])

        rows = first.json()["data"] + second.json()["data"]
        assert sorted(row["serial"] for row in rows) == ["S1", "S2", "S3", "S4"]

    def test_keeps_the_filter(self, api, acting):
        olt = OltFactory()
        make_many(olt, 3)
        OnuFactory(olt=olt, status=OnuStatus.OFFLINE)

        first = api.get("hardware/onus?cursor=&page_size=2&status=online")

        assert [row["status"] for row in follow(api, page_of(first)["next"]).json()["data"]] == ["online"]

    @pytest.mark.parametrize(
        "cursor",
        ["x", "%00", "9" * 500, "é", *(base64.b64encode(text).decode() for text in (
            b"p=1", b"p=%00", b"p=x", b"r=1&p=2026-01-01", b"o=-5&p=x", b"\xff\xfe", b"p=",
        ))],
    )  # fmt: skip
    def test_that_we_never_gave_is_400(self, cursor, api, acting):
        OltFactory()

        assert refusal(api.get(f"hardware/olts?cursor={quote(cursor, safe='%')}")) == (
            400, "malformed_request", "cursor",
        )  # fmt: skip

    @pytest.mark.parametrize("other", ["page=1", "total=exact", "ordering=name"])
    def test_does_not_go_with_what_it_would_ignore(self, other, api):
        name = other.partition("=")[0]

        assert refusal(api.get(f"hardware/olts?cursor=&{other}")) == (400, "malformed_request", name)

    def test_costs_the_same_at_any_depth(self, api, acting, query_count):
        make_many(OltFactory(), 10)

        first = api.get("hardware/onus?cursor=&page_size=2")
        deep = follow(api, page_of(follow(api, page_of(first)["next"]))["next"])

        assert query_count(follow, api, page_of(first)["next"]) == query_count(
            follow, api, page_of(deep)["next"]
        )


class TestOrdering:
    def test_by_a_field_up_and_down(self, api, acting):
        for name in ("b", "a", "c"):
            OltFactory(name=name)

        assert names(api.get("hardware/olts?ordering=name")) == ["a", "b", "c"]
        assert names(api.get("hardware/olts?ordering=-name")) == ["c", "b", "a"]

    def test_by_several_fields(self, api, acting):
        moment = timezone.now()
        for name, minutes in (("a", 1), ("b", 2), ("c", 1)):
            olt = OltFactory(name=name)
            Olt.objects.filter(pk=olt.pk).update(last_answer_at=moment + timedelta(minutes=minutes))

        assert names(api.get("hardware/olts?ordering=-last_answer_at,-name")) == ["b", "c", "a"]

    def test_is_newest_first_by_default(self, api, acting):
        for name in ("old", "new"):
            OltFactory(name=name)

        assert names(api.get("hardware/olts")) == ["new", "old"]

    @pytest.mark.parametrize(
        "ordering", ["community", "nmae", "tenant__name", "--name", "name,", "name,nmae", "?", "id;drop", "-"]
    )
    def test_by_what_is_no_field_is_400(self, ordering, api):
        assert refusal(api.get(f"hardware/olts?ordering={quote(ordering)}")) == (
            400, "unknown_parameter", "ordering",
        )  # fmt: skip


class TestFilters:
    @pytest.fixture(autouse=True)
    def olts(self, acting):
        for name, site, ip in (
            ("Jane 1", "Hill", "192.0.2.1"),
            ("Jane 2", "Town", "2001:db8::1"),
            ("jane", "", "192.0.2.3"),
        ):
            OltFactory(name=name, site=site, ip=ip)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("name=Jane 1", ["Jane 1"]),
            ("name=Jane*", ["Jane 1", "Jane 2"]),
            ("name=*", ["Jane 1", "Jane 2", "jane"]),
            ("site=*", ["Jane 1", "Jane 2", "jane"]),
            ("site=H*", ["Jane 1"]),
            ("name=Jan*1", []),
            ("name=J_ne*", []),
            ("name=J%25*", []),
            ("name=Jane**", []),
            ("site=Hill&name=Jane*", ["Jane 1"]),
            ("ip=192.0.2.3", ["jane"]),
            ("ip=2001:DB8:0::1", ["Jane 2"]),
            ("vendor=ufiber", []),
            ("created_at__gte=2000-01-01T00:00:00Z", ["Jane 1", "Jane 2", "jane"]),
            ("created_at__lte=2000-01-01", []),
            ("created_at__gte=2000-01-01T00:00:00%2B02:00&name=jane", ["jane"]),
            ("created_at__gte=2000-01-01T00:00:00-22:24&name=jane", ["jane"]),
            ("search=jan", ["Jane 1", "Jane 2", "jane"]),
            ("search=jane hill", ["Jane 1"]),
            ("search=%25", []),
        ],
    )
    def test_narrow_the_list(self, query, found, api):
        assert names(api.get(f"hardware/olts?ordering=name&{quote(query, safe='=&%*')}")) == found

    @pytest.mark.parametrize(
        "query",
        [
            "ip=192.0.2", "ip=x", "ip=192.0.2.*", "vendor=nobody", "created_at__gte=yesterday",
            "created_at__lte=99999-01-01", "created_at__lte=0001-01-01T00:00:00+10:00",
            "created_at__gte=2000-01-01T00:00:00 02:00",
        ],
    )  # fmt: skip
    def test_refuse_a_value_that_is_none(self, query, api):
        response = api.get(f"hardware/olts?{quote(query, safe='=')}")

        assert refusal(response) == (422, "validation_error", query.partition("=")[0])

    @pytest.mark.parametrize("path", ["api-keys?is_revoked", "ipam/cgnat-rules?valid_until__isnull"])
    @pytest.mark.parametrize("value", ["AAA", "1", "True"])
    def test_refuse_what_is_neither_true_nor_false(self, path, value, api):
        assert refusal(api.get(f"{path}={value}")) == (422, "validation_error", path.partition("?")[2])

    @pytest.mark.parametrize("query", ["down_kbps__lte=0.5", "down_kbps__gte=x", "down_kbps__gte=1e3"])
    def test_refuse_a_number_that_is_not_whole(self, query, api):
        assert refusal(api.get(f"internet-plans?{query}")) == (
            422, "validation_error", query.partition("=")[0],
        )  # fmt: skip

    @pytest.mark.parametrize("moment", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"])
    def test_bear_the_ends_of_time(self, moment, api):
        assert api.get(f"hardware/olts?created_at__gte={moment}").status_code in (200, 422)

    def test_by_yes_or_no(self, api):
        olt = Olt.objects.first()
        for index, is_up in (("0/1/0", True), ("0/1/1", False), ("0/1/2", None)):
            PonPortFactory(olt=olt, index=index, is_up=is_up)

        assert [row["index"] for row in api.get("hardware/pon-ports?is_up=true").json()["data"]] == ["0/1/0"]
        assert [row["index"] for row in api.get("hardware/pon-ports?is_up=false").json()["data"]] == ["0/1/1"]
        for value in ("1", "yes", "maybe", "True"):
            assert refusal(api.get(f"hardware/pon-ports?is_up={value}")) == (422, "validation_error", "is_up")

    def test_by_number_and_related_record(self, api):
        olt, other = Olt.objects.all()[:2]
        for power in (-30.0, -20.0, None):
            OnuFactory(olt=olt, rx_power_dbm=power)
        OnuFactory(olt=other)

        weak = api.get(f"hardware/onus?olt_id={olt.pk}&rx_power_dbm__lte=-25").json()["data"]

        assert [row["rx_power_dbm"] for row in weak] == [-30.0]
        assert page_of(api.get(f"hardware/onus?olt_id={olt.pk}"))["total"] == 3
        for value in ("x", "NaN", "Infinity"):
            assert refusal(api.get(f"hardware/onus?rx_power_dbm__lte={value}"))[:2] == (
                422,
                "validation_error",
            )
        assert api.get("hardware/onus?rx_power_dbm__lte=1e400").status_code in (200, 422)

    def test_tasks_by_kind(self, api):
        for kind in ("hardware.discover_olt", "billing.run"):
            Job.objects.create(kind=kind)

        assert [row["kind"] for row in api.get("tasks?kind=hardware.*").json()["data"]] == [
            "hardware.discover_olt"
        ]


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_every_list_costs_the_same_for_one_row_or_six(route: Route, api, acting, query_count):
    MAKE[route.view.model]()
    api.get(route.path)
    one = query_count(api.get, route.path)

    for _ in range(5):
        MAKE[route.view.model]()

    assert query_count(api.get, route.path) == one
    assert page_of(api.get(route.path))["total"] == 6


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_every_list_orders_by_each_of_its_fields(route: Route, api, acting):
    MAKE[route.view.model]()

    for name in route.view.ordering_fields:
        assert api.get(f"{route.path}?ordering={name}").status_code == 200
        assert api.get(f"{route.path}?ordering=-{name}").status_code == 200
