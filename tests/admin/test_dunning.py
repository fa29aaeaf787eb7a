"""Dunning and prepaid as staff click through them."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.models import (
    CreditVoucher,
    CreditVoucherBatch,
    DunningNight,
    DunningPolicy,
    Exemption,
    PrepaidLine,
    Promise,
    Reminder,
    Transfer,
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


def test_a_batch_is_booked_as_sold_once(browser, acting):
    batch = CreditVoucherBatch.objects.create(name="Shop", quantity=2, amount=20, currency="EUR")
    CreditVoucher.objects.bulk_create(
        CreditVoucher(batch=batch, code_hash=bytes([n]) * 32, shown="ABCD") for n in range(2)
    )
    url = reverse("admin:billing_creditvoucherbatch_action", args=[batch.pk, "sell"])

    asked = browser.get(url)
    for _ in range(2):
        browser.post(url, {"confirmed": "1", "method": "bank"})

    assert "Where the money is" in asked.content.decode()
    (booked,) = Transfer.objects.all()
    assert (booked.kind, booked.debit, booked.amount) == ("sale", "bank", 40)
    page = browser.get(reverse("admin:billing_creditvoucherbatch_change", args=[batch.pk])).content.decode()
    assert "2 vouchers, 40.00\xa0EUR" in page


class TestPrepaid:
    @pytest.fixture
    def line(self, acting):
        line = owing.make_line(owing.make_profile(payment_kind="prepaid"))
        PrepaidLine.objects.create(
            subscription=line, anchor_on=date(2026, 3, 1), paid_until=date(2026, 4, 1), currency="EUR"
        )
        return line

    def test_stands_in_the_head_and_on_the_payments_of_a_customer(self, browser, line):
        url = reverse("admin:subscribers_subscriber_change", args=[line.subscriber_id])

        head = browser.get(url).content.decode()
        tab = browser.get(url, {"tab": "payments"}).content.decode()

        assert "Prepaid until" in head
        assert "31 Mar 2026" in head
        assert "paid until 31 Mar 2026" in tab
        assert "Without enough credit it is held until a top-up." in tab

    def test_stands_on_the_page_of_its_service(self, browser, line):
        page = browser.get(reverse("admin:subscribers_subscription_change", args=[line.pk])).content.decode()

        assert "31 Mar 2026" in page
        assert "The next period costs" in page
        assert "The next period is bought from credit" in page

    def test_is_not_said_of_who_pays_later(self, browser, acting):
        line = owing.make_line(owing.make_profile())

        page = browser.get(reverse("admin:subscribers_subscriber_change", args=[line.subscriber_id]))

        assert "Prepaid until" not in page.content.decode()

    def test_costs_the_same_for_one_or_six(self, browser, line, query_count):
        url = f"{reverse('admin:subscribers_subscriber_change', args=[line.subscriber_id])}?tab=payments"
        browser.get(url)
        one = query_count(browser.get, url)
        for _ in range(5):
            more = owing.make_line(None, subscriber=line.subscriber)
            PrepaidLine.objects.create(
                subscription=more, anchor_on=date(2026, 3, 1), paid_until=date(2026, 4, 1), currency="EUR"
            )

        assert query_count(browser.get, url) == one
