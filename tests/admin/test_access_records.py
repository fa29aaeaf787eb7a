"""The pages of access: what they say, what they cost, who may do what, and nobody else's rows."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from aaa import tasks
from aaa.models import (
    Account,
    DailyUsage,
    Nas,
    Policy,
    RadiusSettings,
    VoucherBatch,
    VoucherState,
)
from aaa.services import nas as nas_services
from aaa.services import trying
from ispcore.admin.actions import CONFIRMED
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Tenant, User
from ispcore.tenants.roles import Role
from tests.aaa.nas_peer import NasPeer, running
from tests.aaa.online import make_account, make_policy
from tests.admin.conftest import browser_of
from tests.admin.test_access import reject
from tests.admin.test_actions import action_url
from tests.admin.test_hardware_pages import page_of, text_of
from tests.factories import NasFactory
from tests.needs import require

ENDED, REJECTS = "/admin/aaa/session/ended/", "/admin/aaa/account/rejects/"
SETTINGS = "/admin/aaa/account/settings/"
SESSIONS, ACCOUNTS = "/admin/aaa/session/", "/admin/aaa/account/"
CODES = re.compile(
    r"\b(non_payment|plan_change|used_up|no_accounting|never_seen|v6_included|accel_ppp|unsendable|service_profile|"
    r"octets_mode|framed_ip|active:[0-9a-z]{6})"
)
GB = 10**9


@pytest.mark.django_db
class TestAccounts:
    FORM = {
        "username": "Jane@North.example",
        "timezone": "Europe/Lisbon",
        "over_cap": "block",
        "enabled": "on",
    }

    def test_are_made_with_a_random_password_and_a_cap_in_gigabytes(
        self, browser: Client, rows: dict[str, Any], acting: Tenant
    ) -> None:
        form = self.FORM | {"service_profile": str(rows["aaa.ServiceProfile"].pk), "cap_bytes": "2.5"}

        answer = browser.post(reverse("admin:aaa_account_add"), form)
        again = browser.post(reverse("admin:aaa_account_add"), form | {"username": "jane@north.example"})

        account = Account.objects.get(username_key="jane@north.example")
        assert answer.status_code == 302
        assert (account.cap_bytes, len(account.password.reveal())) == (2_500_000_000, 16)
        assert "An account with this user name exists already." in again.content.decode()
        assert b'value="2.5"' in browser.get(page_of(account)).content
        Account.objects.filter(pk=account.pk).update(cap_bytes=500 * GB)
        assert b'value="500"' in browser.get(page_of(account)).content

    def test_keep_their_password_unless_another_is_typed(
        self, browser: Client, rows: dict[str, Any], acting: Tenant
    ) -> None:
        account = rows["aaa.Account"]
        form = self.FORM | {"username": account.username, "service_profile": str(account.service_profile_id)}

        browser.post(page_of(account), form | {"name": "Maria"})
        account.refresh_from_db()
        kept = account.password.reveal()
        browser.post(page_of(account), form | {"password": "another-one"})

        account.refresh_from_db()
        assert (account.name, kept, account.password.reveal()) == ("", "never-shown-secret", "another-one")

    def test_reveal_their_password_to_who_may_and_write_it_down(
        self,
        browser: Client,
        browser_as: Callable[[Role], Client],
        rows: dict[str, Any],
        acting: Tenant,
        admin_user: User,
    ) -> None:
        url = action_url(rows["aaa.Account"], "reveal_password")
        entries = AuditEntry.objects.filter(action="revealed RADIUS password")

        refused = browser_as(Role.SUBSCRIBER_ACCOUNTS).post(url, {CONFIRMED: "yes"})
        before = entries.count()
        shown = browser.post(url, {CONFIRMED: "yes"})

        assert (refused.status_code, before) == (403, 0)
        assert "no-store" in shown["Cache-Control"]
        assert b"never-shown-secret" in shown.content
        assert entries.get().user_id == admin_user.pk

    def test_are_switched_off_and_forget_their_device(
        self, browser: Client, rows: dict[str, Any], acting: Tenant
    ) -> None:
        account = rows["aaa.Account"]

        for name in ("disable", "forget_device"):
            browser.post(action_url(account, name), {CONFIRMED: "yes"})

        account.refresh_from_db()
        assert (account.enabled, account.calling_station_id, account.calling_station_key) == (False, "", "")
        assert "Switched off" in text_of(browser.get(page_of(account)).content)

    def test_are_topped_up_and_that_is_ended(self, browser: Client, acting: Tenant) -> None:
        account = make_account("jane", cap_bytes=GB)
        past = {"bytes": "1", "expires_at": "2020-01-01T00:00"}

        wrong = browser.post(action_url(account, "add_top_up"), {CONFIRMED: "yes", **past})
        none = account.top_ups.count()
        browser.post(action_url(account, "add_top_up"), {CONFIRMED: "yes", "bytes": "0.5", "note": "paid"})
        made = account.top_ups.get()
        page = text_of(browser.get(page_of(account)).content)
        browser.post(action_url(account, "end_top_up"), {CONFIRMED: "yes", "top_up": str(made.pk)})

        made.refresh_from_db()
        assert ("This time has passed already" in wrong.content.decode(), none) == (True, 0)
        assert (made.bytes, made.note) == (500_000_000, "paid")
        assert "0 B of 1.50 GB" in page
        assert made.closed_at is not None

    def test_say_what_was_used_and_why_log_ins_were_refused(self, browser: Client, acting: Tenant) -> None:
        account, nas = make_account("jane"), NasFactory(name="Hill")
        DailyUsage.objects.create(
            account=account, day=timezone.now().date(), in4_bytes=GB, out4_bytes=3 * GB, out6_bytes=GB
        )
        reject(account, nas, reason="mac", times=7)

        page = browser.get(page_of(account))
        other = [
            browser.get(f"{page_of(account)}?usage={window}").status_code for window in ("day", "year", "x")
        ]

        text = text_of(page.content)
        assert "In the last 30 days: 4.00 GB down, 1.00 GB up." in text
        assert "Another device than the account&#x27;s" in text
        assert "Forget the device of the account" in text
        assert other == [200, 200, 200]

    @pytest.mark.parametrize(
        ("status", "fields"),
        [
            ("off", {"enabled": False}),
            ("expired", {"expires_at": timezone.now() - timedelta(days=1)}),
            ("barred", {"blocked_reason": "non_payment"}),
        ],
    )
    def test_are_found_by_how_they_stand(
        self, status: str, fields: dict[str, Any], browser: Client, acting: Tenant
    ) -> None:
        make_account("fine")
        found = make_account("other", **fields)

        page = browser.get(f"{ACCOUNTS}?status={status}")

        assert [account.pk for account in page.context["cl"].result_list] == [found.pk]


@pytest.mark.django_db
class TestNas:
    FORM = {
        "name": "Hill", "nas_type": "cisco", "address": "192.0.2.7", "secret": "shared-with-it", "is_active": "on",
        "octets_mode": "combined", "require_message_authenticator": "on",
    }  # fmt: skip

    def test_is_registered_and_never_shows_its_secret(self, browser: Client, acting: Tenant) -> None:
        add = reverse("admin:aaa_nas_add")

        short = browser.post(add, self.FORM | {"secret": "short"})
        untyped = browser.post(add, self.FORM | {"nas_type": ""})
        none = Nas.objects.count()
        answer = browser.post(add, self.FORM)
        nas = Nas.objects.get()
        changed = browser.post(page_of(nas), self.FORM | {"secret": "", "coa_port": "1700", "site": "Tower"})

        nas.refresh_from_db()
        assert (short.status_code, untyped.status_code, none) == (200, 200, 0)
        assert (answer.status_code, changed.status_code) == (302, 302)
        assert (nas.coa_port, nas.site, nas.secret.reveal()) == (1700, "Tower", "shared-with-it")
        assert b"shared-with-it" not in browser.get(page_of(nas)).content

    def test_may_not_have_the_address_of_another_providers(
        self, browser: Client, acting: Tenant, other_tenant: Tenant
    ) -> None:
        with tenant_context(other_tenant.pk):
            NasFactory(address="192.0.2.7")

        answer = browser.post(reverse("admin:aaa_nas_add"), self.FORM)

        assert "is that of another NAS in this installation" in answer.content.decode()
        assert not Nas.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({}, "Never heard of"),
            ({"last_auth_at": timedelta(0)}, "Log-ins seen, accounting not seen"),
            ({"last_auth_at": timedelta(0), "last_acct_at": timedelta(0)}, "Log-ins and accounting arrive"),
            ({"last_auth_at": timedelta(hours=3), "last_acct_at": timedelta(hours=3)}, "Silent for an hour"),
        ],
    )
    def test_says_how_it_is_heard(
        self, fields: dict[str, timedelta], said: str, browser: Client, acting: Tenant
    ) -> None:
        nas = NasFactory(**{name: timezone.now() - ago for name, ago in fields.items()})

        pages = [text_of(browser.get(page).content) for page in ("/admin/aaa/nas/", page_of(nas))]

        assert all(said in page for page in pages)
        concerns = [concern.word.lower() for concern in browser.get("/admin/").context["concerns"]]
        assert (f"nas: {said.lower()}" in concerns) == (said != "Log-ins and accounting arrive")

    def test_carries_realms_by_the_platforms_staff_alone(
        self, browser: Client, acting: Tenant, other_tenant: Tenant, operator: User
    ) -> None:
        nas = NasFactory()
        staff = browser_of(operator)
        staff.post(reverse("admin:switch_tenant"), {"tenant": str(acting.pk)})
        grant = {CONFIRMED: "yes", "realm": "@South.example", "guest": str(other_tenant.pk)}

        refused = browser.post(action_url(nas, "grant_realm"), grant)
        none = nas.realms.count()
        staff.post(action_url(nas, "grant_realm"), grant)
        page = text_of(staff.get(page_of(nas)).content)

        assert (refused.status_code, none) == (403, 0)
        assert nas.realms.get().realm == "south.example"
        assert "@south.example" in page
        staff.post(
            action_url(nas, "withdraw_realm"), {CONFIRMED: "yes", "realm_id": str(nas.realms.get().pk)}
        )
        assert not nas.realms.exists()

    def test_that_is_another_providers_is_only_shown(
        self, browser: Client, acting: Tenant, other_tenant: Tenant
    ) -> None:
        with tenant_context(other_tenant.pk):
            nas = NasFactory(name="Theirs")
            nas_services.grant_realm(nas_id=nas.pk, realm="north.example", guest=str(acting.pk))
        mirror = Nas.objects.get()

        page = browser.get(page_of(mirror))
        answer = browser.post(page_of(mirror), self.FORM)

        assert "It carries your customers" in text_of(page.content)
        assert answer.status_code == 403


@pytest.fixture(scope="module")
def radius_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NasPeer]:
    """A real FreeRADIUS that answers log-ins of amal with the password right."""
    require("freeradius")
    with running(tmp_path_factory.mktemp("radius")) as peer:
        yield peer


@pytest.mark.django_db
class TestTestLogIn:
    def _try(self, browser: Client, nas: Nas, password: str, tenant: Tenant) -> str:
        given = {CONFIRMED: "yes", "username": "amal", "password": password, "method": "chap", "station": ""}
        answer = browser.post(action_url(nas, "test_login"), given)
        job = Job.objects.get(kind=trying.KIND, finished_at=None)
        assert answer["Location"] == page_of(job)
        tasks.test_login(tenant_id=str(tenant.pk), job_id=str(job.pk))
        return text_of(browser.get(page_of(job)).content)

    def test_says_what_the_radius_server_answers(
        self, browser: Client, acting: Tenant, radius_server: NasPeer, settings: Any
    ) -> None:
        settings.RADIUS_SERVER = ("127.0.0.1", radius_server.auth_port)
        nas = NasFactory(address="127.0.0.1", secret=radius_server.secret)

        let_in = self._try(browser, nas, "right", acting)
        refused = self._try(browser, nas, "wrong", acting)

        assert "Let in" in let_in
        assert "Speed, upload / download 10M/50M Mikrotik-Rate-Limit" in let_in
        assert "IPv4 address 100.64.0.9" in let_in
        assert "Refused" in refused
        assert "What the subscriber is told Wrong name or password" in refused
        assert not any("right" in str(job.params) for job in Job.objects.all())

    def test_says_where_to_send_from_when_it_cannot_be_sent_as_this_nas(
        self, browser: Client, acting: Tenant
    ) -> None:
        page = self._try(browser, NasFactory(address="192.0.2.1"), "right", acting)

        assert "Register 127.0.0.1, which is, as a NAS, and test from there." in page

    def test_sends_the_stored_password_only_of_an_account_there_is(
        self, browser: Client, acting: Tenant
    ) -> None:
        given = {CONFIRMED: "yes", "username": "nobody", "password": "", "method": "pap", "station": ""}

        answer = browser.post(action_url(NasFactory(), "test_login"), given, follow=True)

        assert "There is no account nobody of yours" in answer.content.decode()
        assert not Job.objects.exists()


@pytest.mark.django_db
class TestPolicies:
    PREVIEW = "/admin/aaa/policy/preview/"

    def test_are_shown_as_each_nas_is_told_before_they_are_saved(
        self, browser: Client, acting: Tenant
    ) -> None:
        page = text_of(browser.post(self.PREVIEW, {"down_kbps": "100000", "up_kbps": "20000"}).content)

        assert "Mikrotik-Rate-Limit 20M/100M" in page
        assert "Huawei-Output-Average-Rate 100000000" in page
        assert "Does not limit the speed: name its Cisco input policy and Cisco output policy above." in page
        assert not Policy.objects.exists()

    def test_refuse_a_burst_without_a_rate_in_words(self, browser: Client, acting: Tenant) -> None:
        answer = browser.post(reverse("admin:aaa_policy_add"), {"name": "Odd", "burst_down_kbps": "5000"})

        assert "A burst needs a download that it exceeds." in answer.content.decode()
        assert "is violated" not in answer.content.decode()
        assert not Policy.objects.exists()

    def test_are_made_told_and_not_deleted_while_used(self, browser: Client, acting: Tenant) -> None:
        browser.post(reverse("admin:aaa_policy_add"), {"name": "Slow", "down_kbps": "1000", "up_kbps": "500"})
        policy = Policy.objects.get()
        make_account("jane", policy)

        page = browser.post(reverse("admin:aaa_policy_delete", args=[policy.pk]), {"post": "yes"})

        assert policy.replies.get(nas_type="mikrotik").r1 == "500k/1M"
        assert "is still used by 1 account" in text_of(page.content)
        assert Policy.objects.exists()


@pytest.mark.django_db
class TestVouchers:
    def test_are_made_in_a_batch_and_revoked(
        self, browser: Client, rows: dict[str, Any], acting: Tenant
    ) -> None:
        form = {
            "name": "Café", "quantity": "24", "prefix": "caf", "valid_for": "2", "valid_unit": "days",
            "data_bytes": "5", "service_profile": str(rows["aaa.ServiceProfile"].pk),
        }  # fmt: skip

        endless = browser.post(
            reverse("admin:aaa_voucherbatch_add"), form | {"valid_for": "", "data_bytes": ""}
        )
        none = VoucherBatch.objects.filter(name="Café").count()
        answer = browser.post(reverse("admin:aaa_voucherbatch_add"), form)
        batch = VoucherBatch.objects.get(name="Café")
        waiting = text_of(browser.get(page_of(batch)).content)
        job = Job.objects.get(kind="aaa.make_vouchers")
        tasks.make_vouchers(tenant_id=str(acting.pk), job_id=str(job.pk))
        page = browser.get(page_of(batch))
        browser.post(action_url(batch, "revoke"), {CONFIRMED: "yes"})

        assert ("a voucher without either never ends" in endless.content.decode(), none) == (True, 0)
        assert answer["Location"] == page_of(batch)
        assert (batch.valid_minutes, batch.data_bytes, batch.prefix) == (2880, 5 * GB, "CAF")
        assert "The codes are being made." in waiting
        assert "Download the print sheet (PDF)" in text_of(page.content)
        sheet: Any = browser.get(page.context["batch"]["sheet_url"])
        assert (sheet.status_code, b"".join(sheet.streaming_content)[:4]) == (200, b"%PDF")
        assert set(batch.vouchers.values_list("state", flat=True)) == {VoucherState.REVOKED}


@pytest.mark.django_db
class TestSettings:
    FORM = {
        "unpaid": "garden", "suspended": "reject", "expired": "reject", "username_template": "{number}@north.example",
        "attempt_days": "60", "session_days": "730", "message_blocked": "Please call us",
    }  # fmt: skip

    def test_are_refused_in_the_pages_own_words(self, browser: Client, acting: Tenant) -> None:
        answer = browser.post(SETTINGS, self.FORM)

        assert (
            "A walled garden needs a policy that says what it is: choose one here." in answer.content.decode()
        )
        assert "garden_policy_id" not in answer.content.decode()
        assert not RadiusSettings.objects.exclude(unpaid="reject").exists()

    def test_are_saved_and_shown_again(self, browser: Client, acting: Tenant) -> None:
        policy = make_policy("Garden")

        answer = browser.post(SETTINGS, self.FORM | {"garden_policy": str(policy.pk)})

        saved = RadiusSettings.objects.get()
        assert answer.status_code == 302
        assert (saved.unpaid, saved.garden_policy_id, saved.messages) == (
            "garden", policy.pk, {"blocked": "Please call us"},
        )  # fmt: skip
        assert b"Please call us" in browser.get(SETTINGS).content
