"""Who has a ticket, what it is about, how urgent it is."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish
from support.models import Priority, Subject, Team, Ticket, TicketStatus
from support.services.desk import UnknownTeam, is_staff
from support.services.tickets import moving
from support.services.tickets.opening import UnknownSubject
from support.services.tickets.rows import TicketClosed, lock_ticket, name_of, note


class UnknownAssignee(NotRegistered):
    message = "No member of staff has this id."
    field = "assignee_id"


class UnknownPriority(DomainError):
    code = "validation_error"
    status = 422
    message = "{given!r} is no priority. Known: {known}."
    field = "priority"


@transaction.atomic
def change_ticket(
    *, ticket_id: UUID, at: datetime, user_id: UUID | None = None, status: str | None = None, **fields: Any
) -> Ticket:
    """Change title, subject_id, priority, assignee_id, team_id, and then the status, if given. Safe to repeat.

    Priority follows the subject until somebody sets it by hand. Due times stay.

    Raises TicketUnknown, TicketClosed, UnknownSubject, UnknownPriority, UnknownAssignee, UnknownTeam,
    TransitionNotAllowed.
    """
    ticket = lock_ticket(ticket_id)
    told = _apply(ticket, fields)
    if told:
        if ticket.status == TicketStatus.CLOSED:
            raise TicketClosed(number=ticket.number)
        ticket.save()
        note(ticket, "\n".join(told), at=at, user_id=user_id)
        publish("support.ticket_changed", ticket_id=str(ticket.pk))
    if status is not None:
        moving.move_locked(ticket, TicketStatus(status), at=at, user_id=user_id)
    return ticket


def assign(*, ticket_id: UUID, assignee_id: UUID | None, at: datetime, user_id: UUID | None = None) -> Ticket:
    """Give a ticket to somebody, or to nobody. Raises as `change_ticket`."""
    return change_ticket(ticket_id=ticket_id, at=at, user_id=user_id, assignee_id=assignee_id)


def _apply(ticket: Ticket, fields: dict[str, Any]) -> list[str]:
    """Set what differs, and say each difference in a line."""
    told = []
    if fields.get("title", ticket.title) != ticket.title:
        ticket.title = fields["title"]
        told.append(f"Title: {ticket.title}")
    if fields.get("subject_id", ticket.subject_id) != ticket.subject_id:
        told.append(_change_subject(ticket, fields["subject_id"]))
    if fields.get("priority", ticket.priority) != ticket.priority:
        if fields["priority"] not in Priority.values:
            raise UnknownPriority(given=fields["priority"], known=", ".join(Priority.values))
        ticket.priority, ticket.is_priority_by_hand = fields["priority"], True
        told.append(f"Priority: {ticket.get_priority_display()}")
    if fields.get("assignee_id", ticket.assignee_id) != ticket.assignee_id:
        wanted = fields["assignee_id"]
        if wanted is not None and not is_staff(wanted):
            raise UnknownAssignee
        ticket.assignee_id = wanted
        told.append(f"Assigned to {name_of(wanted) or 'nobody'}")
    if fields.get("team_id", ticket.team_id) != ticket.team_id:
        told.append(_change_team(ticket, fields["team_id"]))
    return told


def _change_subject(ticket: Ticket, subject_id: UUID) -> str:
    subject = Subject.objects.filter(pk=subject_id, is_active=True).first()
    if subject is None:
        raise UnknownSubject
    ticket.subject = subject
    if not ticket.is_priority_by_hand:
        ticket.priority = subject.priority
    return f"Subject: {subject.name}"


def _change_team(ticket: Ticket, team_id: UUID | None) -> str:
    team = Team.objects.filter(pk=team_id).first() if team_id else None
    if team_id is not None and team is None:
        raise UnknownTeam
    ticket.team = team
    return f"Team: {team.name if team else 'none'}"
