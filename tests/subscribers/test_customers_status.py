"""A customer's status, and what it does to their lines."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from ispcore.events.models import Event
from subscribers.models import Hold, ServiceStatus, Subscriber, SubscriberStatus, Subscription
from subscribers.services import customers, lines
from tests.factories import SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

S = SubscriberStatus


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
    assert statuses() == ["suspended", "suspended", "pending_installation", "terminated"]
    holds = Hold.objects.filter(reason="vacation")
    assert [(h.until, h.note, h.opened_by_id, h.released_at) for h in holds] == [
        (until, "At sea", admin_user.pk, None)
    ] * 2


def test_activation_lifts_every_hold(jane, api, admin_user):
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

    assert api.delete(f"subscribers/{jane.pk}").status_code == 204

    assert statuses() == ["terminated", "terminated", "cancelled", "terminated"]
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
