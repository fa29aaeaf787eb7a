"""A provider with something of everything, written and restored where it is not."""

import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from aaa.models import Account, Nas
from billing.models import BillingRun, BillingSettings, Invoice, SubscriberBalance
from billing.services import ledger
from billing.tasks import start_nightly_runs
from demo import access, addresses, billing, customers, data, dialler, support
from ispcore import numbering
from ispcore.auth.services import create_api_key
from ispcore.events.models import Event, WebhookDelivery, WebhookEndpoint
from ispcore.events.services import publish_each
from ispcore.events.services.endpoints import create_webhook
from ispcore.files.tenant_export import writing
from ispcore.jobs.models import ACTIVE, Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Membership, NumberSeries, Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Subscriber
from tests.aaa.online import make_account
from tests.aaa.radius_role import radius_connection
from tests.factories import OltFactory, SubscriberFactory, SubscriptionFactory, ZoneFactory
from tests.files.tenant_export.conftest import Export
from tests.files.tenant_export.elsewhere import elsewhere, make_nas, restore, tenants_there

pytestmark = [
    pytest.mark.django_db(databases=["default", "platform"], transaction=True),
    pytest.mark.usefixtures("second_installation"),
]
PASSPHRASE = "correct horse battery staple"


def lines_of(path: Path, label: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read(f"tables/{label}.ndjson").splitlines()]


def text_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


@pytest.fixture
def rich(tenant: Tenant, make_user: Any) -> Tenant:
    """What the demo shows, with a webhook that waits, a key, and a job that runs."""
    at = timezone.now()
    make_user("ada", {tenant: Role.ADMINISTRATOR})
    with tenant_context(tenant.pk):
        customers.load(count=150, currency="EUR", at=at)
        addresses.load(at=at, whole=True)
        access.load(at=at)
        billing.load(at=at)
    data._make_olt(tenant, name="Hillside", vendor="ufiber", ip="127.0.0.3", site="Tower", onus=16, at=at)
    with tenant_context(tenant.pk):
        support.load(at=at)
        create_webhook(url="https://hooks.example/isp")
        publish_each("hardware.discovery_finished", [{"olt_id": "1", "run_id": ""}])
        create_api_key(name="Accounting", role=Role.SUPPORT, created_by=None, at=at)
        Job.objects.create(kind="demo.still_running", status="running", params={"password": "sealed"})
    return tenant


def test_a_rich_provider_is_the_same_elsewhere(
    rich: Tenant, other_tenant: Tenant, tmp_path: Path, export: Export
) -> None:
    with tenant_context(other_tenant.pk):
        SubscriberFactory(full_name="Fiona Foreigner")
    plain, sealed, back = tmp_path / "plain.zip", tmp_path / "sealed.zip", tmp_path / "back.zip"
    passwords = {dialler.user_name(n): dialler.password(n) for n in range(1, dialler.LINES + 1)}
    made = export(plain)
    export(sealed, PASSPHRASE)
    with tenant_context(rich.pk):
        secret = WebhookEndpoint.objects.get().secret
        last_number = Subscriber.objects.order_by("-number").values_list("number", flat=True)[0]
        owed = dict(SubscriberBalance.objects.values_list("subscriber_id", "balance"))
        series = dict(NumberSeries.objects.values_list("kind", "next_value"))
        of_invoices = Invoice.objects.exclude(number="").values_list("number", flat=True)[0][:-7]

    done = restore(sealed, PASSPHRASE)

    assert done.totals == made["totals"]
    with elsewhere():
        Tenant.objects.filter(pk=rich.pk).update(is_active=True)
        with tenant_context(rich.pk):
            assert ledger.recount() == []
            assert dict(SubscriberBalance.objects.values_list("subscriber_id", "balance")) == owed
            assert WebhookEndpoint.objects.get().secret == secret
            assert (Event.objects.count(), WebhookDelivery.objects.count()) == (0, 0)
            assert not Job.objects.filter(status__in=ACTIVE).exists()
            assert "password" not in Job.objects.get(kind="demo.still_running").params
        back_made = _export_there(rich, back)
        with tenant_context(rich.pk):
            assert SubscriberFactory().number > last_number
            assert numbering.draw(of_invoices)[0] == series[of_invoices]
            assert (
                apps.get_model("subscribers", "SubscriberHistory").objects.filter(pgh_label="created").count()
                > 150
            )
            nas = Nas.objects.get()
            account = Account.objects.filter(blocked_reason="").order_by("username")[0]
        with radius_connection() as radius:
            assert radius.client(str(nas.address)).endswith("|demo-secret")
            refused = radius.log_in(nas.pk, account.username, password="not this")
            accepted = radius.log_in(nas.pk, account.username, password=passwords[account.username])
        assert (accepted["reason"], refused["reason"]) == ("", "password")
    tables, again = made["tables"], back_made["tables"]
    assert {label for label in tables if tables[label] != again[label]} == {"tenants.AuditEntry"}
    assert again["tenants.AuditEntry"]["rows"] == tables["tenants.AuditEntry"]["rows"] + 1
    assert back_made["totals"] == made["totals"]
    for path in (plain, sealed):
        everything = text_of(path)
        for foreign in ("Fiona Foreigner", str(other_tenant.pk), "demo-secret", *passwords.values()):
            assert foreign.encode() not in everything


