"""Who may do what of support, and one record of each of its models that has a list."""

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
PERMISSIONS = {
    ("get", "support/diagnosis/{pk}"): "support.view",
    ("get", "support/tickets"): "support.view",
    ("post", "support/tickets"): "support.add",
    ("get", "support/tickets/{pk}"): "support.view",
    ("patch", "support/tickets/{pk}"): "support.change",
    ("get", "support/tickets/{pk}/comments"): "support.view",
    ("post", "support/tickets/{pk}/comments"): "support.change",
    ("post", "support/tickets/{pk}/attachments"): "support.change",
    ("post", "support/tickets/{pk}/merge"): "support.change",
    ("get", "support/tickets/{pk}/answers"): "support.view",
    ("get", "support/subjects"): "support.view",
    ("post", "support/subjects"): "support.delete",
    ("get", "support/subjects/{pk}"): "support.view",
    ("patch", "support/subjects/{pk}"): "support.delete",
    ("delete", "support/subjects/{pk}"): "support.delete",
    ("get", "support/teams"): "support.view",
    ("post", "support/teams"): "support.delete",
    ("get", "support/teams/{pk}"): "support.view",
    ("patch", "support/teams/{pk}"): "support.delete",
    ("delete", "support/teams/{pk}"): "support.delete",
    ("get", "support/canned-answers"): "support.view",
    ("post", "support/canned-answers"): "support.add",
    ("get", "support/canned-answers/{pk}"): "support.view",
    ("patch", "support/canned-answers/{pk}"): "support.change",
    ("delete", "support/canned-answers/{pk}"): "support.delete",
    ("get", "support/settings"): "support.view",
    ("patch", "support/settings"): "support.delete",
    ("get", "support/zones/{pk}/blocked"): "support.view",
}
