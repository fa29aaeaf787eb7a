"""What the functions of tickets have in common."""

from datetime import datetime
from uuid import UUID

from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.models import User
from support.models import Comment, Source, Ticket


class TicketUnknown(NotRegistered):
    message = "There is no such ticket."
    field = "ticket_id"


class TicketClosed(DomainError):
    code = "ticket_closed"
    message = "{number} is closed. Open a new ticket."


def lock_ticket(ticket_id: UUID) -> Ticket:
    """Return the ticket, locked until the transaction ends. Raises TicketUnknown."""
    found: Ticket | None = Ticket.objects.select_for_update(of=("self",)).filter(pk=ticket_id).first()
    if found is None:
        raise TicketUnknown
    return found


def note(
    ticket: Ticket, body: str, *, at: datetime, user_id: UUID | None = None, public: bool = False
) -> None:
    """Write what was done into the conversation, for staff alone unless `public`."""
    Comment.objects.create(
        ticket=ticket,
        author_id=user_id,
        author_name=name_of(user_id),
        source=Source.SYSTEM,
        body=body,
        is_internal=not public,
        said_at=at,
    )


def name_of(user_id: UUID | None) -> str:
    """Return the name of a member of staff; empty for nobody."""
    user = User.objects.filter(pk=user_id).first() if user_id else None
    return str(user)[:200] if user else ""
