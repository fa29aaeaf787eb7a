"""The pages of access: what they say, what they cost, who may do what, and nobody else's rows."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from aaa.models import (
    Account,
    AuthAttempt,
    Nas,
    Session,
    SessionAction,
    Voucher,
    VoucherBatch,
)
from ispcore.admin.actions import CONFIRMED
from ispcore.admin.columns import Column, columns
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from tests.aaa.online import make_account, make_policy, make_session
from tests.admin.browsing import logged_in
from tests.admin.test_actions import action_url
from tests.admin.test_hardware_pages import page_of, text_of
from tests.factories import NasFactory, SubscriberFactory, SubscriptionFactory

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

    with logged_in(admin_user, live_server.url, monkeypatch) as page:
        for each in pages:
            page.goto(live_server.url + each)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), each
        page.goto(live_server.url + action_url(session, "disconnect"))
        page.get_by_role("button", name="Disconnect").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/aaa/sessionaction/**")

    with tenant_context(tenant.pk):
        assert SessionAction.objects.get().kind == "disconnect"
