"""What the clock does to tickets."""

from datetime import datetime, timedelta

from django.db import transaction

from ispcore.events.services import publish_each
from support.models import MAX_LEVEL, RUNNING, Comment, Priority, Source, Ticket, TicketStatus
from support.services.settings import calendar_of, support_settings

BATCH = 500
HIGHER = {Priority.LOW: Priority.NORMAL, Priority.NORMAL: Priority.HIGH, Priority.HIGH: Priority.URGENT}


@transaction.atomic
def escalate(*, at: datetime) -> int:
    """Raise the priority of tickets nobody resolved for so long; return how many of one batch.

    Safe to repeat and to run in parallel. A ticket is raised three times at most, each time after the same hours.
    """
    rows = Ticket.objects.filter(status__in=RUNNING, escalates_at__lte=at).order_by("escalates_at", "id")
    tickets = list(rows.select_for_update(of=("self",), skip_locked=True)[:BATCH])
    if not tickets:
        return 0
    settings = support_settings()
    calendar, hours = calendar_of(settings), timedelta(hours=settings.escalate_after_hours)
    again = calendar.add(at, hours)
    for ticket in tickets:
        ticket.priority = HIGHER.get(Priority(ticket.priority), Priority.URGENT)
        ticket.is_priority_by_hand = True  # Another subject must not take it back.
        ticket.escalation_level += 1
        ticket.escalated_at = at
        ticket.escalates_at = again if ticket.escalation_level < MAX_LEVEL else None
    Ticket.objects.bulk_update(
        tickets, ["priority", "is_priority_by_hand", "escalation_level", "escalated_at", "escalates_at"]
    )
    Comment.objects.bulk_create(
        Comment(
            ticket=ticket,
            source=Source.SYSTEM,
            is_internal=True,
            said_at=at,
            body=f"Escalated, level {ticket.escalation_level}: priority {ticket.get_priority_display()}.",
        )
        for ticket in tickets
    )
    publish_each("support.ticket_changed", [{"ticket_id": str(ticket.pk)} for ticket in tickets])
    return len(tickets)


@transaction.atomic
def close_resolved(*, at: datetime) -> int:
    """Close tickets that stayed resolved as long as the settings say; return how many of one batch.

    Safe to repeat and to run in parallel.
    """
    before = at - timedelta(days=support_settings().auto_close_days)
    rows = Ticket.objects.filter(status=TicketStatus.RESOLVED, resolved_at__lte=before)
    chosen = rows.order_by("resolved_at").select_for_update(of=("self",), skip_locked=True)
    ids = list(chosen.values_list("pk", flat=True)[:BATCH])
    Ticket.objects.filter(pk__in=ids).update(status=TicketStatus.CLOSED, closed_at=at, updated_at=at)
    publish_each("support.ticket_closed", [{"ticket_id": str(pk)} for pk in ids])
    return len(ids)