def _export_there(tenant: Tenant, path: Path) -> dict[str, Any]:
    with path.open("wb") as stream:
        return writing.write(stream, tenant, at=timezone.now(), passphrase="", progress=lambda *told: None)


def test_secrets_without_a_passphrase_open_nothing(tenant: Tenant, tmp_path: Path, export: Export) -> None:
    path = tmp_path / "all.zip"
    with tenant_context(tenant.pk):
        nas = make_nas()
        SubscriptionFactory(wifi_password="home-wifi-word")
        make_account("jane", password="jane-password")
        OltFactory(community="snmp-community")

    made = export(path)
    restore(path)

    assert {place: entry["rows"] for place, entry in made["secrets"]["count"].items()} == {
        "aaa.Account.password": 1,
        "aaa.Nas.secret": 1,
        "hardware.Olt.community": 1,
        "subscribers.Subscription.wifi_password": 1,
    }
    for secret in (b"home-wifi-word", b"jane-password", b"snmp-community"):
        assert secret not in text_of(path)
    with elsewhere():
        Tenant.objects.update(is_active=True)
        with tenant_context(tenant.pk):
            account, there = Account.objects.get(), Nas.objects.get()
            assert len(account.password) > 20
            assert not account.password.matches("left out")
            assert len(there.secret) > 20
        with radius_connection() as radius:
            assert radius.log_in(nas.pk, "jane", password="")["reason"] == "password"
            assert radius.log_in(nas.pk, "jane", password="jane-password")["reason"] == "password"


def test_people_keep_the_account_they_have_and_others_get_one_without_a_password(
    tenant: Tenant, make_user: Any, tmp_path: Path, export: Export
) -> None:
    path = tmp_path / "all.zip"
    ada = make_user("ada", {tenant: Role.ADMINISTRATOR}, is_platform_staff=True)
    make_user("bob", {tenant: Role.SUPPORT})
    with elsewhere():
        known = User.objects.create_user(
            email="ada@staff.example", password="her own password", full_name="Ada"
        )
    export(path)

    done = restore(path)

    assert (done.known_people, done.new_people) == (["ada@staff.example"], 1)
    assert b"password" not in b"".join(json.dumps(row).encode() for row in lines_of(path, "users"))
    with elsewhere():
        new = User.objects.get(email="bob@staff.example")
        assert not new.has_usable_password()
        known.refresh_from_db()
        assert known.check_password("her own password")
        assert not User.objects.filter(is_platform_staff=True).exists()
        with tenant_context(tenant.pk):
            roles = dict(Membership.objects.values_list("user__email", "role"))
            assert Membership.objects.get(user=known).user_id != ada.pk
    assert roles == {"ada@staff.example": "administrator", "bob@staff.example": "support"}


def test_comes_switched_off_and_says_that_it_was_restored(
    tenant: Tenant, tmp_path: Path, export: Export
) -> None:
    export(tmp_path / "all.zip")

    restore(tmp_path / "all.zip")

    with elsewhere():
        assert not Tenant.objects.get(pk=tenant.pk).is_active
        with tenant_context(tenant.pk):
            assert AuditEntry.objects.get().action == "restored from an export"


def test_all_tables_are_as_of_one_moment(tenant: Tenant, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with tenant_context(tenant.pk):
        ZoneFactory(name="Before")

    def meanwhile(done: int, total: int, message: str) -> None:
        if done == 0:
            with tenant_context(tenant.pk):
                ZoneFactory(name="Meanwhile")

    with path.open("wb") as stream:
        writing.write(stream, tenant, at=timezone.now(), progress=meanwhile)

    assert [row["name"] for row in lines_of(path, "subscribers.Zone")] == ["Before"]


def test_texts_survive_whatever_they_hold(tenant: Tenant, tmp_path: Path, export: Export) -> None:
    names = [
        'back\\slash \\n \\\\ "quotes"',
        "tab\tand\nline",
        "ümläut ☂ \u2028",
        "'; DROP TABLE x; --",
        "\\.",
    ]
    with tenant_context(tenant.pk):
        for name in names:
            ZoneFactory(name=name)
    export(tmp_path / "all.zip")

    restore(tmp_path / "all.zip")

    with elsewhere(), tenant_context(tenant.pk), connection.cursor() as cursor:
        cursor.execute("SELECT name FROM subscribers_zone ORDER BY id")
        assert [name for (name,) in cursor.fetchall()] == names
    assert tenants_there() == ["north"]


def test_one_that_is_switched_off_is_not_billed_at_night(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        BillingSettings.objects.update_or_create(
            defaults={"runs_nightly": True, "bills_from": date(2020, 1, 1)}
        )
    Tenant.objects.filter(pk=tenant.pk).update(is_active=False)

    assert start_nightly_runs() == 0

    with tenant_context(tenant.pk):
        assert not BillingRun.objects.exists()
