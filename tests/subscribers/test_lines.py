"""A line's status, its holds, and what the API says of both."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection

from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from subscribers import tasks
from subscribers.models import (
    Hold,
    HoldReason,
    PlanZone,
    ServiceStatus,
    SubscriberStatus,
    Subscription,
)
from subscribers.services import holds, lines
from tests.factories import (
    PlanFactory,
    PremiseFactory,
    SubscriberFactory,
    SubscriptionFactory,
    ZoneFactory,
)

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
ON = date(2026, 3, 10)
S = ServiceStatus


def label(status: str) -> str:
    return str(ServiceStatus(status).label).lower()


def status_of(line: Subscription) -> str:
    line.refresh_from_db()
    return line.status


def events() -> list[tuple[str, dict]]:
    return list(Event.objects.order_by("id").values_list("name", "payload"))


def make_active(**fields) -> Subscription:
    return SubscriptionFactory(status=S.ACTIVE, provisioned_at=AT, **fields)


@pytest.mark.django_db
class TestCreate:
    def test_waits_for_its_installation(self, acting, admin_user):
        customer, plan, premise = SubscriberFactory(), PlanFactory(), PremiseFactory()

        line = lines.create_service(
            subscriber_id=customer.pk, plan_id=plan.pk, premise_id=premise.pk, on=ON, wifi_password="correct-horse",
            user_id=admin_user.pk,
        )  # fmt: skip

        line.refresh_from_db()
        assert (line.number, line.status, line.provisioned_at) == (1, S.PENDING_INSTALLATION, None)
        assert (line.subscriber_id, line.plan_id, line.premise_id) == (customer.pk, plan.pk, premise.pk)
        assert (line.wifi_password.reveal(), line.created_by_id) == ("correct-horse", admin_user.pk)
        assert events() == [("subscribers.subscription_status_changed", {"subscription_id": str(line.pk)})]

    @pytest.mark.parametrize(
        ("sold_from", "sold_until", "is_sold"),
        [
            (None, None, True),
            (date(2026, 3, 10), None, True),
            (date(2026, 3, 11), None, False),
            (None, date(2026, 3, 11), True),
            (None, date(2026, 3, 10), False),
        ],
    )
    def test_takes_a_plan_on_the_days_it_is_sold(self, sold_from, sold_until, is_sold, acting):
        plan = PlanFactory(sold_from=sold_from, sold_until=sold_until)
        ids = {"subscriber_id": SubscriberFactory().pk, "premise_id": PremiseFactory().pk}

        if is_sold:
            lines.create_service(plan_id=plan.pk, on=ON, **ids)
        else:
            with pytest.raises(lines.PlanNotSold):
                lines.create_service(plan_id=plan.pk, on=ON, **ids)

        assert Subscription.objects.count() == is_sold

    def test_takes_a_plan_in_its_zones_and_those_within(self, acting):
        north = ZoneFactory()
        hill = ZoneFactory(parent=north)
        plan = PlanFactory()
        PlanZone.objects.create(plan=plan, zone=north)
        customer = SubscriberFactory()

        def order(zone):
            return lines.create_service(
                subscriber_id=customer.pk, plan_id=plan.pk, premise_id=PremiseFactory(zone=zone).pk, on=ON
            )

        assert [order(north).number, order(hill).number] == [1, 2]
        for zone in (ZoneFactory(), None):
            with pytest.raises(lines.PlanNotSold):
                order(zone)
        assert Subscription.objects.count() == 2

    def test_is_refused_for_an_inactive_customer(self, acting):
        customer = SubscriberFactory(status=SubscriberStatus.INACTIVE)

        with pytest.raises(lines.SubscriberInactive):
            lines.create_service(
                subscriber_id=customer.pk, plan_id=PlanFactory().pk, premise_id=PremiseFactory().pk, on=ON
            )

        assert (Subscription.objects.count(), events()) == (0, [])


DEEDS = {
    S.ACTIVE: lambda pk: lines.activate_service(subscription_id=pk, at=AT),
    S.SUSPENDED: lambda pk: lines.open_hold(subscription_id=pk, reason=HoldReason.STAFF, at=AT),
    S.TERMINATED: lambda pk: lines.terminate_service(subscription_id=pk, at=AT),
    S.CANCELLED: lambda pk: lines.cancel_service(subscription_id=pk, at=AT),
}
HARMLESS = {(S.TERMINATED, S.TERMINATED), (S.SUSPENDED, S.SUSPENDED)}


@pytest.mark.django_db
class TestTransitions:
    @pytest.mark.parametrize("before", S)
    @pytest.mark.parametrize("after", DEEDS)
    def test_are_those_of_the_table(self, before, after, acting):
        line = SubscriptionFactory(status=before)
        allowed = {
            S.DRAFT: {S.CANCELLED},
            S.PENDING_INSTALLATION: {S.ACTIVE, S.CANCELLED},
            S.ACTIVE: {S.SUSPENDED, S.TERMINATED},
            S.SUSPENDED: {S.ACTIVE, S.TERMINATED},
        }.get(before, set())

        if after in allowed or (before, after) in HARMLESS:
            DEEDS[after](line.pk)
            assert status_of(line) == after
            assert len(events()) == (after in allowed)
        else:
            with pytest.raises(
                lines.TransitionNotAllowed, match=f"{label(before)} cannot become {label(after)}"
            ):
                DEEDS[after](line.pk)
            assert (status_of(line), Hold.objects.count(), events()) == (before, 0, [])

    def test_the_first_activation_is_kept_as_the_provisioning(self, acting):
        line = SubscriptionFactory()

        lines.activate_service(subscription_id=line.pk, at=AT)
        lines.open_hold(subscription_id=line.pk, reason=HoldReason.STAFF, at=AT)
        lines.release_hold(subscription_id=line.pk, reason=HoldReason.STAFF, at=AT + timedelta(days=1))

        assert (status_of(line), line.provisioned_at) == (S.ACTIVE, AT)

    def test_termination_ends_the_holds(self, acting):
        line = make_active()
        lines.open_hold(subscription_id=line.pk, reason=HoldReason.ABUSE, at=AT)

        lines.terminate_service(subscription_id=line.pk, at=AT + timedelta(hours=1))

        assert (status_of(line), line.terminated_at) == (S.TERMINATED, AT + timedelta(hours=1))
        assert Hold.objects.get().released_at == AT + timedelta(hours=1)

    def test_of_a_line_nobody_knows_are_not_found(self, acting):
        for deed in DEEDS.values():
            with pytest.raises(lines.ServiceUnknown):
                deed(uuid4())


@pytest.mark.django_db
class TestHolds:
    def test_repeated_are_one(self, acting):
        line = make_active()

        for hours in (0, 1):
            lines.open_hold(
                subscription_id=line.pk,
                reason=HoldReason.ABUSE,
                at=AT + timedelta(hours=hours),
                note=f"{hours}",
            )

        assert [(h.reason, h.opened_at, h.note) for h in Hold.objects.all()] == [("abuse", AT, "0")]
        assert (status_of(line), len(events())) == (S.SUSPENDED, 1)

    def test_bring_the_line_back_when_the_last_is_released(self, acting, admin_user):
        line = make_active()
        for reason in (HoldReason.ABUSE, HoldReason.NON_PAYMENT):
            lines.open_hold(subscription_id=line.pk, reason=reason, at=AT)

        lines.release_hold(subscription_id=line.pk, reason=HoldReason.ABUSE, at=AT, user_id=admin_user.pk)
        assert status_of(line) == S.SUSPENDED
        with pytest.raises(lines.LineOnHold):
            lines.activate_service(subscription_id=line.pk, at=AT)
        assert lines.release_hold(subscription_id=line.pk, reason=HoldReason.ABUSE, at=AT) is None
        assert status_of(line) == S.SUSPENDED
        lines.release_hold(subscription_id=line.pk, reason=HoldReason.NON_PAYMENT, at=AT)

        assert (status_of(line), len(events())) == (S.ACTIVE, 2)
        assert Hold.objects.get(reason="abuse").released_by_id == admin_user.pk

    def test_end_by_themselves_when_their_time_is_over(self, acting):
        ended, other_reason, later = make_active(), make_active(), make_active()
        for line, reason, hours in (
            (ended, "vacation", 1), (other_reason, "vacation", 1), (other_reason, "abuse", None), (later, "staff", 2),
        ):  # fmt: skip
            until = AT + timedelta(hours=hours) if hours else None
            lines.open_hold(subscription_id=line.pk, reason=reason, at=AT, until=until)

        first = holds.release_ended_holds(at=AT + timedelta(hours=1))
        again = holds.release_ended_holds(at=AT + timedelta(hours=1))

        assert (first, again) == (2, 0)
        assert [status_of(line) for line in (ended, other_reason, later)] == [
            S.ACTIVE,
            S.SUSPENDED,
            S.SUSPENDED,
        ]
        assert Hold.objects.filter(released_at=AT + timedelta(hours=1)).count() == 2


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_the_clock_lifts_holds_of_every_tenant(tenant, other_tenant):
    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            line = make_active()
            lines.open_hold(subscription_id=line.pk, reason="staff", at=AT, until=AT + timedelta(hours=1))

    lifted = tasks.release_ended_holds()

    assert lifted == 2
    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            assert Subscription.objects.get().status == S.ACTIVE


@pytest.mark.django_db(transaction=True)
def test_two_who_bar_a_line_at_once_open_one_hold(tenant):
    with tenant_context(tenant.pk):
        line = make_active()
    together = threading.Barrier(4)
    failures: list[Exception] = []

    def bar() -> None:
        try:
            together.wait()
            with tenant_context(tenant.pk):
                lines.open_hold(subscription_id=line.pk, reason="abuse", at=AT)
        except Exception as error:  # A thread's exception would not fail the test.
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=bar) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with tenant_context(tenant.pk):
        assert (failures, Hold.objects.count(), len(events())) == ([], 1, 1)
        assert status_of(line) == S.SUSPENDED


@pytest.mark.django_db(transaction=True)
def test_releases_of_two_reasons_at_once_bring_the_line_back(tenant):
    reasons = ("abuse", "fraud", "staff")
    with tenant_context(tenant.pk):
        line = make_active()
        for reason in reasons:
            lines.open_hold(subscription_id=line.pk, reason=reason, at=AT)
    together = threading.Barrier(len(reasons))

    def release(reason: str) -> None:
        together.wait()
        with tenant_context(tenant.pk):
            lines.release_hold(subscription_id=line.pk, reason=reason, at=AT)
        connection.close()

    threads = [threading.Thread(target=release, args=[reason]) for reason in reasons]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with tenant_context(tenant.pk):
        assert status_of(line) == S.ACTIVE
