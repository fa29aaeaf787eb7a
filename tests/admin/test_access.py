"""The pages of access: what they say, what they cost, who may do what, and nobody else's rows."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, sync_playwright

from aaa import tasks
from aaa.models import (
    Account,
    AuthAttempt,
    DailyUsage,
    Nas,
    Policy,
    RadiusSettings,
    Session,
    SessionAction,
    Voucher,
    VoucherBatch,
    VoucherState,
)
from aaa.services import nas as nas_services
from aaa.services import trying
from ispcore.admin.actions import CONFIRMED
from ispcore.admin.columns import Column, columns
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Tenant, User
from ispcore.tenants.roles import Role
from tests.aaa.nas_peer import NasPeer, running
from tests.aaa.online import make_account, make_policy, make_session
from tests.admin.conftest import browser_of
from tests.admin.test_actions import action_url
from tests.admin.test_hardware_pages import page_of, text_of
from tests.conftest import PASSWORD
from tests.factories import NasFactory, SubscriberFactory, SubscriptionFactory
from tests.needs import require

ENDED, REJECTS = "/admin/aaa/session/ended/", "/admin/aaa/account/rejects/"
SETTINGS = "/admin/aaa/account/settings/"
SESSIONS, ACCOUNTS = "/admin/aaa/session/", "/admin/aaa/account/"
CODES = re.compile(
    r"\b(non_payment|plan_change|used_up|no_accounting|never_seen|v6_included|accel_ppp|unsendable|service_profile|"
    r"octets_mode|framed_ip|active:[0-9a-z]{6})"
)
GB = 10**9


def reject(account: Account, nas: Nas, **fields: Any) -> AuthAttempt:
    now = timezone.now()
    values = {
        "at": now, "last_at": now, "account_id": account.pk, "nas_id": nas.pk, "username": account.username,
        "username_key": account.username_key, "accepted": False, "reason": "password",
    }  # fmt: skip
    attempt: AuthAttempt = AuthAttempt.objects.create(**values | fields)
    return attempt


def ask_nas(session: Session, nas: Nas, **fields: Any) -> SessionAction:
    now = timezone.now()
    values: dict[str, Any] = {
        "kind": "disconnect", "session_id": session.pk, "account_id": session.account_id, "nas": nas, "cause": "hold",
        "state": "done", "outcome": "ack", "next_at": now, "finished_at": now,
    }  # fmt: skip
    made: SessionAction = SessionAction.objects.create(**values | fields)
    return made


@pytest.mark.django_db
class TestEveryPage:
    def test_reads_as_words(self, browser: Client, rows: dict[str, Any], acting: Tenant) -> None:
        of_access = [row for label, row in rows.items() if label.startswith("aaa.")]
        pages = [page_of(row) for row in of_access]
        pages += [reverse(f"admin:aaa_{type(row)._meta.model_name}_changelist") for row in of_access]
        pages += [
            ENDED, REJECTS, SETTINGS, "/admin/", f"{page_of(rows['subscribers.Subscriber'])}?tab=access",
            page_of(rows["subscribers.Subscription"]), reverse("admin:aaa_account_add"),
        ]  # fmt: skip

        answers = {page: browser.get(page) for page in pages}

        assert {answer.status_code for answer in answers.values()} == {200}
        found = {page: CODES.findall(text_of(answer.content)) for page, answer in answers.items()}
        assert {page: codes for page, codes in found.items() if codes} == {}
        assert not any("{'" in text_of(answer.content) for answer in answers.values())
        assert not any(b"never-shown-secret" in answer.content for answer in answers.values())

    @pytest.mark.parametrize("page", [ENDED, REJECTS])
    def test_of_its_own_teaches_where_there_is_nothing(self, page: str, browser: Client) -> None:
        answer = browser.get(page)

        assert answer.status_code == 200
        assert b"isp-empty" in answer.content

    def test_is_closed_to_whom_it_is_not_for(self, browser_as: Callable[[Role], Client]) -> None:
        office, support = browser_as(Role.SUBSCRIBER_ACCOUNTS), browser_as(Role.SUPPORT)

        assert [support.get(page).status_code for page in (ENDED, REJECTS, SETTINGS)] == [200, 200, 403]
        assert office.get(SETTINGS).status_code == 403
        assert office.get(reverse("admin:aaa_account_add")).status_code == 200
        assert office.get(reverse("admin:aaa_nas_add")).status_code == 403

    def test_shows_nothing_of_another_tenant(
        self, browser: Client, rows: dict[str, Any], foreign_rows: dict[str, Any], other_tenant: Tenant
    ) -> None:
        with tenant_context(other_tenant.pk):
            Session.objects.update(stopped_at=timezone.now(), ended_by="stop")
        foreign = foreign_rows["aaa.SessionAction"]

        listed = [text_of(browser.get(page).content) for page in (ENDED, REJECTS, SESSIONS, "/admin/")]
        state = browser.get(reverse("admin:aaa_sessionaction_state", args=[foreign.pk]))

        assert not any("south" in page.lower() for page in listed)
        assert state.status_code == 404


@pytest.mark.django_db
class TestCost:
    @pytest.mark.parametrize(
        "page",
        [
            SESSIONS, ACCOUNTS, ENDED, REJECTS, "/admin/aaa/nas/", "/admin/aaa/policy/", "/admin/aaa/sessionaction/",
            "/admin/aaa/serviceprofile/", "/admin/aaa/voucher/", "/admin/aaa/voucherbatch/", "/admin/",
        ],
    )  # fmt: skip
    def test_a_list_costs_the_same_for_one_row_or_six(
        self, page: str, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        self._make(0)
        browser.get(page)
        one = query_count(browser.get, page)

        for number in range(1, 6):
            self._make(number)

        assert query_count(browser.get, page) == one

    def test_an_accounts_page_costs_the_same_for_one_session_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        account, nas = make_account("jane", make_policy()), NasFactory()
        page = page_of(account)
        self._happen(account, nas, 0)
        browser.get(page)
        one = query_count(browser.get, page)

        for number in range(1, 6):
            self._happen(account, nas, number)

        assert query_count(browser.get, page) == one

    def test_a_customers_tab_costs_the_same_for_one_line_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int]
    ) -> None:
        customer, nas = SubscriberFactory(), NasFactory()
        page = f"{page_of(customer)}?tab=access"

        def add(number: int) -> None:
            line = SubscriptionFactory(subscriber=customer)
            self._happen(make_account(f"user{number}", subscription=line), nas, number)

        add(0)
        browser.get(page)
        one = query_count(browser.get, page)
        for number in range(1, 6):
            add(number)

        assert query_count(browser.get, page) == one

    def _make(self, number: int) -> None:
        policy = make_policy(f"Rate {number}")
        account = make_account(f"user{number}", policy, subscription=SubscriptionFactory())
        nas = NasFactory()
        self._happen(account, nas, number)
        batch = VoucherBatch.objects.create(
            name=f"Batch {number}", quantity=1, service_profile=account.service_profile, policy=policy
        )
        Voucher.objects.create(batch=batch, code_hash=str(number).encode(), shown="CAFE")

    def _happen(self, account: Account, nas: Nas, number: int) -> None:
        session = make_session(nas, account, f"open-{account.username}-{number}")
        ask_nas(session, nas)
        make_session(
            nas, account, f"over-{account.username}-{number}", stopped_at=timezone.now(), ended_by="stop"
        )
        reject(account, nas)


@pytest.mark.django_db
class TestSessions:
    def test_stand_newest_first_and_only_while_they_run(self, browser: Client, acting: Tenant) -> None:
        nas, account = NasFactory(name="Hill"), make_account("jane")
        now = timezone.now()
        old = make_session(nas, account, "1", started_at=now - timedelta(days=1))
        new = make_session(nas, account, "2", started_at=now - timedelta(hours=1), out4_bytes=2_500_000_000)
        make_session(nas, account, "3", stopped_at=now, ended_by="stop")

        page = browser.get(SESSIONS)

        assert [session.pk for session in page.context["cl"].result_list] == [new.pk, old.pk]
        text = text_of(page.content)
        assert "2 online, by NAS" in text
        assert "2.50 GB" in text

    def test_are_found_by_what_staff_know(self, browser: Client, acting: Tenant) -> None:
        policy = make_policy()
        hill, dale = NasFactory(), NasFactory()
        line = SubscriptionFactory()
        jane = make_session(hill, make_account("jane@north.example", policy, subscription=line), "1")
        make_session(dale, make_account("amal"), "2", framed_ip="100.64.7.7", station_key="02005e0000aa")
        asked = {
            f"nas={hill.pk}": "1", f"policy={policy.pk}": "1", f"plan={line.plan_id}": "1", "q=JANE": "1",
            "q=100.64.7.7": "2", "q=02-00-5E-00-00-AA": "2", f"nas={dale.pk}": "2", "nas=nonsense": "2 1",
        }  # fmt: skip

        found = {
            query: " ".join(
                each.acct_session_id for each in browser.get(f"{SESSIONS}?{query}").context["cl"].result_list
            )
            for query in asked
        }

        assert {**found, "nas=nonsense": "2 1"} == asked
        assert jane.stopped_at is None

    def test_are_disconnected_by_who_may(
        self,
        browser: Client,
        browser_as: Callable[[Role], Client],
        rows: dict[str, Any],
        acting: Tenant,
        admin_user: User,
    ) -> None:
        SessionAction.objects.all().delete()
        url = action_url(rows["aaa.Session"], "disconnect")

        asked = browser.get(url)
        by_get = SessionAction.objects.count()
        refused = browser_as(Role.SUPPORT).post(url, {CONFIRMED: "yes"})
        before = SessionAction.objects.count()
        done = browser.post(url, {CONFIRMED: "yes"})

        made = SessionAction.objects.get()
        assert (asked.status_code, by_get, refused.status_code, before) == (200, 0, 403, 0)
        assert (made.kind, made.cause, made.requested_by) == ("disconnect", "staff", admin_user)
        assert done["Location"] == page_of(made)
        page = browser.get(page_of(made))
        assert b'hx-trigger="every 1s"' in page.content
        assert f"Asked by {admin_user}" in text_of(page.content)

    def test_are_told_their_speed_again_from_the_list(self, browser: Client, acting: Tenant) -> None:
        nas = NasFactory()
        sessions = [make_session(nas, make_account(f"user{each}"), str(each)) for each in range(2)]

        answer = browser.post(
            SESSIONS,
            {
                "action": "apply_again",
                CONFIRMED: "yes",
                "_selected_action": [str(each.pk) for each in sessions],
            },
        )

        assert answer["Location"] == reverse("admin:aaa_sessionaction_changelist")
        assert list(SessionAction.objects.values_list("kind", flat=True)) == ["coa", "coa"]

    def test_that_ended_say_why_and_are_walked_by_cursor(self, browser: Client, acting: Tenant) -> None:
        nas, account = NasFactory(), make_account("jane")
        now = timezone.now()
        for number in range(52):
            make_session(
                nas, account, str(number), ended_by="stop", terminate_cause="Lost-Carrier",
                stopped_at=now - timedelta(minutes=number),
            )  # fmt: skip

        first = browser.get(f"{ENDED}?user=JANE")
        second = browser.get(ENDED + first.context["page"].older)

        assert "The NAS said so: the line went away" in text_of(first.content)
        assert (len(first.context["rows"]), len(second.context["rows"])) == (50, 2)
        assert second.context["page"].older == ""
        assert browser.get(f"{ENDED}?before=nonsense").status_code == 200


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


@pytest.mark.django_db
class TestCustomersPages:
    def test_show_who_is_online_and_why_somebody_was_refused(
        self, browser: Client, rows: dict[str, Any], acting: Tenant
    ) -> None:
        line = rows["subscribers.Subscription"]

        pages = [
            browser.get(f"{page_of(rows['subscribers.Subscriber'])}?tab=access").content,
            browser.get(page_of(line)).content,
        ]

        for page in pages:
            text = text_of(page)
            assert "maria@north.example" in text
            assert "Service suspended: abuse" in text
            assert "Another device than the account&#x27;s" in text
            assert action_url(rows["aaa.Session"], "disconnect").encode() in page

    def test_lead_to_a_first_account(self, browser: Client, acting: Tenant) -> None:
        line = SubscriptionFactory()

        page = browser.get(page_of(line))
        form = browser.get(f"{reverse('admin:aaa_account_add')}?subscription={line.pk}")

        assert "No account logs in for this service." in text_of(page.content)
        assert f'value="{line.pk}" selected' in form.content.decode()


def test_columns_say_what_they_draw() -> None:
    found = [Column("1 Mar", "1 Mar: much", (30.0, 7.0)), Column("2 Mar", "2 Mar: nothing", (0.0, 0.0))]
    names = (("Download", "info"), ("Upload", "good"))

    drawn = columns(found, names=names, unit="GB", summary="In 2 days: 37 GB.")

    assert drawn.count('class="isp-column isp-') == 2
    assert 'aria-label="In 2 days: 37 GB."' in drawn
    assert "<title>1 Mar: much</title>" in drawn
    assert ">40 GB<" in drawn
    assert columns([found[1]], names=names, unit="GB", summary="") == ""


@pytest.mark.django_db(transaction=True)
def test_a_session_is_ended_by_keyboard_on_a_phone(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    (chromium,) = require("chromium")
    # The browser's own event loop runs in this thread, and Django would take it for an asynchronous view.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with tenant_context(tenant.pk):
        nas = NasFactory()
        account = make_account("jane", make_policy())
        session = make_session(nas, account, "1")
        reject(account, nas)
        pages = [
            SESSIONS,
            ACCOUNTS,
            ENDED,
            REJECTS,
            SETTINGS,
            "/admin/aaa/nas/",
            page_of(nas),
            page_of(account),
        ]
        pages.append(page_of(session))

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        _log_in(page, live_server.url, admin_user)
        for each in pages:
            page.goto(live_server.url + each)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), each
        page.goto(live_server.url + action_url(session, "disconnect"))
        page.get_by_role("button", name="Disconnect").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/aaa/sessionaction/**")
        browser.close()

    with tenant_context(tenant.pk):
        assert SessionAction.objects.get().kind == "disconnect"


def _log_in(page: Page, url: str, user: User) -> None:
    page.goto(f"{url}/admin/login/")
    page.fill("input[name=username]", user.email)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/admin/")
