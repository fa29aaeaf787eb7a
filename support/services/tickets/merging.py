"""Two tickets about one matter become one."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from ispcore.errors import DomainError
from ispcore.events.services import publish
from support.models import OVER, Ticket, TicketStatus
from support.services.tickets import moving
from support.services.tickets.rows import TicketClosed, lock_ticket, note


class MergeWithItself(DomainError):
    code = "merge_with_itself"
    message = "A ticket cannot be merged into itself."
    field = "into_id"


class MergeOfTwoCustomers(DomainError):
    code = "merge_of_two_subscribers"
    message = "{number} and {into} belong to different subscribers: one would read the other's conversation."
    field = "into_id"


@transaction.atomic
def merge(*, ticket_id: UUID, into_id: UUID, at: datetime, user_id: UUID | None = None) -> Ticket:
    """Close a ticket as part of another, whose conversation then shows both; return that other.

    Repeating it changes nothing. What was merged into the first before moves along.

    Raises TicketUnknown, MergeWithItself, MergeOfTwoCustomers, TicketClosed.
    """
    if ticket_id == into_id:
        raise MergeWithItself
    found = {pk: lock_ticket(pk) for pk in sorted((ticket_id, into_id))}
    ticket, into = found[ticket_id], found[into_id]
    if ticket.merged_into_id == into.pk:
        return into
    if ticket.subscriber_id != into.subscriber_id and ticket.subscriber_id and into.subscriber_id:
        raise MergeOfTwoCustomers(number=ticket.number, into=into.number)
    for one in (ticket, into):
        if one.status == TicketStatus.CLOSED:
            raise TicketClosed(number=one.number)
    if into.status in OVER:
        moving.move_locked(into, TicketStatus.OPEN, at=at, user_id=user_id)
    moving.set_clock(ticket, TicketStatus.CLOSED, at=at)
    ticket.status, ticket.merged_into = TicketStatus.CLOSED, into
    ticket.save()
    Ticket.objects.filter(merged_into=ticket).update(merged_into=into)
    note(ticket, f"Merged into {into.number}.", at=at, user_id=user_id, public=True)
    note(into, f"{ticket.number} was merged into this ticket.", at=at, user_id=user_id)
    publish("support.ticket_closed", ticket_id=str(ticket.pk))
    publish("support.ticket_changed", ticket_id=str(into.pk))
    return into
