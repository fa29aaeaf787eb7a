"""One change to many rows: told beforehand by outcome, done once, and counted."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ispcore.admin.actions import CONFIRMED, PREVIEW, SEEN
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Hold, PlanChange, PlanZone, Subscriber, Subscription
from subscribers.services import mass, plan_changes
from subscribers.services.mass import runs
from tests.admin.test_customers import text_of
from tests.factories import (
    BillingProfileFactory,
    PlanFactory,
    PremiseFactory,
    SubscriberFactory,
    SubscriptionFactory,
    ZoneFactory,
)

PEOPLE = "/admin/subscribers/subscriber/"
LINES = "/admin/subscribers/subscription/"

pytestmark = pytest.mark.django_db


def choose(action: str, *rows: Any, **more: Any) -> dict[str, Any]:
    return {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}


def confirmed(action: str, *rows: Any, **more: Any) -> dict[str, Any]:
    return {**choose(action, *rows, **more), CONFIRMED: "yes"}


def told(page: Any) -> list[tuple[int, str]]:
    return [(each.count, each.words) for each in page.context["preview"].outcomes]


class TestPreviewOfCustomers:
    def test_says_what_becomes_of_whom(self, browser: Client, people: dict[str, Subscriber]) -> None:
        page = browser.post(PEOPLE, choose("suspend_many", *people.values()))

        assert told(page) == [
            (1, "will be suspended"),
            (1, "is suspended already"),
            (1, "is not a customer yet and stays as it is"),
            (1, "is inactive and stays as it is"),
        ]
        assert "1 will be suspended The active one" in text_of(page.content)
        assert {row.status for row in Subscriber.objects.all()} == set(people)

    def test_names_the_first_rows_of_many(self, browser: Client, acting: Tenant) -> None:
        rows = [SubscriberFactory(status="active", full_name=f"Ana {n}") for n in range(7)]

        page = browser.post(PEOPLE, choose("suspend_many", *rows))

        assert "7 will be suspended Ana 0, Ana 1, Ana 2, Ana 3, Ana 4 and 2 more" in text_of(page.content)

    def test_cannot_be_confirmed_when_nothing_would_change(
        self, browser: Client, people: dict[str, Subscriber]
    ) -> None:
        page = browser.post(PEOPLE, choose("suspend_many", people["suspended"])).content.decode()

        assert "Nothing would change" in page
        assert f'name="{CONFIRMED}"' not in page

    @pytest.mark.parametrize(
        ("name", "answers"),
        [
            ("suspend_many", {}),
            ("activate_many", {}),
            ("add_tags", {PREVIEW: "yes", "tags": "vip, gold"}),
            ("remove_tags", {PREVIEW: "yes", "tags": "vip"}),
        ],
    )
    def test_costs_the_same_for_one_row_or_six(
        self,
        browser: Client,
        acting: Tenant,
        query_count: Callable[..., int],
        name: str,
        answers: dict[str, str],
    ) -> None:
        rows = [SubscriberFactory(status="active", tags=["vip"]) for _ in range(6)]
        browser.post(PEOPLE, choose(name, rows[0], **answers))

        one = query_count(browser.post, PEOPLE, choose(name, rows[0], **answers))
        six = query_count(browser.post, PEOPLE, choose(name, *rows, **answers))

        assert six == one

    def test_counts_all_that_a_filter_matches(self, browser: Client, people: dict[str, Subscriber]) -> None:
        everything = {**choose("suspend_many", people["active"]), "select_across": "1"}

        page = browser.post(f"{PEOPLE}?status__exact=active", everything)

        assert told(page) == [(1, "will be suspended")]

    def test_says_when_there_are_too_many(
        self, browser: Client, people: dict[str, Subscriber], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(runs, "MOST", 3)

        page = browser.post(PEOPLE, choose("suspend_many", *people.values()))

        assert "4 are more than the 3 that can be changed together; narrow the list." in text_of(page.content)
        assert f'name="{CONFIRMED}"' not in page.content.decode()


class TestCustomers:
    def test_are_suspended_and_the_others_left(
        self, browser: Client, people: dict[str, Subscriber], admin_user: User
    ) -> None:
        page = browser.post(
            PEOPLE, confirmed("suspend_many", *people.values(), reason="non_payment", note="May"), follow=True
        )

        assert sorted(Subscriber.objects.values_list("status", flat=True)) == [
            "inactive", "prospect", "suspended", "suspended",
        ]  # fmt: skip
        hold = Hold.objects.get()
        assert (hold.reason, hold.note, hold.opened_by_id) == ("non_payment", "May", admin_user.pk)
        assert "1 suspended, 1 was suspended already, 1 was not a customer yet" in text_of(page.content)

    def test_are_activated_but_not_over_a_bar_for_abuse(
        self, browser: Client, people: dict[str, Subscriber]
    ) -> None:
        barred = SubscriptionFactory(subscriber=people["suspended"], status="suspended")
        Hold.objects.create(subscription=barred, reason="abuse", opened_at=timezone.now())

        asked = browser.post(PEOPLE, choose("activate_many", *people.values()))
        browser.post(PEOPLE, confirmed("activate_many", *people.values()))

        assert told(asked) == [
            (1, "will become a customer"),
            (1, "will come back from being inactive"),
            (1, "is active already"),
            (1, "is barred for abuse or fraud and stays so: activate such a customer alone"),
        ]
        assert sorted(Subscriber.objects.values_list("status", flat=True)) == [
            "active", "active", "active", "suspended",
        ]  # fmt: skip

    def test_get_tags_and_lose_them(self, browser: Client, acting: Tenant) -> None:
        full = SubscriberFactory(tags=[f"t{n}" for n in range(20)])
        rows = [SubscriberFactory(tags=["vip"]), SubscriberFactory(tags=["gold", "vip"]), full]

        asked = browser.post(PEOPLE, choose("add_tags", *rows, tags="VIP, gold", **{PREVIEW: "yes"}))
        browser.post(PEOPLE, confirmed("add_tags", *rows, tags="VIP, gold"))

        assert told(asked) == [
            (1, "will be tagged"),
            (1, "has the tags already"),
            (1, "would have more than 20 tags and stays as it is"),
        ]
        for row in rows:
            row.refresh_from_db()
        assert [row.tags for row in rows[:2]] == [["vip", "gold"], ["gold", "vip"]]
        assert len(full.tags) == 20

        browser.post(PEOPLE, confirmed("remove_tags", *rows, tags="vip"))

        for row in rows:
            row.refresh_from_db()
        assert [row.tags for row in rows[:2]] == [["gold"], ["gold"]]

    def test_of_another_tenant_are_not_touched(
        self, browser: Client, people: dict[str, Subscriber], foreign_rows: dict[str, Any]
    ) -> None:
        foreign = foreign_rows["subscribers.Subscriber"]

        browser.post(PEOPLE, confirmed("suspend_many", people["active"], foreign, reason="staff"))

        with tenant_context(foreign.tenant_id):
            foreign.refresh_from_db()
        assert foreign.status == "active"

    @pytest.mark.parametrize("name", ["suspend_many", "activate_many", "add_tags", "remove_tags"])
    def test_are_left_alone_by_whom_may_only_look(
        self, browser_as: Callable[[Role], Client], people: dict[str, Subscriber], name: str
    ) -> None:
        browser = browser_as(Role.SUPPORT)

        browser.post(PEOPLE, confirmed(name, *people.values(), reason="staff", tags="vip"))

        assert {row.status for row in Subscriber.objects.all()} == set(people)
        assert not Subscriber.objects.exclude(tags=[]).exists()
        assert b"suspend_many" not in browser.get(PEOPLE).content


@pytest.fixture
def six_lines(acting: Tenant) -> dict[str, Subscription]:
    """A line in each state."""
    found: dict[str, Subscription] = {
        status: SubscriptionFactory(status=status, provisioned_at=timezone.now())
        for status in ("pending_installation", "active", "suspended", "terminated")
    }
    Hold.objects.create(subscription=found["suspended"], reason="abuse", opened_at=timezone.now())
    return found


class TestLines:
    def test_are_suspended_for_the_reason_shown(
        self, browser: Client, six_lines: dict[str, Subscription]
    ) -> None:
        staff = browser.post(LINES, choose("suspend_many", *six_lines.values()))
        abuse = browser.post(
            LINES, choose("suspend_many", *six_lines.values(), reason="abuse", **{PREVIEW: "yes"})
        )
        browser.post(LINES, confirmed("suspend_many", *six_lines.values(), reason="staff"))

        ends = [(1, "is not installed yet and stays as it is"), (1, "has ended and stays so")]
        assert told(staff) == [
            (1, "will be suspended"),
            (1, "is suspended for another reason and will have this one too"),
            *ends,
        ]
        assert told(abuse) == [
            (1, "will be suspended"), (1, "is on hold for this reason already"), *ends,
        ]  # fmt: skip
        assert sorted(Hold.objects.values_list("reason", flat=True)) == ["abuse", "staff", "staff"]

    def test_run_again_when_no_other_hold_is_open(
        self, browser: Client, six_lines: dict[str, Subscription]
    ) -> None:
        line = six_lines["suspended"]
        both = SubscriptionFactory(status="suspended")
        for reason in ("abuse", "staff"):
            Hold.objects.create(subscription=both, reason=reason, opened_at=timezone.now())

        asked = browser.post(LINES, choose("resume_many", line, both, six_lines["active"]))
        browser.post(LINES, confirmed("resume_many", line, both, six_lines["active"], reason="abuse"))

        assert told(asked) == [
            (1, "will run again"),
            (1, "will lose this hold and stay suspended for another reason"),
            (1, "is not on hold for this reason"),
        ]
        line.refresh_from_db()
        both.refresh_from_db()
        assert (line.status, both.status) == ("active", "suspended")

    def test_are_taken_into_operation(self, browser: Client, six_lines: dict[str, Subscription]) -> None:
        browser.post(LINES, confirmed("activate_many", *six_lines.values()))

        assert sorted(Subscription.objects.values_list("status", flat=True)) == [
            "active", "active", "suspended", "terminated",
        ]  # fmt: skip

    def test_change_plan_with_the_sum_of_what_it_costs(self, browser: Client, acting: Tenant) -> None:
        old, new = PlanFactory(price="30.00"), PlanFactory(price="60.00")
        profile = BillingProfileFactory(cycle="anniversary", cycle_day=None)
        now = timezone.now()
        rows = [SubscriptionFactory(plan=old, status="active", provisioned_at=now) for _ in range(2)]
        rows.append(
            SubscriptionFactory(
                plan=old,
                status="active",
                provisioned_at=now - timedelta(days=3),
                subscriber__billing_profile=profile,
            )
        )
        rows.append(SubscriptionFactory(plan=old))
        each = [
            plan_changes.preview_plan_change(
                subscription_id=row.pk, to_plan_id=new.pk, on=timezone.localdate()
            )
            for row in rows
        ]

        forecast = mass.forecast(
            change=mass.change_named("change_plan", Subscription),
            rows=Subscription.objects.all(),
            asked={"to_plan_id": str(new.pk), "effective_on": timezone.localdate().isoformat()},
        )

        assert [(group.outcome, group.count) for group in forecast.groups] == [("changed", 4)]
        (money,) = forecast.money
        assert money.currency == "EUR"
        assert money.net == sum((cost.net for cost in each), Decimal(0))
        assert (money.credit, money.charge) == (
            sum((cost.credit for cost in each), Decimal(0)),
            sum((cost.charge for cost in each), Decimal(0)),
        )

    def test_change_plan_only_where_they_can(self, browser: Client, acting: Tenant) -> None:
        harbour = ZoneFactory()
        quay = ZoneFactory(parent=harbour)
        new = PlanFactory(price="60.00")
        PlanZone.objects.create(plan=new, zone=harbour)
        inside = SubscriptionFactory(status="active", premise=PremiseFactory(zone=quay))
        rows = [
            inside,
            SubscriptionFactory(status="active"),
            SubscriptionFactory(status="active", plan=new),
            SubscriptionFactory(status="terminated"),
            SubscriptionFactory(
                status="active", plan=PlanFactory(currency="USD"), premise=PremiseFactory(zone=quay)
            ),
        ]
        answers = {"to_plan": str(new.pk), "effective_on": timezone.localdate().isoformat()}

        first = browser.post(LINES, choose("change_plan_many", *rows))
        asked = browser.post(LINES, choose("change_plan_many", *rows, **answers, **{PREVIEW: "yes"}))
        browser.post(LINES, confirmed("change_plan_many", *rows, **answers))

        assert f'name="{CONFIRMED}"' not in first.content.decode()
        assert told(asked) == [
            (1, "will change to this plan"),
            (1, "has this plan already"),
            (1, "is billed in another currency and stays as it is"),
            (1, "is where the plan is not sold on that day and stays as it is"),
            (1, "has ended and stays so"),
        ]
        assert [change.subscription_id for change in PlanChange.objects.all()] == [inside.pk]

    def test_are_not_changed_to_another_plan_than_the_one_shown(
        self, browser: Client, six_lines: dict[str, Subscription]
    ) -> None:
        new, other = PlanFactory(), PlanFactory()
        line, day = six_lines["active"], timezone.localdate().isoformat()
        shown = browser.post(
            LINES,
            choose("change_plan_many", line, to_plan=new.pk, effective_on=day, **{PREVIEW: "yes"}),
        )
        seen = re.search(rf'name="{SEEN}" value="(\w+)"', shown.content.decode())
        assert seen is not None

        again = browser.post(
            LINES,
            confirmed("change_plan_many", line, to_plan=other.pk, effective_on=day, **{SEEN: seen[1]}),
        )

        assert again.status_code == 200
        assert not PlanChange.objects.exists()
        browser.post(
            LINES, confirmed("change_plan_many", line, to_plan=new.pk, effective_on=day, **{SEEN: seen[1]})
        )
        assert PlanChange.objects.get().to_plan_id == new.pk

    @pytest.mark.parametrize("name", ["suspend_many", "resume_many", "activate_many", "change_plan_many"])
    def test_cost_the_same_for_one_or_six(
        self, browser: Client, acting: Tenant, query_count: Callable[..., int], name: str
    ) -> None:
        rows = [SubscriptionFactory(status="active", provisioned_at=timezone.now()) for _ in range(6)]
        answers = {"reason": "staff", "to_plan": PlanFactory().pk, "effective_on": timezone.localdate()}
        answers[PREVIEW] = "yes"
        browser.post(LINES, choose(name, rows[0], **answers))

        one = query_count(browser.post, LINES, choose(name, rows[0], **answers))
        six = query_count(browser.post, LINES, choose(name, *rows, **answers))

        assert six == one
