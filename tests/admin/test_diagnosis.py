"""The page of a diagnosis: who sees it, what leads to it, what it says and where its buttons lead."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from aaa.models import Account, Session
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Subscription
from support.admin.diagnosis import ASKED_AT, BEGUN_AT, OPENED_AT, url_of
from support.services.diagnosis import Action, ActionCode
from tests.admin.browsing import logged_in
from tests.admin.test_hardware_pages import text_of
from tests.support.causes import not_paid, onu_without_power, outage_confirmed, said
from tests.support.homes import Home, make_home


@pytest.fixture
def home(tenant: Tenant) -> Home:
    with tenant_context(tenant.pk):
        return make_home()


def page_of(line: Subscription) -> str:
    return reverse("admin:subscribers_subscription_page", args=[line.pk, "diagnosis"])


@pytest.mark.django_db
class TestPage:
    def test_says_the_verdict_and_what_helps(self, browser: Client, home: Home, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            onu_without_power(home)

        page = browser.get(page_of(home.line))

        content = page.content.decode()
        words = text_of(page.content)
        assert page.status_code == 200
        assert f"The ONU is without power since {said(home.ago(minutes=30))}." in words
        assert words.count("The cause") == 1
        read_now = reverse("admin:hardware_onu_action", args=[home.onu.pk, "read_now"])
        assert f'href="{read_now}?{urlencode({"next": page_of(home.line)})}"' in content
        assert "onu_no_power" not in words

    def test_is_led_to_by_the_customers_page_and_the_services(self, browser: Client, home: Home) -> None:
        pages = [
            browser.get(reverse("admin:subscribers_subscriber_change", args=[home.line.subscriber_id])),
            browser.get(reverse("admin:subscribers_subscription_change", args=[home.line.pk])),
        ]

        assert [f'href="{page_of(home.line)}"' in page.content.decode() for page in pages] == [True, True]

    def test_the_customers_page_has_the_lines_lights(
        self, browser: Client, home: Home, tenant: Tenant
    ) -> None:
        url = reverse("admin:subscribers_subscriber_change", args=[home.line.subscriber_id])

        well = text_of(browser.get(url).content)
        with tenant_context(tenant.pk):
            home.change_onu(rx_power_dbm=-27.9, signal="critical")
            Session.objects.update(context="blocked")
        weak = text_of(browser.get(url).content)
        with tenant_context(tenant.pk):
            onu_without_power(home)
        dark = text_of(browser.get(url).content)

        assert "Online ONU online" in well
        assert "In the walled garden ONU light: critical" in weak
        assert "No session ONU offline: power failure (dying gasp)" in dark

    def test_offers_what_the_role_may_do(
        self, browser: Client, browser_as: Callable[[Role], Client], home: Home, tenant: Tenant
    ) -> None:
        with tenant_context(tenant.pk):
            not_paid(home)

        both = [each.get(page_of(home.line)) for each in (browser, browser_as(Role.SUPPORT))]

        payment = f"{reverse('admin:billing_payment_add')}?subscriber={home.line.subscriber_id}"
        assert [payment in page.content.decode() for page in both] == [True, False]
        assert ["62.00" in text_of(page.content) for page in both] == [True, False]
        assert ["Ping the line" in text_of(page.content) for page in both] == [True, False]

    def test_pings_the_line(self, browser: Client, home: Home, tenant: Tenant) -> None:
        answer = browser.post(page_of(home.line))

        with tenant_context(tenant.pk):
            job = Job.objects.get(kind="hardware.ping_service")
        assert (answer.status_code, answer["Location"]) == (
            302,
            reverse("admin:jobs_job_change", args=[job.pk]),
        )
        assert job.params["subscription_id"] == str(home.line.pk)

    def test_does_not_ping_for_who_may_not(
        self, browser_as: Callable[[Role], Client], home: Home, tenant: Tenant
    ) -> None:
        assert browser_as(Role.SUPPORT).post(page_of(home.line)).status_code == 403

        with tenant_context(tenant.pk):
            assert not Job.objects.filter(kind="hardware.ping_service").exists()

    def test_another_tenants_service_and_other_pages_do_not_exist(
        self, browser: Client, home: Home, other_tenant: Tenant
    ) -> None:
        with tenant_context(other_tenant.pk):
            theirs = make_home("theirs")
        unknown = reverse("admin:subscribers_subscription_page", args=[home.line.pk, "nothing"])

        answers = [
            browser.get(page_of(theirs.line)),
            browser.post(page_of(theirs.line)),
            browser.get(unknown),
        ]

        assert [each.status_code for each in answers] == [404, 404, 404]

    def test_nobody_comes_in_without_logging_in(
        self, home: Home, browser_as: Callable[[Role], Client]
    ) -> None:
        answers = [Client().get(page_of(home.line)), browser_as(Role.CUSTOMER).get(page_of(home.line))]

        assert [each["Location"].partition("?")[0] for each in answers] == ["/admin/login/"] * 2


def test_every_action_has_a_page(db: None) -> None:
    pk = "01900000-0000-7000-8000-000000000000"
    here = {ActionCode.PING_SERVICE}

    assert {code for code in ActionCode if not url_of(Action(code, pk))} == here  # type: ignore[arg-type]
    assert {*ASKED_AT, *OPENED_AT, *BEGUN_AT, ActionCode.FIND_ONU, *here} == set(ActionCode)


@pytest.mark.django_db(transaction=True)
def test_the_page_fits_a_phone_and_its_button_is_reached_by_keyboard(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    with tenant_context(tenant.pk):
        home = make_home()
        outage_confirmed(home)

    with logged_in(admin_user, live_server.url, monkeypatch) as page:
        page.goto(live_server.url + page_of(home.line))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("link", name="Open the outage").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/hardware/outage/**")


@pytest.mark.django_db(transaction=True)
def test_from_the_problem_by_its_button_to_the_end(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    with tenant_context(tenant.pk):
        home = make_home()
        Account.objects.update(enabled=False)

    with logged_in(admin_user, live_server.url, monkeypatch) as page:
        page.goto(live_server.url + page_of(home.line))
        verdict = page.get_by_label("Verdict")
        assert "The RADIUS account is switched off." in verdict.inner_text()
        verdict.get_by_role("link", name="Switch the account on").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/do/enable/**")
        page.get_by_role("button", name="Switch on").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{page_of(home.line)}")
        assert "Everything that can be seen from here is in order." in verdict.inner_text()


@pytest.mark.django_db
class TestTheWayBack:
    """An action asked from another page leads back to it, and to no other site."""

    @pytest.fixture
    def url(self, home: Home, tenant: Tenant) -> str:
        with tenant_context(tenant.pk):
            Account.objects.update(enabled=False)
        return reverse("admin:aaa_account_action", args=[home.account.pk, "enable"])

    def test_leads_to_where_it_was_asked(self, browser: Client, home: Home, url: str) -> None:
        back = page_of(home.line)
        asked = browser.get(url, {"next": back})

        answer = browser.post(f"{url}?{urlencode({'next': back})}", {"confirmed": "yes"})

        assert f'<a class="isp-button" href="{back}"' in asked.content.decode()
        assert (answer.status_code, answer["Location"]) == (302, back)

    @pytest.mark.parametrize(
        "elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""]
    )
    def test_leads_to_no_other_site(
        self, browser: Client, home: Home, tenant: Tenant, url: str, elsewhere: str
    ) -> None:
        answer = browser.post(f"{url}?{urlencode({'next': elsewhere})}", {"confirmed": "yes"})

        assert answer["Location"] == reverse("admin:aaa_account_change", args=[home.account.pk])
        with tenant_context(tenant.pk):
            assert Account.objects.get().enabled
