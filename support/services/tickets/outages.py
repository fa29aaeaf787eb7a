"""Tickets of one outage are handled with it."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from hardware.models import Outage, OutageOnu, OutageStatus
from ispcore.events.services import publish_each
from support.models import UNRESOLVED, Comment, OutageEnd, Source, Ticket, TicketStatus
from support.services.settings import support_settings
from support.services.tickets import moving

BATCH = 500


@transaction.atomic
def join_outage(*, outage_id: UUID, at: datetime) -> int:
    """Let the open tickets of the services an outage took down join it; return how many did.

    Safe to repeat: a ticket joins once. An outage that is no longer confirmed takes no more; it is locked, so that it
    cannot end before all who joined are there to end with it.
    """
    confirmed = Outage.objects.filter(pk=outage_id, status=OutageStatus.CONFIRMED)
    outage = confirmed.select_for_update(of=("self",), no_key=True).first()
    if outage is None:
        return 0
    down = OutageOnu.objects.filter(
        outage=outage, up_at=None, onu__subscription=OuterRef("subscription"), onu__subscription__isnull=False
    )
    rows = Ticket.objects.filter(Exists(down), status__in=UNRESOLVED, outage=None)
    tickets = list(rows.select_for_update(of=("self",)).order_by("id"))
    for ticket in tickets:
        ticket.outage = outage
    Ticket.objects.bulk_update(tickets, ["outage"], batch_size=BATCH)
    _note_all(tickets, f"Joined an outage: {outage.get_cause_display()}.", at=at, internal=True)
    publish_each("support.ticket_changed", [{"ticket_id": str(ticket.pk)} for ticket in tickets])
    return len(tickets)


@transaction.atomic
def end_outage(*, outage_id: UUID, at: datetime) -> int:
    """Resolve the tickets of an outage that is over, or ask their customers, as the settings say; return how many.

    Safe to repeat: a ticket that was resolved, or waits for its customer, is left alone.
    """
    if not Outage.objects.filter(pk=outage_id, resolved_at__isnull=False).exists():
        return 0
    resolves = support_settings().outage_end == OutageEnd.RESOLVE
    new = TicketStatus.RESOLVED if resolves else TicketStatus.WAITING
    rows = Ticket.objects.filter(outage_id=outage_id, status__in=UNRESOLVED).exclude(status=new)
    tickets = list(rows.select_for_update(of=("self",)).order_by("id"))
    if not resolves:
        tickets = [ticket for ticket in tickets if ticket.waiting_since is None]
    for ticket in tickets:
        moving.set_clock(ticket, new, at=at)
        ticket.status = new
    Ticket.objects.bulk_update(
        tickets,
        ["status", "due_at", "escalates_at", "waited_seconds", "waiting_since", "resolved_at"],
        batch_size=BATCH,
    )
    text = "The outage that affected your service is over."
    if not resolves:
        text += " Please tell us whether your connection works again."
    _note_all(tickets, text, at=at, internal=False)
    event = "support.ticket_resolved" if resolves else "support.ticket_changed"
    publish_each(event, [{"ticket_id": str(ticket.pk)} for ticket in tickets])
    return len(tickets)


def _note_all(tickets: list[Ticket], body: str, *, at: datetime, internal: bool) -> None:
    Comment.objects.bulk_create(
        [
            Comment(ticket=ticket, source=Source.SYSTEM, body=body, is_internal=internal, said_at=at)
            for ticket in tickets
        ],
        batch_size=BATCH,
    )
