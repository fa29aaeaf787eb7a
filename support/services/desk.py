"""The catalogue of the helpdesk: teams, subjects, ready answers, limits of zones."""

import re
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction

from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.base import TenantModel, changed, locked, what_protects
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Membership
from ispcore.tenants.roles import STAFF_ROLES
from subscribers.models import Zone
from support.models import CannedAnswer, Subject, Team, TeamMember, Ticket, ZoneLimit
from support.services.settings import Invalid, tenant_zone

PLACEHOLDERS = ("customer", "service", "ticket", "due")
NAMED = re.compile(r"\{([^{}]*)\}")
MOST_MEMBERS = 200


class UnknownTeam(NotRegistered):
    message = "There is no such team."
    field = "team_id"


class UnknownMember(NotRegistered):
    message = "No member of staff has the id {user_id}."
    field = "member_ids"


class UnknownZone(NotRegistered):
    message = "There is no such zone."
    field = "zone_id"


class UnknownPlaceholder(Invalid):
    message = "{{{name}}} is no placeholder. Known: {{customer}}, {{service}}, {{ticket}}, {{due}}."
    field = "body"


class StillUsed(DomainError):
    code = "in_use"
    message = "{name} is still used. Switch it off instead."


@transaction.atomic
def create_team(*, member_ids: Collection[UUID] = (), **fields: Any) -> Team:
    """Add a team. Raises UnknownMember."""
    team: Team = Team.objects.create(**fields)
    _set_members(team, member_ids)
    return team


@transaction.atomic
def change_team(*, team_id: UUID, member_ids: Collection[UUID] | None = None, **fields: Any) -> Team:
    """Change what is given. Safe to repeat. Raises UnknownMember."""
    team = changed(locked(Team, team_id), fields)
    if member_ids is not None:
        _set_members(team, member_ids)
    return team


@transaction.atomic
def create_subject(*, team_id: UUID | None = None, **fields: Any) -> Subject:
    """Add a subject to the catalogue. Raises UnknownTeam."""
    _check_team(team_id)
    subject: Subject = Subject.objects.create(team_id=team_id, **fields)
    return subject


@transaction.atomic
def change_subject(*, subject_id: UUID, **fields: Any) -> Subject:
    """Change what is given; tickets keep the priority and the times they have. Raises UnknownTeam."""
    _check_team(fields.get("team_id"))
    return changed(locked(Subject, subject_id), fields)


@transaction.atomic
def create_answer(*, body: str, **fields: Any) -> CannedAnswer:
    """Keep an answer ready. Raises UnknownPlaceholder."""
    check_placeholders(body)
    answer: CannedAnswer = CannedAnswer.objects.create(body=body, **fields)
    return answer


@transaction.atomic
def change_answer(*, answer_id: UUID, **fields: Any) -> CannedAnswer:
    """Change what is given. Safe to repeat. Raises UnknownPlaceholder."""
    check_placeholders(fields.get("body", ""))
    return changed(locked(CannedAnswer, answer_id), fields)


@transaction.atomic
def set_zone_limit(*, zone_id: UUID, limit: int) -> ZoneLimit:
    """Let a zone have so many open tickets, instead of what the settings say. Raises UnknownZone."""
    if not Zone.objects.filter(pk=zone_id).exists():
        raise UnknownZone
    found: ZoneLimit
    found, _ = ZoneLimit.objects.update_or_create(zone_id=zone_id, defaults={"limit": limit})
    return found


@transaction.atomic
def remove(row: TenantModel) -> None:
    """Delete a team, subject, answer or limit nothing refers to. Raises StillUsed."""
    if any(rows.exists() for rows in what_protects(row)):
        raise StillUsed(name=str(row))
    row.delete()


def check_placeholders(body: str) -> None:
    """Raise UnknownPlaceholder for a name in braces that no ticket has a value for."""
    for name in NAMED.findall(body):
        if name not in PLACEHOLDERS:
            raise UnknownPlaceholder(name=name)


def filled_in(body: str, *, ticket: Ticket) -> str:
    """Return a ready answer's text with the ticket's own values in it."""
    values = {
        "customer": ticket.subscriber.full_name if ticket.subscriber else "customer",
        "service": str(ticket.subscription.number) if ticket.subscription else "your service",
        "ticket": ticket.number,
        "due": f"{ticket.due_at.astimezone(tenant_zone()):%Y-%m-%d %H:%M}",
    }
    return NAMED.sub(lambda found: values.get(found[1], found[0]), body)


def is_staff(user_id: UUID) -> bool:
    """Tell whether somebody works for the bound tenant."""
    return Membership.objects.filter(
        tenant_id=current_tenant_id(), user_id=user_id, role__in=STAFF_ROLES, user__is_active=True
    ).exists()


def _check_team(team_id: UUID | None) -> None:
    if team_id is not None and not Team.objects.filter(pk=team_id).exists():
        raise UnknownTeam


def _set_members(team: Team, user_ids: Collection[UUID]) -> None:
    wanted = set(user_ids)
    known = set(
        Membership.objects.filter(
            tenant_id=current_tenant_id(), user_id__in=wanted, role__in=STAFF_ROLES, user__is_active=True
        ).values_list("user_id", flat=True)
    )
    for stranger in sorted(wanted - known):
        raise UnknownMember(user_id=stranger)
    TeamMember.objects.filter(team=team).exclude(user_id__in=wanted).delete()
    TeamMember.objects.bulk_create(
        [TeamMember(team=team, user_id=user_id) for user_id in sorted(wanted)], ignore_conflicts=True
    )
