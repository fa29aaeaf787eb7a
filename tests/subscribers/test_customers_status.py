"""A customer's status, and what it does to their lines."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from subscribers import tasks
from subscribers.models import Hold, ServiceStatus, Subscriber, SubscriberStatus, Subscription
from subscribers.services import customers, holds, lines
from tests.factories import SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

S = SubscriberStatus
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
LATER = AT + timedelta(days=3)


@pytest.fixture
def jane(acting):
    return SubscriberFactory(status=S.ACTIVE)


def act(api, subscriber, verb):
    path = f"subscribers/{subscriber.pk}"
    if verb == "delete":
        return api.delete(path)
    return api.post(f"{path}/{verb}", {"reason": "staff"} if verb == "suspend" else None)


@pytest.mark.parametrize(
    ("before", "verb", "after"),
    [
        (S.PROSPECT, "activate", S.ACTIVE),
        (S.PROSPECT, "delete", S.INACTIVE),
        (S.ACTIVE, "suspend", S.SUSPENDED),
        (S.ACTIVE, "delete", S.INACTIVE),
        (S.SUSPENDED, "activate", S.ACTIVE),
        (S.SUSPENDED, "delete", S.INACTIVE),
        (S.INACTIVE, "activate", S.ACTIVE),
    ],
)
def test_moves(before, verb, after, api, acting):
    subscriber = SubscriberFactory(status=before)

    response = act(api, subscriber, verb)

    assert response.status_code == (204 if verb == "delete" else 200)
    assert verb == "delete" or response.json()["data"]["status"] == after
    subscriber.refresh_from_db()
    assert subscriber.status == after
    assert [event.name for event in Event.objects.all()] == ["subscribers.subscriber_status_changed"]


@pytest.mark.parametrize(
    ("before", "verb", "after"),
    [
        (S.PROSPECT, "suspend", S.SUSPENDED),
        (S.ACTIVE, "activate", S.ACTIVE),
        (S.SUSPENDED, "suspend", S.SUSPENDED),
        (S.INACTIVE, "suspend", S.SUSPENDED),
        (S.INACTIVE, "delete", S.INACTIVE),
    ],
)
def test_any_other_is_refused(before, verb, after, api, acting):
    subscriber = SubscriberFactory(status=before)
    line = SubscriptionFactory(subscriber=subscriber, status=ServiceStatus.ACTIVE)

    response = act(api, subscriber, verb)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (409, "transition_not_allowed")
    assert error["message"] == f"A subscriber that is {before} cannot become {after}."
    subscriber.refresh_from_db()
    line.refresh_from_db()
    assert (subscriber.status, line.status) == (before, "active")
    assert not Event.objects.exists()
    assert not Hold.objects.exists()


def statuses() -> list[str]:
    return list(Subscription.objects.order_by("number").values_list("status", flat=True))


def make_lines(subscriber):
    at = timezone.now()
    for status in ("active", "active", "pending_installation", "terminated"):
        SubscriptionFactory(subscriber=subscriber, status=status)
    barred = Subscription.objects.order_by("number")[1]
    lines.open_hold(subscription_id=barred.pk, reason="non_payment", at=at)


def test_suspension_bars_every_running_line(jane, api, admin_user):
    make_lines(jane)
    until = timezone.now().replace(microsecond=0) + timedelta(days=3)

    response = api.post(
        f"subscribers/{jane.pk}/suspend",
        {"reason": "vacation", "until": until.isoformat(), "note": "At sea"},
    )

    assert response.status_code == 200
    assert response.json()["data"]["suspended_until"] == until.isoformat().replace("+00:00", "Z")
    assert statuses() == ["suspended", "suspended", "pending_installation", "terminated"]
    barred = Hold.objects.filter(reason="vacation")
    assert [(h.until, h.note, h.opened_by_id, h.released_at) for h in barred] == [
        (until, "At sea", admin_user.pk, None)
    ] * 2


def test_activation_lifts_every_ordinary_hold(jane, api, admin_user):
    make_lines(jane)
    api.post(f"subscribers/{jane.pk}/suspend", {"reason": "staff"})

    response = api.post(f"subscribers/{jane.pk}/activate")

    assert response.status_code == 200
    assert statuses() == ["active", "active", "pending_installation", "terminated"]
    assert not Hold.objects.filter(released_at=None).exists()
    assert {hold.released_by_id for hold in Hold.objects.all()} == {admin_user.pk}


def test_nobody_elses_line_is_touched(jane, api):
    neighbour = SubscriptionFactory(status=ServiceStatus.ACTIVE)

    api.post(f"subscribers/{jane.pk}/suspend", {"reason": "staff"})
    api.delete(f"subscribers/{jane.pk}")

    neighbour.refresh_from_db()
    assert neighbour.status == "active"


def test_leaving_ends_the_lines_and_keeps_the_record(jane, api):
    make_lines(jane)
    SubscriptionFactory(subscriber=jane, status=ServiceStatus.DRAFT)

    assert api.delete(f"subscribers/{jane.pk}").status_code == 204

    assert statuses() == ["terminated", "terminated", "cancelled", "terminated", "cancelled"]
    assert not Hold.objects.filter(released_at=None).exists()
    assert api.get(f"subscribers/{jane.pk}").json()["data"]["status"] == "inactive"


def test_one_who_comes_back_has_no_lines(jane, api):
    make_lines(jane)
    api.delete(f"subscribers/{jane.pk}")

    assert api.post(f"subscribers/{jane.pk}/activate").status_code == 200

    assert statuses() == ["terminated", "terminated", "cancelled", "terminated"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "reason"),
        ({"reason": "boredom"}, 422, "reason"),
        ({"reason": "staff", "until": "2020-01-01T00:00:00Z"}, 422, "until"),
        ({"reason": "staff", "until": "tomorrow"}, 422, "until"),
        ({"reason": "staff", "untill": None}, 422, "untill"),
    ],
)
def test_a_suspension_that_makes_no_sense_is_refused(body, status, field, jane, api):
    response = api.post(f"subscribers/{jane.pk}/suspend", body)

    assert (response.status_code, response.json()["error"]["field"]) == (status, field)
    assert Subscriber.objects.get().status == "active"


def test_an_unknown_customer_is_refused(acting):
    nobody = UUID("01900000-0000-7000-8000-000000000000")

    with pytest.raises(customers.SubscriberNotFound):
        customers.activate_subscriber(subscriber_id=nobody, at=timezone.now())


def status_of(subscriber) -> tuple[str, object]:
    subscriber.refresh_from_db()
    return subscriber.status, subscriber.suspended_until


def bar(line, reason, until=None):
    lines.open_hold(subscription_id=line.pk, reason=reason, at=AT, until=until)


def lift(line, reason):
    lines.release_hold(subscription_id=line.pk, reason=reason, at=AT)


def suspend(subscriber, **given):
    customers.suspend_subscriber(subscriber_id=subscriber.pk, at=AT, **given)


def open_reasons() -> list[str]:
    return sorted(Hold.objects.filter(released_at=None).values_list("reason", flat=True))


class TestActivation:
    """What lifts a bar, and what does not."""

    @pytest.fixture
    def line(self, jane):
        return SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE)

    @pytest.mark.parametrize("reason", ["abuse", "fraud"])
    @pytest.mark.parametrize("body", [None, {}, {"reasons": ["staff"]}])
    def test_is_refused_while_abuse_or_fraud_is_not_named(self, reason, body, jane, line, api):
        suspend(jane, reason="staff")
        bar(line, reason)
        before = (status_of(jane), statuses(), open_reasons(), Event.objects.count())

        response = api.post(f"subscribers/{jane.pk}/activate", body)

        error = response.json()["error"]
        assert (response.status_code, error["code"], error["field"]) == (409, "subscriber_on_hold", "reasons")
        assert error["message"] == (
            f"The subscriber is on hold for {reason}. Lift that at the services first, or name in `reasons` all that "
            f"shall be lifted: {', '.join(sorted((reason, 'staff')))}."
        )
        assert (status_of(jane), statuses(), open_reasons(), Event.objects.count()) == before

    def test_lifts_what_is_named(self, jane, line, api):
        suspend(jane, reason="staff")
        bar(line, "abuse")

        response = api.post(f"subscribers/{jane.pk}/activate", {"reasons": ["abuse", "staff", "vacation"]})

        assert (response.status_code, statuses(), open_reasons()) == (200, ["active"], [])

    def test_lifts_nothing_that_is_not_named(self, jane, line, api):
        suspend(jane, reason="staff")
        bar(line, "vacation")

        response = api.post(f"subscribers/{jane.pk}/activate", {"reasons": ["staff"]})

        assert (response.status_code, open_reasons()) == (409, ["staff", "vacation"])

    @pytest.mark.parametrize("reasons", [[], ["mood"], "staff", None, [1]])
    def test_by_what_is_no_reason_is_422(self, reasons, jane, api):
        suspend(jane)

        response = api.post(f"subscribers/{jane.pk}/activate", {"reasons": reasons})

        assert response.status_code == 422
        assert status_of(jane) == (S.SUSPENDED, None)

    def test_paying_lifts_no_bar_for_abuse(self, jane, line):
        suspend(jane, reason="non_payment")
        bar(line, "abuse")

        lift(line, "non_payment")

        assert (status_of(jane)[0], statuses(), open_reasons()) == (S.SUSPENDED, ["suspended"], ["abuse"])

    def test_costs_the_same_for_one_line_or_many(self, jane, line, query_count):
        def suspend_and_activate():
            suspend(jane)
            customers.activate_subscriber(subscriber_id=jane.pk, at=AT)

        one = query_count(suspend_and_activate)
        for _ in range(5):
            SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE)

        assert query_count(suspend_and_activate) == one


class TestTheLastHold:
    """A suspended customer is active again with the last open hold of their lines."""

    def test_brings_the_customer_back(self, jane, api):
        first, second = (SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE) for _ in range(2))
        suspend(jane, until=LATER)

        lift(first, "staff")
        between = status_of(jane)
        api.post(f"services/{second.pk}/resume", {"reason": "staff"})

        assert (between, status_of(jane)) == ((S.SUSPENDED, LATER), (S.ACTIVE, None))
        told = Event.objects.filter(name="subscribers.subscriber_status_changed").count()
        assert (told, statuses()) == (2, ["active", "active"])

    def test_of_an_active_customer_changes_no_customer(self, jane):
        line = SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE)
        bar(line, "staff")

        lift(line, "staff")

        assert status_of(jane) == (S.ACTIVE, None)
        assert not Event.objects.filter(name="subscribers.subscriber_status_changed").exists()

    def test_goes_with_a_line_that_ends_when_another_is_left(self, jane):
        first, second = (SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE) for _ in range(2))
        suspend(jane)
        lift(first, "staff")

        lines.terminate_service(subscription_id=second.pk, at=AT)

        assert status_of(jane) == (S.ACTIVE, None)

    def test_does_not_go_with_the_last_line(self, jane):
        line = SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE)
        suspend(jane)

        lines.terminate_service(subscription_id=line.pk, at=AT)

        assert status_of(jane) == (S.SUSPENDED, None)


class TestTheEndOfASuspension:
    def test_makes_a_customer_without_a_line_active(self, jane):
        suspend(jane, until=LATER)

        early = holds.release_ended_holds(at=LATER - timedelta(seconds=1))
        looked_at = [holds.release_ended_holds(at=LATER) for _ in range(2)]

        assert (early, looked_at, status_of(jane)) == (0, [1, 0], (S.ACTIVE, None))

    def test_brings_the_lines_back_too(self, jane):
        SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE)
        suspend(jane, until=LATER)

        holds.release_ended_holds(at=LATER)

        assert (status_of(jane), statuses(), open_reasons()) == ((S.ACTIVE, None), ["active"], [])

    def test_leaves_a_customer_suspended_who_is_barred_for_more(self, jane):
        line = SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE)
        suspend(jane, until=LATER)
        bar(line, "abuse")

        looked_at = [holds.release_ended_holds(at=LATER) for _ in range(2)]
        then = status_of(jane)
        lift(line, "abuse")

        assert (looked_at, then, status_of(jane)) == ([1, 0], (S.SUSPENDED, None), (S.ACTIVE, None))

    def test_goes_by_batches_whose_cost_does_not_grow(self, acting, query_count):
        def make(count):
            for _ in range(count):
                who = SubscriberFactory(status=S.ACTIVE)
                SubscriptionFactory(subscriber=who, status=ServiceStatus.ACTIVE)
                suspend(who, until=LATER)

        make(1)
        one = query_count(holds.release_ended_holds, at=LATER)
        make(6)

        assert query_count(holds.release_ended_holds, at=LATER) == one
        assert set(Subscriber.objects.values_list("status", flat=True)) == {S.ACTIVE}

    def test_is_forgotten_when_the_customer_leaves(self, jane, api):
        suspend(jane, until=LATER)

        api.delete(f"subscribers/{jane.pk}")

        assert (holds.release_ended_holds(at=LATER), status_of(jane)) == (0, (S.INACTIVE, None))


class TestANewLine:
    def test_of_a_suspended_customer_is_ordered_and_waits(self, jane, api):
        barred = SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE)
        suspend(jane, reason="fraud")
        order = {"customer_id": jane.pk, "product_id": barred.plan_id, "premise_id": barred.premise_id}
        made = api.post("services", {name: str(pk) for name, pk in order.items()}).json()["data"]

        refused = api.post(f"services/{made['number']}/activate")

        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (409, "subscriber_suspended")
        assert error["message"] == (
            f"The customer {jane.number} is suspended for fraud; activate the customer first."
        )
        assert statuses() == ["pending_installation", "suspended"]
        api.post(f"subscribers/{jane.pk}/activate", {"reasons": ["fraud"]})
        assert api.post(f"services/{made['number']}/activate").status_code == 200


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_the_clock_ends_suspensions_of_every_tenant(tenant, other_tenant):
    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            suspend(SubscriberFactory(status=S.ACTIVE), until=LATER)

    assert tasks.release_ended_holds() == 2

    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            assert Subscriber.objects.get().status == S.ACTIVE


@pytest.mark.django_db(transaction=True)
def test_the_last_holds_of_two_lines_lifted_at_once_bring_the_customer_back(tenant):
    with tenant_context(tenant.pk):
        jane = SubscriberFactory(status=S.ACTIVE)
        held = [SubscriptionFactory(subscriber=jane, status=ServiceStatus.ACTIVE) for _ in range(4)]
        suspend(jane)
    together = Barrier(len(held))

    def release(line):
        together.wait()
        with tenant_context(tenant.pk):
            lift(line, "staff")
        connection.close()

    with ThreadPoolExecutor(len(held)) as pool:
        list(pool.map(release, held))

    with tenant_context(tenant.pk):
        assert status_of(jane) == (S.ACTIVE, None)
