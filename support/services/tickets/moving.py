"""The status of a ticket, and the clock that stands while it waits."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from ispcore.errors import DomainError
from ispcore.events.services import publish
from support.models import OVER, Ticket, TicketStatus
from support.services.settings import calendar_of, support_settings
from support.services.tickets.rows import lock_ticket, note

OPEN, IN_PROGRESS, WAITING, RESOLVED, CLOSED = TicketStatus

# Anything else is refused. A merged ticket is closed from wherever it is.
ALLOWED: dict[TicketStatus, frozenset[TicketStatus]] = {
    OPEN: frozenset({IN_PROGRESS, WAITING, RESOLVED}),
    IN_PROGRESS: frozenset({OPEN, WAITING, RESOLVED}),
    WAITING: frozenset({IN_PROGRESS, RESOLVED}),
    RESOLVED: frozenset({OPEN, CLOSED}),
    CLOSED: frozenset(),
}


class TransitionNotAllowed(DomainError):
    code = "transition_not_allowed"
    message = "{number} is {old}; it cannot become {new}. Possible: {possible}."
    field = "status"


@transaction.atomic
def move(*, ticket_id: UUID, to: str, at: datetime, user_id: UUID | None = None) -> Ticket:
    """Move a ticket to another status; to the one it has is no move.

    Raises TicketUnknown, TransitionNotAllowed.
    """
    return move_locked(lock_ticket(ticket_id), TicketStatus(to), at=at, user_id=user_id)


def move_locked(ticket: Ticket, new: TicketStatus, *, at: datetime, user_id: UUID | None) -> Ticket:
    """Move a locked ticket, set its clock, and write it into the conversation. Raises TransitionNotAllowed."""
    old = TicketStatus(ticket.status)
    if new == old:
        return ticket
    if new not in ALLOWED[old]:
        possible = ", ".join(str(one.label).lower() for one in TicketStatus if one in ALLOWED[old])
        raise TransitionNotAllowed(
            number=ticket.number, old=old.label.lower(), new=new.label.lower(), possible=possible or "nothing"
        )
    set_clock(ticket, new, at=at)
    ticket.status = new
    ticket.save()
    note(ticket, f"{old.label} → {new.label}", at=at, user_id=user_id)
    publish(_event_of(new), ticket_id=str(ticket.pk))
    return ticket


def set_clock(ticket: Ticket, new: TicketStatus, *, at: datetime) -> None:
    """Stop or start a ticket's clock for its next status. The time it stood is added to what is due.

    It stands while the customer is waited for, and between a resolution and its being opened again.
    """
    stood_since = ticket.waiting_since or (ticket.resolved_at if new not in OVER else None)
    if stood_since is not None:
        calendar = calendar_of(support_settings())
        stood = calendar.between(stood_since, at)
        ticket.due_at = calendar.add(ticket.due_at, stood)
        if ticket.escalates_at is not None:
            ticket.escalates_at = calendar.add(ticket.escalates_at, stood)
        ticket.waited_seconds += round(stood.total_seconds())
    ticket.waiting_since = at if new == WAITING else None
    ticket.resolved_at = (ticket.resolved_at or at) if new in OVER else None
    ticket.closed_at = at if new == CLOSED else None


def _event_of(status: TicketStatus) -> str:
    if status == RESOLVED:
        return "support.ticket_resolved"
    return "support.ticket_closed" if status == CLOSED else "support.ticket_changed"
