"""What changes something is asked back, sent by POST and bound to a permission."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, RequestFactory
from django.urls import reverse

from hardware.models import Outage, ProvisioningJob
from ispcore.admin.actions import CONFIRMED, action
from ispcore.admin.base import TenantModelAdmin
from ispcore.admin.site import site
from ispcore.auth.models import ApiKey
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Hold, Subscriber, Subscription

ADMINS = list(site._registry.values())
# On an object's page; the first of what a list offers is tried where a list is: see `send`.
NAMED = [
    (admin, name)
    for admin in ADMINS
    for name in dict.fromkeys([*(admin.actions or ()), *admin.object_actions])
]
IDS = [f"{admin.opts.label}.{name}" for admin, name in NAMED]


def send(browser: Client, admin: Any, name: str, row: Any, data: dict[str, str] | None = None) -> Any:
    """POST an action on the row's page, or on the list when only that offers it."""
    if name in admin.object_actions:
        return browser.post(action_url(row, name), data or {})
    listing = reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")
    return browser.post(listing, {"action": name, "_selected_action": [str(row.pk)], **(data or {})})


def action_url(row: Any, name: str) -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_action", args=[row.pk, name])


@pytest.mark.parametrize("admin", ADMINS, ids=lambda admin: admin.opts.label)
class TestEveryAdmin:
    def test_uses_none_of_the_themes_get_actions(self, admin: Any) -> None:
        assert not any(
            getattr(admin, name)
            for name in ("actions_list", "actions_row", "actions_detail", "actions_submit_line")
        )

    def test_offers_no_bulk_action_of_djangos(self, admin: Any, rf: RequestFactory) -> None:
        request = rf.get("/")
        request.user = type("Nobody", (), {"has_perm": lambda self, perm: True, "is_platform_staff": True})()

        assert set(admin.get_actions(request)) - {"export"} == set(admin.actions or ())


@pytest.mark.parametrize(("admin", "name"), NAMED, ids=IDS)
class TestEveryAction:
    def test_names_a_permission_and_a_question(self, admin: Any, name: str) -> None:
        run = getattr(type(admin), name)

        assert run.allowed_permissions
        assert all(callable(getattr(admin, f"has_{each}_permission")) for each in run.allowed_permissions)
        assert run.confirm

    @pytest.mark.django_db
    def test_asks_on_get_and_runs_on_nothing_but_a_confirmed_post(
        self,
        admin: Any,
        name: str,
        browser: Client,
        rows: dict[str, Any],
        tenant: Tenant,
        admin_user: User,
    ) -> None:
        if "platform" in getattr(type(admin), name).allowed_permissions:
            User.objects.filter(pk=admin_user.pk).update(is_platform_staff=True)
        row = rows[admin.opts.label]
        before = _state(tenant)

        is_on_page = name in admin.object_actions
        asked = browser.get(action_url(row, name)) if is_on_page else send(browser, admin, name, row)
        unconfirmed = send(browser, admin, name, row)

        assert getattr(type(admin), name).confirm in asked.content.decode().replace("&#x27;", "'")
        assert (asked.status_code, unconfirmed.status_code) == (200, 200)
        assert not is_on_page or browser.put(action_url(row, name)).status_code == 405
        assert _state(tenant) == before

    @pytest.mark.django_db
    def test_needs_a_token_against_forgery(
        self, admin: Any, name: str, admin_user: Any, rows: dict[str, Any]
    ) -> None:
        from tests.admin.conftest import browser_of

        browser = browser_of(admin_user, enforce_csrf_checks=True)

        answer = send(browser, admin, name, rows[admin.opts.label], {CONFIRMED: "yes"})

        assert answer.status_code == 403

    @pytest.mark.django_db
    def test_is_refused_to_a_role_without_the_permission(
        self,
        admin: Any,
        name: str,
        browser_as: Callable[[Role], Client],
        rows: dict[str, Any],
        tenant: Tenant,
    ) -> None:
        # All staff work for the helpdesk: only customers do not.
        role = Role.CUSTOMER if admin.opts.app_label == "support" else Role.SUPPORT
        browser, row, before = browser_as(role), rows[admin.opts.label], _state(tenant)

        answers = [
            browser.get(action_url(row, name)),
            send(browser, admin, name, row, {CONFIRMED: "yes"}),
        ]

        # A list that does not offer an action to somebody shows itself instead.
        shown = {200, 302} if name not in admin.object_actions or role == Role.CUSTOMER else set()
        assert {answer.status_code for answer in answers} <= {403, 404} | shown
        assert _state(tenant) == before

    @pytest.mark.django_db
    def test_does_not_know_another_tenants_row(
        self, admin: Any, name: str, browser: Client, foreign_rows: dict[str, Any], other_tenant: Tenant
    ) -> None:
        before = _state(other_tenant)

        answer = send(browser, admin, name, foreign_rows[admin.opts.label], {CONFIRMED: "yes"})

        assert answer.status_code in ((404,) if name in admin.object_actions else (200, 302))
        assert _state(other_tenant) == before


