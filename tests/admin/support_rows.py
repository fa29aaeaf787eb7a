"""A row of each model of support for the pages."""

from typing import Any

from django.utils import timezone

from ispcore.tenants.models import Tenant, User
from subscribers.models import Subscription
from support.models import IncomingMail, Notice, PortalAccount, SupportSettings
from support.services import desk, tickets
from support.services.notices import consent, gateways, mass, templates


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
        "support.IncomingMail": IncomingMail.objects.create(
            message_key=f"<1@{tenant.slug}.example>",
            sender=f"jane@{tenant.slug}.example",
            title=f"Slow in the {tenant.slug}",
            outcome="commented",
            ticket=ticket,
            taken_at=at,
        ),
        **_fill_notices(tenant, line, at),
    }
    if line.premise.zone_id:
        found["support.ZoneLimit"] = desk.set_zone_limit(zone_id=line.premise.zone_id, limit=9)
    return found


def _fill_notices(tenant: Tenant, line: Subscription, at: Any) -> dict[str, Any]:
    return {
        "support.PortalAccount": PortalAccount.objects.create(subscriber=line.subscriber),
        "support.Notice": Notice.objects.create(
            subscriber=line.subscriber,
            kind="suspension",
            source=str(line.pk),
            channel="email",
            address="jane@customer.example",
            subject="Your service is suspended",
            body=f"Hello Jane of the {tenant.slug}",
            written_at=at,
            send_after=at,
        ),
        "support.NoticeTemplate": templates.create_template(
            kind="outage", subject=f"Outage in the {tenant.slug}", body="Since {since}"
        ),
        "support.NoticeChannel": gateways.create_channel(
            channel="sms", url=f"https://{tenant.slug}.example/send", secret="a secret of sixteen or more"
        ),
        "support.NoticeSettings": consent.change_settings(quiet_from=None, quiet_until=None),
        "support.Consent": consent.set_consent(
            subscriber_id=line.subscriber_id, channel="email", purpose="marketing", is_given=True, at=at
        ),
        "support.MassMessage": mass.create(
            name=f"Works in the {tenant.slug}", subject="Works", body="Dear {customer}"
        ),
    }
