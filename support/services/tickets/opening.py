"""Opening tickets: the limit of a zone, the guard against a second one, and the clock."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from hardware.models import Outage, OutageStatus
from ispcore import numbering
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish
from subscribers.models import Subscription, Zone
from subscribers.services.customers import lock_subscriber
from support.models import UNRESOLVED, Source, Subject, SupportSettings, Ticket, ZoneLimit
from support.services.calendar import Calendar
from support.services.desk import UnknownZone
from support.services.settings import calendar_of, support_settings
from support.services.tickets import talking
from support.services.tickets.rows import note

NUMBER = "TKT-{:06d}"


class UnknownSubject(NotRegistered):
    message = "There is no such subject, or it is switched off."
    field = "subject_id"


class UnknownService(NotRegistered):
    message = "There is no such service."
    field = "service_id"


class ServiceOfAnother(DomainError):
    code = "service_of_another_subscriber"
    message = "Service {number} belongs to another subscriber."
    field = "service_id"


class DuplicateTicket(DomainError):
    code = "duplicate_ticket"
    message = "{number} is open about the same: {title}. Add to it, or say that it is another matter."


class ZoneTicketLimitReached(DomainError):
    code = "zone_ticket_limit_reached"
    message = "{zone} has {open} open tickets and takes {limit}. Resolve one first, or raise the limit."
    field = "zone_id"


@transaction.atomic
def open_ticket(
    *,
    subject_id: UUID,
    at: datetime,
    title: str = "",
    description: str = "",
    subscriber_id: UUID | None = None,
    subscription_id: UUID | None = None,
    zone_id: UUID | None = None,
    source: str = Source.STAFF,
    user_id: UUID | None = None,
    force: bool = False,
    files: Sequence[talking.Upload] = (),
) -> Ticket:
    """Open a ticket: the service tells the customer and the zone, the subject priority, team and due times.

    A ticket of a service that a confirmed outage took down joins it, and ends with it.

    Raises UnknownSubject, UnknownService, ServiceOfAnother, SubscriberNotFound, UnknownZone, DuplicateTicket unless
    `force`, ZoneTicketLimitReached, and what a comment's files are refused for.
    """
    subject = Subject.objects.filter(pk=subject_id, is_active=True).first()
    if subject is None:
        raise UnknownSubject
    line = _line(subscription_id, subscriber_id)
    subscriber = line.subscriber_id if line else subscriber_id
    if subscriber is not None:
        # Two callers with the same question: one of them finds the other's ticket.
        lock_subscriber(subscriber)
    if not force:
        _refuse_duplicate(subject, line, subscriber)
    zone_id = zone_id or (line.premise.zone_id if line else None)
    settings = support_settings()
    if zone_id is not None:
        _take_place(zone_id, settings)
    outage = _outage_of(line)
    ticket: Ticket = Ticket.objects.create(
        number=NUMBER.format(*numbering.draw("ticket")),
        subject=subject,
        title=title or subject.name,
        priority=subject.priority,
        subscriber_id=subscriber,
        subscription=line,
        zone_id=zone_id,
        outage=outage,
        team_id=subject.team_id,
        source=source,
        opened_by_id=user_id,
        **due_times(subject, settings=settings, calendar=calendar_of(settings), at=at),
    )
    if description or files:
        talking.say(ticket, description, at=at, source=source, user_id=user_id, files=files)
    if outage is not None:
        note(ticket, f"Joined an outage: {outage.get_cause_display()}.", at=at)
    publish("support.ticket_opened", ticket_id=str(ticket.pk))
    return ticket


def due_times(
    subject: Subject, *, settings: SupportSettings, calendar: Calendar, at: datetime
) -> dict[str, Any]:
    """Return when a ticket opened at `at` is to be answered, is due, and is raised in priority."""
    return {
        "first_response_due_at": calendar.add(at, timedelta(hours=subject.response_hours)),
        "due_at": calendar.add_days(at, subject.resolution_days or settings.due_days),
        "escalates_at": calendar.add(at, timedelta(hours=settings.escalate_after_hours)),
    }


def zone_state(*, zone_id: UUID) -> dict[str, Any]:
    """Tell whether a zone takes no more tickets: `is_blocked`, `open_tickets` and `limit`. Raises UnknownZone."""
    if not Zone.objects.filter(pk=zone_id).exists():
        raise UnknownZone
    limit, count = _limit_of(zone_id, support_settings()), _open_in(zone_id)
    return {"is_blocked": count >= limit, "open_tickets": count, "limit": limit}


def _take_place(zone_id: UUID, settings: SupportSettings) -> None:
    # Locked, so that of many callers at the last free ticket one gets it; premises may still point at the zone.
    zone = Zone.objects.select_for_update(of=("self",), no_key=True).filter(pk=zone_id).first()
    if zone is None:
        raise UnknownZone
    limit, count = _limit_of(zone_id, settings), _open_in(zone_id)
    if count >= limit:
        raise ZoneTicketLimitReached(zone=zone.name, open=count, limit=limit)


def _open_in(zone_id: UUID) -> int:
    return Ticket.objects.filter(zone_id=zone_id, status__in=UNRESOLVED).count()


def _limit_of(zone_id: UUID, settings: SupportSettings) -> int:
    own: int | None = ZoneLimit.objects.filter(zone_id=zone_id).values_list("limit", flat=True).first()
    return settings.zone_limit if own is None else own


def _line(subscription_id: UUID | None, subscriber_id: UUID | None) -> Subscription | None:
    if subscription_id is None:
        return None
    line: Subscription | None = (
        Subscription.objects.select_related("premise").filter(pk=subscription_id).first()
    )
    if line is None:
        raise UnknownService
    if subscriber_id is not None and line.subscriber_id != subscriber_id:
        raise ServiceOfAnother(number=line.number)
    return line


def _refuse_duplicate(subject: Subject, line: Subscription | None, subscriber: UUID | None) -> None:
    if subscriber is None:
        return
    same = Ticket.objects.filter(
        subscriber_id=subscriber, subscription=line, subject=subject, status__in=UNRESOLVED
    )
    if found := same.order_by("-id").first():
        raise DuplicateTicket(number=found.number, title=found.title)


def _outage_of(line: Subscription | None) -> Outage | None:
    if line is None:
        return None
    # Locked, so that it cannot end before the ticket is there to end with it.
    found: Outage | None = (
        Outage.objects.select_for_update(of=("self",), no_key=True)
        .filter(status=OutageStatus.CONFIRMED, members__onu__subscription=line, members__up_at=None)
        .order_by("-started_at")
        .first()
    )
    return found
