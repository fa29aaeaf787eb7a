"""The demo's helpdesk: something of everything its pages show, and nobody is written to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.db.models import F

from demo import customers, support
from ispcore.events.models import Event
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from subscribers.models import ServiceStatus, Subscription
from support.models import (
    RUNNING,
    Attachment,
    Comment,
    MassMessage,
    Notice,
    Subject,
    Team,
    Ticket,
)
from support.services import tickets
from support.services.notices import rules
from support.services.portal import access
from tests.support.desk import in_lisbon, outage_of

AT = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)
# What support/tasks.py does when the demo's workers come to these events.
TELLS: dict[str, Callable[..., int]] = {
    "support.ticket_opened": rules.tell_ticket_opened,
    "support.ticket_resolved": rules.tell_ticket_resolved,
    "support.ticket_commented": rules.tell_ticket_answered,
    "billing.debt_cleared": rules.tell_reactivation,
}


@pytest.fixture
def _loaded(acting: Tenant, make_user: Callable[..., Any]) -> None:
    in_lisbon(acting)
    for login, role in (
        ("helpdesk", Role.SUPPORT),
        ("noc", Role.NETWORK_OPERATIONS),
        ("office", Role.SUBSCRIBER_ACCOUNTS),
    ):
        make_user(login, {acting: role})
    customers.load(count=150, currency="EUR", at=AT)
    running = Subscription.objects.filter(status=ServiceStatus.ACTIVE).order_by("number")
    outage_of(*running[3:5], at=AT - timedelta(minutes=40))
    support.load(at=AT)


@pytest.mark.django_db
@pytest.mark.usefixtures("_loaded")
def test_shows_something_of_everything_and_is_made_once() -> None:
    count = Ticket.objects.count()

    support.load(at=AT)

    assert Ticket.objects.count() == count > 40
    assert set(Ticket.objects.values_list("status", flat=True)) == {
        "open", "in_progress", "waiting", "resolved", "closed"
    }  # fmt: skip
    assert set(Subject.objects.values_list("priority", flat=True)) == {"low", "normal", "high", "urgent"}
    assert set(Ticket.objects.values_list("source", flat=True)) == {"customer", "staff", "api"}
    assert [team.members.count() for team in Team.objects.order_by("name")] == [1, 1, 1]
    assert set(Attachment.objects.values_list("file__name", flat=True)) == {"light.png", "speedtest.txt"}
    assert set(Comment.objects.values_list("is_internal", flat=True)) == {True, False}
    assert Ticket.objects.exclude(merged_into=None).count() == 1
    assert Ticket.objects.exclude(outage=None).count() == 3
    assert Ticket.objects.filter(status__in=RUNNING, due_at__lt=AT).exists()
    assert Ticket.objects.filter(escalation_level__gt=0).exists()
    assert {*MassMessage.objects.values_list("state", flat=True)} == {"draft", "counted"}


@pytest.mark.django_db
@pytest.mark.usefixtures("_loaded")
def test_everything_happened_in_its_order_and_before_now() -> None:
    late = Ticket.objects.filter(created_at__gt=AT)
    early = Comment.objects.filter(said_at__lt=F("ticket__created_at"))
    oldest = Ticket.objects.order_by("created_at")[0]

    assert not late.exists()
    assert not early.exists()
    assert not Comment.objects.filter(said_at__gt=AT).exists()
    assert timedelta(days=39) < AT - oldest.created_at < timedelta(days=41)
    assert list(Ticket.objects.order_by("number")) == list(Ticket.objects.order_by("created_at", "number"))


@pytest.mark.django_db
@pytest.mark.usefixtures("_loaded")
def test_what_its_events_ask_for_was_told_already() -> None:
    before = set(Notice.objects.values_list("status", flat=True))

    written = sum(
        TELLS[event.name](at=AT, **{name: UUID(key) for name, key in event.payload.items()})
        for event in Event.objects.filter(name__in=TELLS)
    )

    assert written == 0
    assert before == {"sent", "failed", "skipped"}
    assert mail.outbox == []


@pytest.mark.django_db
@pytest.mark.usefixtures("_loaded")
def test_one_customer_may_log_in_to_the_portal_and_has_tickets() -> None:
    account = access.log_in(email=support.PORTAL_EMAIL, password=support.PORTAL_PASSWORD, at=AT)

    theirs = Ticket.objects.filter(subscriber=account.subscriber)
    assert set(theirs.values_list("status", flat=True)) == {"closed", "waiting"}
    assert tickets.escalate(at=AT) == 0
