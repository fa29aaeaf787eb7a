"""A row of each model of support for the pages."""

from typing import Any

from django.utils import timezone

from ispcore.tenants.models import Tenant, User
from subscribers.models import Subscription
from support.models import SupportSettings
from support.services import desk, tickets


def fill_support(tenant: Tenant, user: User, line: Subscription) -> dict[str, Any]:
    """Make a team with a subject, a ready answer, a zone's own limit, and a ticket with a conversation."""
    at = timezone.now()
    team = desk.create_team(name=f"Helpdesk of {tenant.slug}", member_ids=[user.pk])
    subject = desk.create_subject(name=f"No connection in the {tenant.slug}", team_id=team.pk)
    ticket = tickets.open_ticket(
        subject_id=subject.pk,
        subscription_id=line.pk,
        at=at,
        user_id=user.pk,
        description="No light on the box.",
    )
    tickets.comment(ticket_id=ticket.pk, body="Look at port 3", is_internal=True, at=at, user_id=user.pk)
    answer = desk.create_answer(name=f"Greeting of {tenant.slug}", body="Dear {customer}")
    found = {
        "support.Team": team,
        "support.Subject": subject,
        "support.CannedAnswer": answer,
        "support.Ticket": ticket,
        "support.SupportSettings": SupportSettings.objects.create(zone_limit=5),
    }
    if line.premise.zone_id:
        found["support.ZoneLimit"] = desk.set_zone_limit(zone_id=line.premise.zone_id, limit=9)
    return found
