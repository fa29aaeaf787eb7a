"""Every registered page answers who may see it, hides from who may not, and knows no other tenant's rows."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from hardware.models import Olt
from ispcore.admin.base import StaffModelAdmin
from ispcore.admin.site import site
from ispcore.auth.models import ExternalIdentity
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Membership, Tenant, User
from ispcore.tenants.roles import Role
from tests.admin.conftest import browser_of

MODELS = list(site._registry)
TENANT_MODELS = [model for model in MODELS if model not in (Tenant, ExternalIdentity)]


def label(model: Any) -> str:
    found: str = model._meta.label
    return found


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_everything_registered_is_built_on_the_seam() -> None:
    assert all(isinstance(admin, StaffModelAdmin) for admin in site._registry.values())


@pytest.mark.django_db
@pytest.mark.parametrize("model", TENANT_MODELS, ids=label)
class TestEveryModel:
    def test_list_page_and_history_answer(self, model: Any, browser: Client, rows: dict[str, Any]) -> None:
        row = rows[model._meta.label]

        pages = [
            browser.get(url(model, "changelist")),
            browser.get(url(model, "change", row.pk)),
            browser.get(url(model, "history", row.pk)),
        ]

        assert [page.status_code for page in pages] == [200, 200, 200]

    def test_empty_list_teaches(self, model: Any, browser: Client) -> None:
        if model is Membership:
            pytest.skip("Whoever looks is a member.")

        page = browser.get(url(model, "changelist")).content.decode()

        assert site._registry[model].empty_title in page
        assert site._registry[model].empty_help

    def test_shows_no_row_of_another_tenant(
        self, model: Any, browser: Client, rows: dict[str, Any], foreign_rows: dict[str, Any]
    ) -> None:
        page = browser.get(url(model, "changelist")).content.decode()

        assert str(rows[model._meta.label].pk) in page
        assert str(foreign_rows[model._meta.label].pk) not in page

    @pytest.mark.parametrize("page", ["change", "history", "delete"])
    def test_another_tenants_row_does_not_exist(
        self, model: Any, page: str, browser: Client, foreign_rows: dict[str, Any]
    ) -> None:
        answer = browser.get(url(model, page, foreign_rows[model._meta.label].pk))

        assert answer.status_code in (302, 403, 404)
        assert "south" not in answer.content.decode().lower()

    def test_nobody_comes_in_without_logging_in(self, model: Any, rows: dict[str, Any]) -> None:
        answers = [
            Client().get(url(model, "changelist")),
            Client().get(url(model, "change", rows[model._meta.label].pk)),
        ]

        assert [answer.status_code for answer in answers] == [302, 302]
        assert all(answer["Location"].startswith("/admin/login/") for answer in answers)

    def test_a_customer_is_kept_out(self, model: Any, browser_as: Callable[[Role], Client]) -> None:
        answer = browser_as(Role.CUSTOMER).get(url(model, "changelist"))

        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")


@pytest.mark.django_db
@pytest.mark.parametrize("model", TENANT_MODELS, ids=label)
def test_support_sees_what_the_role_table_says(
    model: Any, browser_as: Callable[[Role], Client], rows: dict[str, Any]
) -> None:
    seen = ("aaa", "hardware", "ipam", "jobs", "subscribers", "support")
    expected = 200 if model._meta.app_label in seen else 403

    browser = browser_as(Role.SUPPORT)

    may_add = label(model) in (
        "support.Ticket",
        "support.CannedAnswer",
        "support.Consent",
        "support.PortalAccount",
    )
    assert browser.get(url(model, "changelist")).status_code == expected
    assert browser.get(url(model, "add")).status_code == (200 if may_add else 403)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "label",
    [
        "aaa.Account",
        "aaa.Nas",
        "aaa.Policy",
        "aaa.ServiceProfile",
        "aaa.VirtualServer",
        "aaa.VoucherBatch",
        "hardware.Olt",
        "tenants.Membership",
        "ispauth.ApiKey",
        "subscribers.Subscriber",
        "subscribers.Subscription",
        "subscribers.Premise",
        "subscribers.Zone",
        "subscribers.Plan",
        "subscribers.BillingProfile",
        "subscribers.CustomField",
        "ipam.Vrf",
        "ipam.Subnet",
        "ipam.Pool",
        "ipam.CgnatRule",
        "ipam.BookImport",
    ],
)
def test_add_page_answers(label: str, browser: Client) -> None:
    model = next(model for model in MODELS if model._meta.label == label)

    assert browser.get(url(model, "add")).status_code == 200


@pytest.mark.django_db
def test_read_only_pages_cannot_be_posted_to(browser: Client, rows: dict[str, Any], acting: Tenant) -> None:
    onu = rows["hardware.Onu"]

    answer = browser.post(url(type(onu), "change", onu.pk), {"serial": "CHANGED"})

    onu.refresh_from_db()
    assert answer.status_code == 403
    assert onu.serial == "HWTCNORTH"


@pytest.mark.django_db
class TestTenants:
    def test_are_closed_to_a_tenants_administrator(self, browser: Client, tenant: Tenant) -> None:
        assert browser.get(url(Tenant, "changelist")).status_code == 403
        assert browser.get(url(Tenant, "change", tenant.pk)).status_code == 403
        assert b"tenants/tenant/" not in browser.get("/admin/").content

    def test_are_open_to_platform_staff(self, operator: User, tenant: Tenant) -> None:
        browser = browser_of(operator)
        browser.post(reverse("admin:switch_tenant"), {"tenant": str(tenant.pk)})

        answers = [browser.get(url(Tenant, "changelist")), browser.get(url(Tenant, "change", tenant.pk))]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert b"tenants/tenant/" in browser.get("/admin/").content

    def test_need_a_time_zone_that_exists(self, operator: User, tenant: Tenant) -> None:
        browser = browser_of(operator)
        browser.post(reverse("admin:switch_tenant"), {"tenant": str(tenant.pk)})

        answer = browser.post(url(Tenant, "add"), {"name": "X", "slug": "x", "timezone": "Mars/Base"})

        assert b"no IANA time zone" in answer.content
        assert not Tenant.objects.filter(slug="x").exists()


@pytest.mark.django_db
class TestOltForm:
    FORM = {
        "name": "Hill",
        "vendor": "huawei",
        "ip": "192.0.2.9",
        "snmp_port": "161",
        "snmp_version": "2c",
        "cli_protocol": "none",
        "pon_class": "B+",
        "notes": "",
    }

    def test_stores_for_the_bound_tenant_and_writes_no_django_log(
        self, browser: Client, tenant: Tenant, other_tenant: Tenant
    ) -> None:
        answer = browser.post(url(Olt, "add"), {**self.FORM, "community": "kept"})

        assert answer.status_code == 302
        with tenant_context(tenant.pk):
            assert Olt.objects.get().community.reveal() == "kept"
        with tenant_context(other_tenant.pk):
            assert not Olt.objects.exists()
        assert not LogEntry.objects.exists()

    def test_refuses_a_name_that_the_tenant_has(self, browser: Client, tenant: Tenant) -> None:
        browser.post(url(Olt, "add"), {**self.FORM, "community": "kept"})

        answer = browser.post(url(Olt, "add"), {**self.FORM, "ip": "192.0.2.10", "community": "kept"})

        assert answer.status_code == 200
        assert "already exists" in answer.content.decode() or "already" in answer.content.decode()
        with tenant_context(tenant.pk):
            assert Olt.objects.count() == 1

    def test_needs_a_community_first_and_keeps_it_when_left_empty(
        self, browser: Client, tenant: Tenant
    ) -> None:
        assert browser.post(url(Olt, "add"), {**self.FORM, "community": ""}).status_code == 200
        browser.post(url(Olt, "add"), {**self.FORM, "community": "kept"})
        with tenant_context(tenant.pk):
            olt = Olt.objects.get()

        page = browser.get(url(Olt, "change", olt.pk)).content.decode()
        answer = browser.post(url(Olt, "change", olt.pk), {**self.FORM, "name": "Hill 2", "community": ""})

        assert "stored; leave empty to keep" in page
        assert "kept" not in page.replace("stored; leave empty to keep", "")
        assert answer.status_code == 302
        with tenant_context(tenant.pk):
            olt.refresh_from_db()
            assert (olt.name, olt.community.reveal()) == ("Hill 2", "kept")

    def test_is_not_deleted_while_it_lists_onus(
        self, browser: Client, rows: dict[str, Any], tenant: Tenant
    ) -> None:
        olt = rows["hardware.Olt"]

        page = browser.post(url(Olt, "delete", olt.pk), {"post": "yes"})

        assert b"still lists ONUs" in page.content
        with tenant_context(tenant.pk):
            assert Olt.objects.filter(pk=olt.pk).exists()

    def test_is_deleted_with_its_runs_when_it_lists_none(
        self, browser: Client, rows: dict[str, Any], tenant: Tenant
    ) -> None:
        olt = rows["hardware.Olt"]
        with tenant_context(tenant.pk):
            rows["hardware.Onu"].delete()

        answer = browser.post(url(Olt, "delete", olt.pk), {"post": "yes"})

        assert answer.status_code == 302
        with tenant_context(tenant.pk):
            assert not Olt.objects.exists()


@pytest.mark.django_db
class TestUsers:
    ADD = {
        "email": "New@Staff.example",
        "full_name": "New",
        "role": "support",
        "password": "a-long-first-one",
    }

    def test_a_new_person_gets_an_account(self, browser: Client, tenant: Tenant) -> None:
        answer = browser.post(url(Membership, "add"), self.ADD)

        assert answer.status_code == 302
        user = User.objects.get(email="new@staff.example")
        assert user.check_password("a-long-first-one")
        assert not user.is_platform_staff
        with tenant_context(tenant.pk):
            assert Membership.objects.get(user=user).role == "support"

    def test_somebody_known_keeps_their_password(
        self, browser: Client, other_tenant: Tenant, make_user: Callable[..., User]
    ) -> None:
        known = make_user("known", {other_tenant: Role.SUPPORT})

        browser.post(url(Membership, "add"), {**self.ADD, "email": known.email})

        before, known = known.password, User.objects.get(pk=known.pk)
        assert known.password == before
        assert known.full_name == "Known"

    @pytest.mark.parametrize(
        ("change", "said"),
        [({"password": ""}, "no account yet"), ({"email": "admin@staff.example"}, "already works here")],
    )
    def test_refusals_stand_at_their_field(self, browser: Client, change: dict[str, str], said: str) -> None:
        before = Membership.objects.count()

        answer = browser.post(url(Membership, "add"), {**self.ADD, **change})

        assert answer.status_code == 200
        assert said in answer.content.decode()
        assert Membership.objects.count() == before

    def test_nobody_changes_or_removes_their_own_role(
        self, browser: Client, rows: dict[str, Any], tenant: Tenant
    ) -> None:
        own = rows["tenants.Membership"]

        changed = browser.post(url(Membership, "change", own.pk), {"role": "support"}, follow=True)
        removed = browser.post(url(Membership, "delete", own.pk), {"post": "yes"}, follow=True)

        assert "Ask another administrator" in changed.content.decode()
        assert "Ask another administrator" in removed.content.decode()
        with tenant_context(tenant.pk):
            own.refresh_from_db()
        assert own.role == Role.ADMINISTRATOR

    def test_a_colleague_is_changed_and_removed(
        self, browser: Client, tenant: Tenant, make_user: Callable[..., User]
    ) -> None:
        colleague = make_user("colleague", {tenant: Role.SUPPORT})
        with tenant_context(tenant.pk):
            theirs = Membership.objects.get(user=colleague)

        browser.post(url(Membership, "change", theirs.pk), {"role": "staff_member"})

        with tenant_context(tenant.pk):
            theirs.refresh_from_db()
            assert theirs.role == Role.STAFF_MEMBER
        browser.post(url(Membership, "delete", theirs.pk), {"post": "yes"})
        with tenant_context(tenant.pk):
            assert not Membership.objects.filter(user=colleague).exists()
