"""Saved lists: a list's filters under a name, for oneself or for all colleagues."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Segment
from subscribers.services import segments
from tests.admin.conftest import browser_of
from tests.admin.test_customers import text_of
from tests.factories import SubscriberFactory

pytestmark = pytest.mark.django_db

PEOPLE = "/admin/subscribers/subscriber/"
LINES = "/admin/subscribers/subscription/"


@pytest.fixture
def colleague(make_user: Callable[..., User], tenant: Tenant) -> User:
    return make_user("colleague", {tenant: Role.STAFF_MEMBER})


def keep(browser: Client, query: str, name: str, listing: str = PEOPLE, **more: str) -> Any:
    return browser.post(f"{listing}saved/?{query}", {"name": name, **more}, follow=True)


class TestSaving:
    def test_keeps_only_what_the_list_understands(
        self, browser: Client, acting: Tenant, admin_user: User
    ) -> None:
        SubscriberFactory(tags=["vip"])

        page = keep(browser, "tag=vip&status__exact=active&p=3&evil=1&password__startswith=a&q=ana", "VIPs")

        kept = Segment.objects.get()
        assert (kept.name, kept.of, kept.user_id, kept.is_shared) == (
            "VIPs", "subscribers", admin_user.pk, False,
        )  # fmt: skip
        assert kept.query == "q=ana&status__exact=active&tag=vip"
        assert page.request["QUERY_STRING"] == kept.query
        assert '<a class="isp-chip"' in page.content.decode()

    def test_of_services_too(self, browser: Client, acting: Tenant) -> None:
        keep(browser, "hold=abuse&status__exact=suspended", "Abuse", listing=LINES)

        assert Segment.objects.get().query == "hold=abuse&status__exact=suspended"
        assert Segment.objects.get().of == "services"

    @pytest.mark.parametrize(
        ("query", "name", "said"),
        [
            ("", "Everything", "choose a filter or search for something first"),
            ("evil=1", "Nothing known", "choose a filter or search for something first"),
            ("q=ana", "Taken", "You have saved a list called Taken already."),
            ("q=ana", "", "This field is required."),
        ],
    )
    def test_is_refused_in_words(
        self, browser: Client, acting: Tenant, admin_user: User, query: str, name: str, said: str
    ) -> None:
        segments.save_segment(of="subscribers", name="Taken", query="q=x", user_id=admin_user.pk)

        page = keep(browser, query, name)

        assert said in text_of(page.content)
        assert Segment.objects.count() == 1

    def test_a_name_is_anothers_to_use_too(self, browser: Client, acting: Tenant, colleague: User) -> None:
        segments.save_segment(of="subscribers", name="Mine", query="q=x", user_id=colleague.pk)

        keep(browser, "q=ana", "Mine")

        assert Segment.objects.filter(name="Mine").count() == 2

    def test_is_asked_as_a_dialog(self, browser: Client, acting: Tenant) -> None:
        answer = browser.get(f"{PEOPLE}saved/?q=ana", headers={"HX-Request": "true"})

        assert answer.content.lstrip().startswith(b'<div id="dialog" role="dialog"')
        assert b"Share with colleagues" in answer.content


class TestAboveTheList:
    def test_shows_own_and_shared_ones_and_marks_the_open_one(
        self, browser: Client, acting: Tenant, admin_user: User, colleague: User
    ) -> None:
        for name, user, is_shared in (
            ("Own", admin_user, False),
            ("Shared", colleague, True),
            ("X", colleague, False),
        ):
            segments.save_segment(
                of="subscribers", name=name, query=f"q={name.lower()}", user_id=user.pk, is_shared=is_shared
            )

        shown = browser.get(PEOPLE, {"q": "shared"}).context["segments"]

        assert [(row["name"], row["is_active"]) for row in shown["rows"]] == [
            ("Own", False),
            ("Shared", True),
        ]
        assert shown["save_url"] == ""
        assert browser.get(PEOPLE, {"q": "other"}).context["segments"]["save_url"].endswith("?q=other")
        assert browser.get(LINES).context["segments"]["rows"] == []

    def test_one_whose_tag_or_zone_is_gone_shows_nothing_and_says_so(
        self, browser: Client, acting: Tenant, admin_user: User
    ) -> None:
        SubscriberFactory()
        gone = "019a0000-0000-7000-8000-000000000000"
        for listing, query in (
            (PEOPLE, f"tag=gone&zone={gone}"),
            (LINES, f"plan__id__exact={gone}"),
            (LINES, "plan__id__exact=nonsense"),
        ):
            answer = browser.get(f"{listing}?{query}", follow=True)

            assert answer.status_code == 200

    def test_costs_the_same_for_one_or_six(
        self, browser: Client, acting: Tenant, admin_user: User, query_count: Callable[..., int]
    ) -> None:
        segments.save_segment(of="subscribers", name="0", query="q=a", user_id=admin_user.pk)
        browser.get(PEOPLE)
        one = query_count(browser.get, PEOPLE)

        for n in range(1, 6):
            segments.save_segment(of="subscribers", name=str(n), query="q=a", user_id=admin_user.pk)

        assert query_count(browser.get, PEOPLE) == one


class TestChanging:
    @pytest.fixture
    def shared(self, acting: Tenant, colleague: User) -> Segment:
        return segments.save_segment(
            of="subscribers", name="Shared", query="q=a", user_id=colleague.pk, is_shared=True
        )

    @pytest.fixture
    def private(self, acting: Tenant, colleague: User) -> Segment:
        return segments.save_segment(of="subscribers", name="Private", query="q=a", user_id=colleague.pk)

    def test_ones_own_is_renamed_and_no_longer_shared(self, shared: Segment, colleague: User) -> None:
        browser_of(colleague).post(f"{PEOPLE}saved/{shared.pk}/", {"name": "Mine alone"})

        shared.refresh_from_db()
        assert (shared.name, shared.is_shared) == ("Mine alone", False)

    def test_anothers_is_not_renamed(self, browser: Client, shared: Segment) -> None:
        page = browser.post(f"{PEOPLE}saved/{shared.pk}/", {"name": "Taken over"})

        shared.refresh_from_db()
        assert "was saved by" in text_of(page.content)
        assert shared.name == "Shared"

    def test_a_shared_one_is_removed_by_an_administrator_and_by_nobody_else(
        self, browser: Client, browser_as: Callable[[Role], Client], shared: Segment
    ) -> None:
        browser_as(Role.SUBSCRIBER_ADMINISTRATOR).post(f"{PEOPLE}saved/{shared.pk}/remove/")
        assert Segment.objects.filter(pk=shared.pk).exists()

        browser.post(f"{PEOPLE}saved/{shared.pk}/remove/")

        assert not Segment.objects.filter(pk=shared.pk).exists()

    def test_anothers_own_one_does_not_exist(self, browser: Client, private: Segment) -> None:
        answers = [
            browser.get(f"{PEOPLE}saved/{private.pk}/"),
            browser.post(f"{PEOPLE}saved/{private.pk}/remove/"),
        ]

        assert [answer.status_code for answer in answers] == [404, 404]
        assert Segment.objects.filter(pk=private.pk).exists()

    def test_removing_is_asked_back(self, shared: Segment, colleague: User) -> None:
        page = browser_of(colleague).get(f"{PEOPLE}saved/{shared.pk}/remove/")

        assert "no record is touched" in text_of(page.content)
        assert Segment.objects.filter(pk=shared.pk).exists()

    def test_another_tenants_does_not_exist(
        self, browser: Client, other_tenant: Tenant, make_user: Callable[..., User]
    ) -> None:
        stranger = make_user("stranger", {other_tenant: Role.ADMINISTRATOR})
        with tenant_context(other_tenant.pk):
            foreign = segments.save_segment(
                of="subscribers", name="Theirs", query="q=a", user_id=stranger.pk, is_shared=True
            )

        answer = browser.post(f"{PEOPLE}saved/{foreign.pk}/remove/")

        assert answer.status_code == 404
        assert b"Theirs" not in browser.get(PEOPLE).content
        with tenant_context(other_tenant.pk):
            assert Segment.objects.filter(pk=foreign.pk).exists()

    def test_nobody_without_the_list_saves_one(
        self, browser_as: Callable[[Role], Client], acting: Tenant
    ) -> None:
        answer = browser_as(Role.CUSTOMER).post(f"{PEOPLE}saved/?q=a", {"name": "X"})

        assert answer.status_code in (302, 403)
        assert not Segment.objects.exists()
