"""Who may do what of support, and one record of each of its models that has a list."""

from itertools import product
from typing import Any

from django.utils import timezone

from support.models import CannedAnswer, Consent, MassMessage, Notice, NoticeTemplate, Subject, Team, Ticket
from tests.factories import SubscriberFactory, SubscriptionFactory


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


def make_notice() -> Any:
    at = timezone.now()
    return Notice.objects.create(
        subscriber=SubscriberFactory(), kind="suspension", source="one", channel="email", written_at=at, send_after=at
    )  # fmt: skip


def make_notice_template() -> Any:
    kind, language = list(product(["suspension", "reactivation"], ["en", "es", "pt", "ar"]))[
        NoticeTemplate.objects.count()
    ]
    return NoticeTemplate.objects.create(kind=kind, subject="Cut", body="x", language=language)


def make_consent() -> Any:
    return Consent.objects.create(
        subscriber=SubscriberFactory(), channel="sms", purpose="marketing", is_given=True, said_at=timezone.now()
    )  # fmt: skip


def make_mass_message() -> Any:
    return MassMessage.objects.create(name="Works", subject="Works", body="x")


MAKE: dict = {
    Notice: make_notice,
    NoticeTemplate: make_notice_template,
    Consent: make_consent,
    MassMessage: make_mass_message,
    Subject: make_subject,
    Team: make_team,
    CannedAnswer: make_answer,
    Ticket: make_ticket,
}
# What the walk with another tenant's records calls them.
NAMED: dict = {
    "notice": make_notice,
    "notice_template": make_notice_template,
    "consent": make_consent,
    "mass_message": make_mass_message,
    "subject": make_subject,
    "team": make_team,
    "canned_answer": make_answer,
    "ticket": make_ticket,
}
ANY = "any role"  # And of those, whoever is a customer finds something.
PERMISSIONS = {
    ("get", "me/balance"): ANY,
    ("get", "me/subjects"): ANY,
    ("get", "me/services"): ANY,
    ("get", "me/services/{pk}"): ANY,
    ("get", "me/services/{pk}/status"): ANY,
    ("get", "me/services/{pk}/usage"): ANY,
    ("get", "me/invoices"): ANY,
    ("get", "me/invoices/{pk}"): ANY,
    ("get", "me/invoices/{pk}/pdf"): ANY,
    ("get", "me/tickets"): ANY,
    ("post", "me/tickets"): ANY,
    ("get", "me/tickets/{pk}"): ANY,
    ("get", "me/tickets/{pk}/comments"): ANY,
    ("post", "me/tickets/{pk}/comments"): ANY,
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
    ("get", "support/notices"): "support.view",
    ("get", "support/notices/{pk}"): "support.view",
    ("get", "support/notice-templates"): "support.view",
    ("post", "support/notice-templates"): "support.delete",
    ("get", "support/notice-templates/{pk}"): "support.view",
    ("patch", "support/notice-templates/{pk}"): "support.delete",
    ("delete", "support/notice-templates/{pk}"): "support.delete",
    ("get", "support/consents"): "support.view",
    ("post", "support/consents"): "support.add",
    ("get", "support/consents/{pk}"): "support.view",
    ("get", "support/mass-messages"): "support.view",
    ("post", "support/mass-messages"): "support.delete",
    ("get", "support/mass-messages/{pk}"): "support.view",
    ("patch", "support/mass-messages/{pk}"): "support.delete",
    ("post", "support/mass-messages/{pk}/count"): "support.delete",
    ("post", "support/mass-messages/{pk}/approve"): "support.delete",
    ("post", "support/mass-messages/{pk}/cancel"): "support.delete",
}
