"""Dunning and prepaid as staff click through them."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.models import (
    CreditVoucherBatch,
    DunningNight,
    DunningPolicy,
    Exemption,
    Promise,
    Reminder,
)
from ispcore.jobs.models import Job
from ispcore.tenants.roles import Role
from tests.billing import owing

pytestmark = pytest.mark.django_db
TONIGHT = "/admin/billing/dunningnight/tonight/"


@pytest.fixture
def policy(acting):
    return DunningPolicy.objects.create(business_days_only=False)


def overdue(**fields):
    line = owing.make_line(owing.make_profile(), **fields)
    owing.invoice(line.subscriber, due_on=timezone.now().date() - timedelta(days=40))
    return line


class TestTonight:
    def test_teaches_where_there_is_no_policy(self, browser, acting):
        page = browser.get(TONIGHT).content.decode()

        assert "Nobody is reminded or cut yet" in page
        assert "/admin/billing/dunningpolicy/add/" in page

    def test_says_who_and_why(self, browser, policy):
        line = overdue()

        page = browser.get(TONIGHT).content.decode()

        assert line.subscriber.full_name in page
        assert "Will be cut" in page
        assert f"/admin/billing/promise/add/?subscriber={line.subscriber_id}&amp;amount=31.00" in page
        assert "1 service of 1 customer" in page

    def test_says_that_the_cap_is_passed(self, browser, policy):
        for _ in range(2):
            overdue()

        assert "More than the cap." in browser.get(TONIGHT).content.decode()

    @pytest.mark.parametrize(
        "query", ["verdict=nonsense", "page=0", "page=x", "page=99999999", "verdict=promise"]
    )
    def test_takes_any_question(self, browser, policy, query):
        assert browser.get(f"{TONIGHT}?{query}").status_code == 200

    def test_is_closed_to_who_may_not_see_money(self, browser_as, policy):
        assert browser_as(Role.SUPPORT).get(TONIGHT).status_code == 403

    def test_costs_the_same_for_one_or_six(self, browser, policy, query_count):
        overdue()
        browser.get(TONIGHT)
        one = query_count(browser.get, TONIGHT)
        for _ in range(5):
            overdue()

        assert query_count(browser.get, TONIGHT) == one

    def test_is_a_tile_and_a_night_that_waits_a_concern(self, browser, policy):
        overdue()
        DunningNight.objects.create(
            on=date(2026, 3, 10), status="waiting", active_lines=9, cap_lines=1, found_lines=2
        )

        page = browser.get("/admin/").content.decode()

        assert "Cut tonight" in page
        assert "Cuts of 10 Mar 2026 wait for approval" in page


def test_a_promise_is_made_and_withdrawn(browser, policy):
    line = overdue()
    form = {
        "subscriber": str(line.subscriber_id), "amount": "31.00", "currency": "EUR", "note": "By phone",
        "until": (timezone.now().date() + timedelta(days=5)).isoformat(),
    }  # fmt: skip

    first = browser.post("/admin/billing/promise/add/", form)
    again = browser.post("/admin/billing/promise/add/", form)
    promise = Promise.objects.get()
    browser.post(reverse("admin:billing_promise_action", args=[promise.pk, "withdraw"]), {"confirmed": "1"})

    promise.refresh_from_db()
    assert (first.status_code, again.status_code) == (302, 200)
    assert "has promised to pay until" in again.content.decode()
    assert promise.status == "withdrawn"


def test_an_exemption_is_made_and_ended(browser, policy):
    line = overdue()
    form = {"subscriber": str(line.subscriber_id), "reason": "Hospital", "until": ""}

    browser.post("/admin/billing/exemption/add/", form)
    exemption = Exemption.objects.get()
    browser.post(reverse("admin:billing_exemption_action", args=[exemption.pk, "end"]), {"confirmed": "1"})

    exemption.refresh_from_db()
    assert exemption.ended_at is not None


def test_a_night_is_approved_for_what_is_shown(browser, policy, admin_user):
    for _ in range(2):
        overdue()
    night = DunningNight.objects.create(
        on=timezone.now().date(), status="waiting", active_lines=2, cap_lines=1, found_lines=2
    )
    approve = reverse("admin:billing_dunningnight_action", args=[night.pk, "approve"])

    asked = browser.post(approve, {}).content.decode()
    few = browser.post(approve, {"confirmed": "1", "services": "1"}, follow=True).content.decode()
    browser.post(approve, {"confirmed": "1", "services": "2"})

    night.refresh_from_db()
    assert 'value="2"' in asked
    assert "2 services would be cut by now, not 1" in few
    assert (night.status, night.approved_by_id, Job.objects.count()) == ("running", admin_user.pk, 1)


def test_a_policy_is_made_in_one_form(browser, acting):
    form = {
        "billing_profile": "", "reminder_days": "7,0,-3", "suspends": "on", "minimum_balance": "5",
        "business_days_only": "on", "country": "PT", "subdivision": "", "cap_percent": "3", "late_fee_amount": "2.5",
        "late_fee_percent": "", "late_fee_after_days": "0",
    }  # fmt: skip

    unknown = browser.post("/admin/billing/dunningpolicy/add/", {**form, "country": "XX"})
    made = browser.post("/admin/billing/dunningpolicy/add/", form)

    assert "The public holidays of XX are not known" in unknown.content.decode()
    assert made.status_code == 302
    policy = DunningPolicy.objects.get()
    assert (policy.reminder_days, policy.late_fee_amount) == ([-3, 0, 7], Decimal("2.5"))
    assert (
        "3 days before, on the day, 7 days after"
        in browser.get("/admin/billing/dunningpolicy/").content.decode()
    )


def test_a_batch_of_credit_vouchers_is_made(browser, acting):
    form = {
        "name": "Corner shop", "quantity": "24", "prefix": "cs", "amount": "20", "currency": "eur",
        "use_before_0": "", "use_before_1": "",
    }  # fmt: skip

    answer = browser.post("/admin/billing/creditvoucherbatch/add/", form)

    batch = CreditVoucherBatch.objects.get()
    assert answer["Location"] == f"/admin/billing/creditvoucherbatch/{batch.pk}/change/"
    assert (batch.prefix, batch.currency, batch.amount) == ("CS", "EUR", 20)
    assert "The codes are being made." in browser.get(answer["Location"]).content.decode()


def test_reminders_say_what_became_of_them(browser, policy):
    line = overdue()
    Reminder.objects.create(
        invoice=line.subscriber.invoices.get(),
        step=7,
        due_on=date(2026, 3, 10),
        email="eva@customer.example",
        status="uncertain",
        detail="The worker stopped while it was being sent.",
    )

    page = browser.get("/admin/billing/reminder/").content.decode()

    assert "7 days after" in page
    assert "Perhaps sent" in page
