"""Logging in, acting for a tenant, the sidebar, the palette, refusals, and no word to another host."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from hardware.models import Onu
from ispcore.tenants.context import tenant_context
from ispcore.tenants.middleware import SESSION_KEY
from ispcore.tenants.models import AuditEntry, Tenant, User
from ispcore.tenants.roles import Role
from tests.admin.conftest import browser_of
from tests.conftest import PASSWORD

LOGIN = "/admin/login/"
SWITCH = "/admin/tenant/"
CUSTOMERS = ["Subscribers", "Services", "Premises", "Zones", "Plans", "Billing profiles"]
RECORDS = ["Imports", "Custom fields", "Subscriber settings"]
BILLING = [
    "Runs", "Invoices", "Payments", "Dunning", "Bank statements", "Prepaid services", "Charges", "Reports",
    "Billing settings",
]  # fmt: skip
NETWORK = [
    "OLTs", "ONUs", "Waiting for authorisation", "Outages", "Provisioning jobs", "PON map", "Low signal", "Presets",
    "Signal limits", "Discovery runs",
]  # fmt: skip
ADDRESSES = [
    "VRFs", "Subnets", "Pools", "Addresses", "CGNAT", "CGNAT look-up", "Address imports", "Reconciliations", "Drift",
]  # fmt: skip
ACCESS = [
    "Live sessions", "Accounts", "Policies", "NAS", "Rejects", "Ended sessions", "CoA log", "RADIUS services",
    "Virtual servers", "Vouchers",
]  # fmt: skip
SUPPORT = [
    "Tickets", "Load and due times", "Subjects", "Canned answers", "Notices", "Portal accounts", "Support settings",
]  # fmt: skip


@pytest.mark.django_db
class TestLogIn:
    def test_by_e_mail_whatever_its_case(self, client: Client, admin_user: User) -> None:
        answer = client.post(LOGIN, {"username": "Admin@staff.example", "password": PASSWORD})

        assert answer["Location"] == "/admin/"
        assert client.get("/admin/").status_code == 200

    def test_names_the_product_and_says_what_was_wrong(self, client: Client, admin_user: User) -> None:
        page = client.post(LOGIN, {"username": admin_user.email, "password": "wrong"}).content.decode()

        assert "ISPCore" in page
        assert "The e-mail address or the password is wrong" in page

    def test_is_closed_to_people_without_a_staff_role(
        self, client: Client, tenant: Tenant, make_user: Callable[..., User]
    ) -> None:
        customer = make_user("customer", {tenant: Role.CUSTOMER})

        page = client.post(LOGIN, {"username": customer.email, "password": PASSWORD}).content.decode()

        assert "no staff role" in page
        assert "_auth_user_id" not in client.session

    def test_slows_down_guessing(self, client: Client, admin_user: User) -> None:
        for _ in range(10):
            client.post(LOGIN, {"username": admin_user.email, "password": "wrong"})

        page = client.post(LOGIN, {"username": admin_user.email, "password": PASSWORD}).content.decode()

        assert "Too many attempts" in page


@pytest.mark.django_db
class TestSwitcher:
    def test_platform_staff_choose_before_they_see_anything(self, operator: User, tenant: Tenant) -> None:
        browser = browser_of(operator)

        assert browser.get("/admin/hardware/olt/")["Location"] == SWITCH
        assert tenant.name in browser.get(SWITCH).content.decode()

    def test_is_recorded_in_the_tenant_entered(self, operator: User, tenant: Tenant) -> None:
        browser = browser_of(operator)

        browser.post(SWITCH, {"tenant": str(tenant.pk)})

        assert browser.session[SESSION_KEY] == str(tenant.pk)
        with tenant_context(tenant.pk):
            entry = AuditEntry.objects.get()
        assert (entry.action, entry.user_id, entry.ip) == ("switched tenant", operator.pk, "127.0.0.1")
        assert tenant.name in browser.get("/admin/").content.decode()

    def test_a_person_of_two_tenants_moves_between_them(
        self, tenant: Tenant, other_tenant: Tenant, make_user: Callable[..., User]
    ) -> None:
        browser = browser_of(make_user("both", {tenant: Role.SUPPORT, other_tenant: Role.ADMINISTRATOR}))

        browser.post(SWITCH, {"tenant": str(other_tenant.pk)})

        page = browser.get("/admin/").content.decode()
        assert "You act for South" in page
        assert SWITCH in page

    @pytest.mark.parametrize("wanted", ["foreign", "none", "nonsense", ""])
    def test_is_closed_to_foreign_tenants(
        self, browser: Client, tenant: Tenant, other_tenant: Tenant, wanted: str
    ) -> None:
        given = {"foreign": str(other_tenant.pk), "none": "00000000-0000-7000-8000-000000000000"}.get(
            wanted, wanted
        )

        answer = browser.post(SWITCH, {"tenant": given})

        assert answer.status_code == 403
        assert SESSION_KEY not in browser.session
        for each in (tenant, other_tenant):
            with tenant_context(each.pk):
                assert not AuditEntry.objects.exists()
        assert "South" not in browser.get(SWITCH).content.decode()

    def test_a_switched_off_tenant_is_not_offered(
        self, operator: User, tenant: Tenant, other_tenant: Tenant
    ) -> None:
        Tenant.objects.filter(pk=other_tenant.pk).update(is_active=False)

        browser = browser_of(operator)

        assert "South" not in browser.get(SWITCH).content.decode()
        assert browser.post(SWITCH, {"tenant": str(other_tenant.pk)}).status_code == 403


@pytest.mark.django_db
class TestSidebar:
    @pytest.mark.parametrize(
        ("role", "titles"),
        [
            (
                Role.ADMINISTRATOR,
                [
                    "Dashboard",
                    *CUSTOMERS,
                    *RECORDS,
                    *BILLING,
                    *NETWORK,
                    *ADDRESSES,
                    *ACCESS,
                    "Access settings",
                    *SUPPORT,
                    "Users",
                    "API keys",
                    "API reference",
                    "Events",
                    "Webhooks",
                    "Jobs",
                    "All data",
                    "Audit",
                ],
            ),
            (
                Role.NETWORK_OPERATIONS,
                [
                    "Dashboard",
                    *CUSTOMERS,
                    "Custom fields",
                    *NETWORK,
                    *(title for title in ADDRESSES if title != "CGNAT look-up"),
                    *ACCESS,
                    "Access settings",
                    *SUPPORT,
                    "Events",
                    "Webhooks",
                    "Jobs",
                ],
            ),
            (
                Role.SUBSCRIBER_ACCOUNTS,
                ["Dashboard", *CUSTOMERS, *RECORDS, *BILLING, *ACCESS, *SUPPORT, "Jobs"],
            ),
        ],
    )
    def test_shows_what_the_role_may_see_in_the_order_of_the_domains(
        self, browser_as: Callable[[Role], Client], role: Role, titles: list[str]
    ) -> None:
        page = browser_as(role).get("/admin/").context

        assert [item["title"] for group in page["sidebar_navigation"] for item in group["items"]] == titles


@pytest.mark.django_db
class TestPalette:
    def test_finds_records_and_pages(self, browser: Client, rows: dict[str, Any]) -> None:
        found = browser.get("/admin/search/?extended=1&s=hwtcn").content.decode()
        pages = browser.get("/admin/search/?extended=1&s=discov").content.decode()

        assert "HWTCNORTH" in found
        assert "Discovery runs" in pages

    def test_leaves_what_every_row_would_be_read_for_to_the_list(
        self, browser: Client, rows: dict[str, Any], acting: Tenant
    ) -> None:
        Onu.objects.update(description="Behind the mill")

        palette = browser.get("/admin/search/?extended=1&s=mill").content.decode()
        listed = browser.get("/admin/hardware/onu/?q=mill").content.decode()

        assert ("HWTCNORTH" in palette, "HWTCNORTH" in listed) == (False, True)

    def test_forgets_the_last_tenant_when_switching(
        self,
        operator: User,
        tenant: Tenant,
        other_tenant: Tenant,
        rows: dict[str, Any],
        foreign_rows: dict[str, Any],
    ) -> None:
        browser = browser_of(operator)
        browser.post(SWITCH, {"tenant": str(tenant.pk)})
        here = browser.get("/admin/search/?extended=1&s=HWTC").content.decode()

        browser.post(SWITCH, {"tenant": str(other_tenant.pk)})
        there = browser.get("/admin/search/?extended=1&s=HWTC").content.decode()

        assert ("HWTCNORTH" in here, "HWTCSOUTH" in here) == (True, False)
        assert ("HWTCNORTH" in there, "HWTCSOUTH" in there) == (False, True)

    def test_finds_nothing_the_role_may_not_see(
        self, browser_as: Callable[[Role], Client], rows: dict[str, Any]
    ) -> None:
        found = browser_as(Role.SUBSCRIBER_ACCOUNTS).get("/admin/search/?extended=1&s=HWTC").content.decode()

        assert "HWTCNORTH" not in found


@pytest.mark.django_db
def test_no_page_names_another_host(browser: Client, rows: dict[str, Any]) -> None:
    pages = [
        "",
        "hardware/olt/",
        "hardware/onu/",
        "jobs/job/",
        f"hardware/olt/{rows['hardware.Olt'].pk}/change/",
    ]

    html = [browser.get(f"/admin/{page}").content.decode() for page in pages]
    html.append(Client().get(LOGIN).content.decode())

    sources = [found for page in html for found in re.findall(r"""(?:src|href|action)=["']([^"']+)""", page)]
    assert [source for source in sources if re.match(r"(https?:)?//", source)] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/admin/tenants/tenant/", 403, "Your role may not open this"),
        ("/admin/hardware/nothing/", 404, "There is nothing at this address"),
    ],
)
def test_refusals_say_what_to_do(browser: Client, path: str, status: int, said: str) -> None:
    answer = browser.get(path)

    assert answer.status_code == status
    assert said in answer.content.decode()


