"""Who is cut on which day, who is spared, and how many at once."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from billing import tasks
from billing.models import DunningNight, DunningPolicy, Exemption, Payment, Promise
from billing.services.dunning import calendar, clearing, exemptions, nightly, promises, suspending, tonight
from ispcore.events.models import Event
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from subscribers.models import Hold, Subscriber, Subscription
from tests.billing import owing
from tests.factories import SubscriptionFactory

ON = date(2026, 3, 10)  # A Tuesday.
AT = datetime(2026, 3, 10, 2, 30, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def policy(acting):
    return DunningPolicy.objects.create()


def overdue(due_on: date = date(2026, 3, 1), grace: int = 0, amount: str = "31.00") -> Subscription:
    line = owing.make_line(owing.make_profile(grace_days=grace))
    owing.invoice(line.subscriber, due_on=due_on, amount=amount)
    return line


def verdicts(on: date = ON) -> list[tuple[str, str]]:
    return [(row.verdict, row.why) for row in tonight.tonight(on=on)]


def run_night(on: date = ON, at: datetime = AT) -> Any:
    night = suspending.begin_night(on=on, at=at)
    work(night)
    return DunningNight.objects.get(pk=night.pk)


def work(night: DunningNight) -> None:
    tasks.suspend_tonight(tenant_id=str(night.tenant_id), job_id=str(night.job_id))


def running(count: int) -> None:
    """Lines of customers who owe nothing."""
    SubscriptionFactory.create_batch(count, status="active", subscriber=owing.make_line(None).subscriber)


class TestTheDay:
    @pytest.mark.parametrize(
        ("due_on", "grace", "country", "first_cut"),
        [
            (date(2026, 3, 2), 0, "", date(2026, 3, 3)),
            (date(2026, 3, 2), 5, "", date(2026, 3, 9)),  # The 8th is a Sunday.
            (date(2026, 3, 6), 0, "", date(2026, 3, 9)),  # From Friday to Monday.
            (date(2026, 4, 1), 1, "PT", date(2026, 4, 6)),  # Good Friday, then a weekend.
            (date(2026, 4, 1), 1, "DE", date(2026, 4, 7)),  # Easter Monday, too.
            (date(2026, 12, 24), 0, "PT", date(2026, 12, 28)),  # Christmas Day is a Friday.
            (date(2026, 2, 26), 0, "EG", date(2026, 3, 1)),  # Friday and Saturday are the weekend.
        ],
    )  # fmt: skip
    def test_is_the_first_working_day_after_the_grace(self, policy, due_on, grace, country, first_cut):
        policy.country = country
        policy.save()
        overdue(due_on, grace)

        days = (due_on + timedelta(days=step) for step in range(1, 15))
        cut_on = next(day for day in days if [row.verdict for row in tonight.tonight(on=day)] == ["cut"])

        assert cut_on == first_cut

    def test_a_part_of_a_country_has_days_of_its_own(self):
        assert calendar.rests_on(date(2026, 1, 6), country="DE", subdivision="BY") == "Epiphany"
        assert calendar.rests_on(date(2026, 1, 6), country="DE") == ""

    def test_any_day_will_do_where_the_policy_says_so(self, policy):
        policy.business_days_only = False
        policy.save()
        overdue(date(2026, 3, 6))

        assert verdicts(date(2026, 3, 7)) == [("cut", "Due since 6 Mar 2026, 1 day")]

    @pytest.mark.parametrize(
        ("zone", "at", "night"),
        [
            ("UTC", datetime(2026, 3, 10, 1, 59, tzinfo=UTC), None),
            ("UTC", datetime(2026, 3, 10, 2, 0, tzinfo=UTC), date(2026, 3, 10)),
            ("Pacific/Kiritimati", datetime(2026, 3, 9, 12, 0, tzinfo=UTC), date(2026, 3, 10)),
            ("America/Los_Angeles", datetime(2026, 3, 10, 8, 59, tzinfo=UTC), None),
            ("America/Los_Angeles", datetime(2026, 3, 10, 9, 0, tzinfo=UTC), date(2026, 3, 10)),
            # The clock jumps from two to three that night.
            ("America/New_York", datetime(2026, 3, 8, 7, 0, tzinfo=UTC), date(2026, 3, 8)),
        ],
    )
    def test_begins_at_two_where_the_provider_is(self, policy, acting, zone, at, night):
        acting.timezone = zone
        acting.save()

        nightly.do_what_is_due(at=at)
        nightly.do_what_is_due(at=at)

        assert list(DunningNight.objects.values_list("on", flat=True)) == ([night] if night else [])
        assert Job.objects.filter(kind=suspending.KIND).count() == (1 if night else 0)

    def test_tonight_is_the_next_night(self, policy):
        assert tonight.next_night(datetime(2026, 3, 10, 1, 59, tzinfo=UTC)) == date(2026, 3, 10)
        assert tonight.next_night(datetime(2026, 3, 10, 2, 0, tzinfo=UTC)) == date(2026, 3, 11)


class TestWhoIsSpared:
    def test_who_has_no_policy(self, acting):
        overdue()

        assert verdicts() == []

    def test_who_promised_until_the_day_has_passed(self, policy):
        line = overdue()
        promises.make_promise(
            subscriber_id=line.subscriber_id, amount=Decimal(31), currency="EUR", until=ON, on=ON, at=AT
        )

        assert verdicts() == [("promise", "Promised 31.00 EUR until 10 Mar 2026")]
        assert verdicts(ON + timedelta(days=1))[0][0] == "cut"

    def test_who_is_exempt(self, policy):
        line = overdue()
        exemptions.exempt(subscriber_id=line.subscriber_id, reason="Hospital", until=None, on=ON, at=AT)

        assert verdicts() == [("exemption", "Exempt: Hospital")]

    def test_who_owes_the_minimum(self, policy):
        policy.minimum_balance = Decimal("31.00")
        policy.save()
        overdue()
        overdue(amount="31.01")

        assert sorted(verdicts()) == [
            ("cut", "Due since 1 Mar 2026, 9 days"),
            ("minimum_balance", "Owes no more than the minimum of 31.00 EUR"),
        ]

    def test_who_is_within_the_grace_is_not_listed(self, policy):
        overdue(date(2026, 3, 5), grace=5)

        assert verdicts() == []

    def test_whose_profile_has_another_policy(self, policy):
        line = overdue()
        DunningPolicy.objects.create(billing_profile=line.subscriber.billing_profile, suspends=False)

        assert verdicts() == []

    def test_credit_counts_though_no_invoice_was_paid_with_it(self, policy):
        line = overdue()
        owing.credit(line.subscriber, "31.00")

        assert verdicts() == []

    def test_the_list_costs_the_same_for_one_or_many(self, policy, query_count):
        overdue()
        one = query_count(lambda: tonight.tonight(on=ON))
        for _ in range(5):
            overdue()

        assert query_count(lambda: tonight.tonight(on=ON)) == one
        assert len(tonight.tonight(on=ON)) == 6


class TestTheNight:
    def test_holds_all_lines_of_who_owes(self, policy):
        line = overdue()
        second = owing.make_line(None, subscriber=line.subscriber)
        policy.cap_percent = 100
        policy.save()
        Event.objects.all().delete()

        night = run_night()

        assert (night.status, night.suspended_lines, night.suspended_subscribers) == ("done", 2, 1)
        held = Hold.objects.values_list("subscription", "reason", "released_at")
        assert sorted(held) == sorted((pk, "non_payment", None) for pk in (line.pk, second.pk))
        names = list(Event.objects.values_list("name", flat=True))
        assert names.count("billing.suspended_for_debt") == 1

    def test_is_one_a_day(self, policy):
        overdue()
        run_night()

        again = run_night()

        assert again.status == "done"
        assert (Job.objects.count(), Hold.objects.count()) == (1, 1)

    def test_stops_above_the_cap_and_asks(self, policy, admin_user):
        running(63)
        for _ in range(3):
            overdue()

        night = run_night()

        assert (night.active_lines, night.cap_lines, night.found_lines) == (67, 2, 3)
        assert (night.status, night.suspended_lines, Hold.objects.count()) == ("waiting", 0, 0)
        assert Event.objects.filter(name="billing.dunning_stopped").count() == 1

    def test_goes_on_when_a_person_approves(self, policy, admin_user):
        running(9)
        for _ in range(3):
            overdue()
        night = run_night()

        approved = suspending.approve_night(night_id=night.pk, lines=3, at=AT, user_id=admin_user.pk)
        work(approved)

        night.refresh_from_db()
        assert (night.status, night.suspended_lines, night.approved_by_id) == ("done", 3, admin_user.pk)
        assert Hold.objects.count() == 3

    def test_is_not_approved_for_fewer_than_there_are(self, policy, admin_user):
        running(9)
        for _ in range(3):
            overdue()
        night = run_night()
        overdue()

        with pytest.raises(suspending.MoreThanShown):
            suspending.approve_night(night_id=night.pk, lines=3, at=AT, user_id=admin_user.pk)

        night.refresh_from_db()
        assert (night.status, Hold.objects.count()) == ("waiting", 0)

    def test_is_not_approved_the_day_after(self, policy, admin_user):
        for _ in range(2):
            overdue()
        night = run_night()

        with pytest.raises(suspending.NightOver):
            suspending.approve_night(
                night_id=night.pk, lines=2, at=AT + timedelta(days=1), user_id=admin_user.pk
            )

        assert Hold.objects.count() == 0

    def test_the_next_night_calls_off_one_that_waits(self, policy):
        for _ in range(2):
            overdue()
        night = run_night()

        run_night(ON + timedelta(days=1), AT + timedelta(days=1))

        night.refresh_from_db()
        assert night.status == "refused"

    def test_goes_on_where_a_worker_died(self, policy, monkeypatch):
        policy.cap_percent = 100
        policy.save()
        monkeypatch.setattr(suspending, "CHUNK", 2)
        for _ in range(5):
            overdue()
        night = suspending.begin_night(on=ON, at=AT)
        chosen = tonight.to_cut(on=ON, limit=2)
        suspending._cut(chosen, night.pk, at=AT)

        work(night)

        night.refresh_from_db()
        assert (night.status, night.suspended_lines, night.suspended_subscribers) == ("done", 5, 5)
        assert Hold.objects.count() == 5


class TestPromises:
    @pytest.mark.parametrize(
        ("paid", "hours", "status"),
        [("30.99", 1, "broken"), ("31.00", 1, "kept"), ("31.00", 0, "kept"), ("31.00", -1, "broken")],
    )
    def test_are_kept_or_broken_by_what_is_paid_from_then_on(self, policy, paid, hours, status):
        line = overdue(amount="90.00")
        promise = promises.make_promise(
            subscriber_id=line.subscriber_id, amount=Decimal(31), currency="EUR", until=ON, on=ON, at=AT
        )
        Payment.objects.create(
            subscriber=line.subscriber,
            amount=Decimal(paid),
            currency="EUR",
            method="cash",
            received_at=AT + timedelta(hours=hours),
        )

        assert promises.settle_promises(on=ON, at=AT) == 0
        assert promises.settle_promises(on=ON + timedelta(days=1), at=AT) == 1

        promise.refresh_from_db()
        assert promise.status == status

    def test_one_is_open_at_a_time(self, policy):
        line = overdue()
        values: dict[str, Any] = {
            "subscriber_id": line.subscriber_id,
            "amount": Decimal(31),
            "currency": "EUR",
            "on": ON,
            "at": AT,
        }
        promises.make_promise(**values, until=ON)

        with pytest.raises(promises.PromiseOpen):
            promises.make_promise(**values, until=ON + timedelta(days=5))

        assert Promise.objects.count() == 1

    @pytest.mark.parametrize("until", [ON - timedelta(days=1), ON + timedelta(days=93)])
    def test_last_from_today_for_three_months(self, policy, until):
        line = overdue()

        with pytest.raises(promises.PromiseTooFar):
            promises.make_promise(
                subscriber_id=line.subscriber_id,
                amount=Decimal(31),
                currency="EUR",
                until=until,
                on=ON,
                at=AT,
            )

        assert not Promise.objects.exists()

    @pytest.mark.parametrize("amount", ["0", "-1", "1.001"])
    def test_are_of_an_amount_there_is(self, policy, amount):
        line = overdue()

        with pytest.raises(promises.AmountNotWhole):
            promises.make_promise(
                subscriber_id=line.subscriber_id,
                amount=Decimal(amount),
                currency="EUR",
                until=ON,
                on=ON,
                at=AT,
            )

        assert not Promise.objects.exists()


def test_an_exemption_that_is_over_makes_room(policy):
    line = overdue()
    exemptions.exempt(subscriber_id=line.subscriber_id, reason="A", until=ON, on=ON, at=AT)

    with pytest.raises(exemptions.ExemptAlready):
        exemptions.exempt(subscriber_id=line.subscriber_id, reason="B", until=None, on=ON, at=AT)
    exemptions.exempt(
        subscriber_id=line.subscriber_id, reason="B", until=None, on=ON + timedelta(days=1), at=AT
    )

    assert list(Exemption.objects.filter(ended_at=None).values_list("reason", flat=True)) == ["B"]


@pytest.mark.django_db(transaction=True)
def test_nobody_is_cut_whose_payment_came_first(tenant):
    """Payments and cuts of the same subscribers at once: whoever owes nothing in the end has a running line."""
    with tenant_context(tenant.pk):
        DunningPolicy.objects.create(cap_percent=100)
        people = [overdue().subscriber_id for _ in range(12)]
        night = suspending.begin_night(on=ON, at=AT)
    start = threading.Barrier(7)

    def cut():
        start.wait()
        for _ in range(3):
            with tenant_context(tenant.pk):
                suspending._cut(sorted(people), night.pk, at=AT)
        connection.close()

    def pay(some):
        start.wait()
        for pk in some:
            with tenant_context(tenant.pk):
                payer = Subscriber.objects.select_for_update(of=("self",)).get(pk=pk)
                owing.pay(payer.invoices.get())
                clearing.clear(subscriber=payer, at=AT)
        connection.close()

    threads = [threading.Thread(target=cut)]
    threads += [threading.Thread(target=pay, args=(people[nth::6],)) for nth in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with tenant_context(tenant.pk):
        assert set(Subscription.objects.values_list("status", flat=True)) == {"active"}
        assert not Hold.objects.filter(released_at=None).exists()