def _state(tenant: Tenant) -> list[Any]:
    with tenant_context(tenant.pk):
        return [
            *Job.objects.order_by("pk").values("pk", "status"),
            *ApiKey.objects.values("pk", "revoked_at"),
            *Subscriber.objects.values("pk", "status"),
            *Subscription.objects.values("pk", "status", "plan"),
            *Hold.objects.values("pk", "released_at"),
            *ProvisioningJob.objects.values("pk", "status"),
            *Outage.objects.values("pk", "status", "note"),
        ]


def test_an_action_without_permission_cannot_be_written() -> None:
    with pytest.raises(ImproperlyConfigured):
        action(description="X", permissions=[], confirm="Really?")


def test_an_admin_with_the_themes_actions_cannot_be_written() -> None:
    with pytest.raises(ImproperlyConfigured):
        type("Wrong", (TenantModelAdmin,), {"actions_detail": ("run",)})


@pytest.mark.django_db
class TestDiscover:
    def test_leads_to_the_job(
        self, browser: Client, rows: dict[str, Any], tenant: Tenant, admin_user: Any
    ) -> None:
        olt = rows["hardware.Olt"]

        answer = browser.post(action_url(olt, "discover"), {CONFIRMED: "yes"})

        with tenant_context(tenant.pk):
            job = Job.objects.get(status=JobStatus.QUEUED)
        assert answer["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
        assert (job.subject, job.requested_by_id) == (f"olt:{olt.pk}", admin_user.pk)

    def test_is_offered_to_whom_may_operate(
        self, browser_as: Callable[[Role], Client], rows: dict[str, Any]
    ) -> None:
        page = reverse("admin:hardware_olt_change", args=[rows["hardware.Olt"].pk])

        assert b"/do/discover/" in browser_as(Role.NETWORK_OPERATIONS).get(page).content
        assert b"/do/discover/" not in browser_as(Role.SUPPORT).get(page).content

    def test_of_selected_rows_asks_first(self, browser: Client, rows: dict[str, Any], tenant: Tenant) -> None:
        listing = reverse("admin:hardware_olt_changelist")
        chosen = {"action": "discover", "_selected_action": [str(rows["hardware.Olt"].pk)]}

        asked = browser.post(listing, chosen)
        done = browser.post(listing, {**chosen, CONFIRMED: "yes"})

        assert b"Exchange of north" in asked.content
        assert done.status_code == 302
        with tenant_context(tenant.pk):
            assert Job.objects.filter(status=JobStatus.QUEUED).count() == 1

    def test_answers_htmx_with_a_dialog_alone(self, browser: Client, rows: dict[str, Any]) -> None:
        answer = browser.get(action_url(rows["hardware.Olt"], "discover"), headers={"HX-Request": "true"})

        assert answer.content.lstrip().startswith(b'<div id="dialog" role="dialog"')


@pytest.mark.django_db
class TestJobs:
    def test_a_failed_one_is_tried_again(self, browser: Client, rows: dict[str, Any], tenant: Tenant) -> None:
        answer = browser.post(action_url(rows["jobs.Job"], "retry"), {CONFIRMED: "yes"})

        with tenant_context(tenant.pk):
            again = Job.objects.get(status=JobStatus.QUEUED)
        assert answer["Location"] == reverse("admin:jobs_job_change", args=[again.pk])
        assert again.params == rows["jobs.Job"].params

    def test_a_queued_one_is_cancelled(self, browser: Client, acting: Tenant) -> None:
        job = Job.objects.create(kind="hardware.discover_olt", queue="network")

        browser.post(action_url(job, "cancel"), {CONFIRMED: "yes"})

        job.refresh_from_db()
        assert job.status == JobStatus.CANCELLED

    def test_an_ended_one_says_why_it_is_not_cancelled(self, browser: Client, rows: dict[str, Any]) -> None:
        answer = browser.post(action_url(rows["jobs.Job"], "cancel"), {CONFIRMED: "yes"}, follow=True)

        assert "has already ended as failed" in answer.content.decode()


@pytest.mark.django_db
class TestApiKeys:
    def test_a_new_key_is_shown_once_and_kept_by_nobody(self, browser: Client, tenant: Tenant) -> None:
        answer = browser.post(reverse("admin:ispauth_apikey_add"), {"name": "Export", "role": "support"})

        with tenant_context(tenant.pk):
            key = ApiKey.objects.get()
        page = answer.content.decode()
        assert f"ispk_{key.prefix}_" in page
        assert "no-store" in answer["Cache-Control"]
        shown = page.split(f"ispk_{key.prefix}_")[1][:64]
        later = browser.get(reverse("admin:ispauth_apikey_change", args=[key.pk])).content.decode()
        assert shown not in later
        assert key.secret_hash not in later

    def test_is_revoked_and_never_changed(
        self, browser: Client, rows: dict[str, Any], tenant: Tenant
    ) -> None:
        key = rows["ispauth.ApiKey"]

        browser.post(
            reverse("admin:ispauth_apikey_change", args=[key.pk]), {"name": "Other", "role": "administrator"}
        )
        browser.post(action_url(key, "revoke"), {CONFIRMED: "yes"})

        with tenant_context(tenant.pk):
            key.refresh_from_db()
        assert (key.name, key.role) == ("Key of north", "support")
        assert key.revoked_at is not None