@pytest.mark.django_db
def test_the_user_menu_is_reached_by_keyboard(browser: Client, tenant: Tenant) -> None:
    page = browser.get("/admin/").content.decode()

    menu = re.search(r'<button type="button" x-ref="userMenu"[^>]*aria-controls="user-links"', page)
    assert menu is not None
    for theme in ("light", "dark", "auto"):
        assert f'<button type="button" x-on:click="switchTheme(\'{theme}\')"' in page


@pytest.mark.django_db
def test_the_sidebar_marks_the_page_one_is_on_and_no_other(browser: Client, tenant: Tenant) -> None:
    for url, title in (
        ("/admin/subscribers/subscriber/", "Subscribers"),
        ("/admin/subscribers/subscriber/settings/", "Subscriber settings"),
        ("/admin/subscribers/subscriber/add/", "Subscribers"),
        ("/admin/billing/bankline/", "Bank statements"),
        ("/admin/billing/bankstatement/reports/cash/", "Reports"),
        ("/admin/", "Dashboard"),
    ):
        groups = browser.get(url).context["sidebar_navigation"]

        assert [item["title"] for group in groups for item in group["items"] if item["active"]] == [title]


@pytest.mark.django_db
def test_lists_of_less_weight_are_tabs_of_what_they_belong_to(browser: Client, tenant: Tenant) -> None:
    page = browser.get("/admin/billing/oneoffcharge/").content.decode()

    tabs = page.split('id="tabs-items"')[1].split("</nav>")[0]
    assert re.findall(r'href="([^"]+)" class="(active)?', tabs) == [
        ("/admin/billing/oneoffcharge/", "active"),
        ("/admin/billing/addon/", ""),
        ("/admin/billing/discount/", ""),
        ("/admin/billing/overageprice/", ""),
    ]


@pytest.mark.django_db
def test_the_palette_finds_tabs(browser: Client, tenant: Tenant) -> None:
    assert "Tax exemptions" in browser.get("/admin/search/?extended=1&s=exempt").content.decode()
