"""One record of each model of support that has a list."""

from typing import Any

from django.utils import timezone

from support.models import CannedAnswer, Subject, Team, Ticket
from tests.factories import SubscriptionFactory


def make_subject() -> Any:
    return Subject.objects.create(name=f"Subject {Subject.objects.count()}")


def make_team() -> Any:
    return Team.objects.create(name=f"Team {Team.objects.count()}")


def make_answer() -> Any:
    return CannedAnswer.objects.create(name=f"Answer {CannedAnswer.objects.count()}", body="Dear {customer}")


def make_ticket() -> Any:
    line = SubscriptionFactory()
    at = timezone.now()
    return Ticket.objects.create(
        number=f"TKT-9{Ticket.objects.count():05d}", subject=make_subject(), title="No connection", priority="normal",
        subscription=line, subscriber=line.subscriber, due_at=at, first_response_due_at=at,
    )  # fmt: skip


MAKE: dict = {
    Subject: make_subject,
    Team: make_team,
    CannedAnswer: make_answer,
    Ticket: make_ticket,
}
# What the walk with another tenant's records calls them.
NAMED: dict = {
    "subject": make_subject,
    "team": make_team,
    "canned_answer": make_answer,
    "ticket": make_ticket,
}
