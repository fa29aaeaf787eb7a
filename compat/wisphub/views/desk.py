"""Tickets: subjects, opening, reading, and whether a zone takes more."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from compat.wisphub.clients import line_with_number
from compat.wisphub.numbers import MOST_TICKET, TICKET, key_of, number_of, ticket_number
from compat.wisphub.shapes import Action, failed, informed, minute, succeeded
from compat.wisphub.views.base import WispHubView, number_in, said
from ispcore.api.fields import TextField
from ispcore.api.request import caller_of
from ispcore.api.views import valid
from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Membership, Tenant
from ispcore.tenants.roles import STAFF_ROLES
from subscribers.models import Zone
from support.models import Comment, Priority, Source, Subject, Ticket, TicketStatus
from support.services import tickets
from support.services.tickets.opening import ZoneTicketLimitReached
from support.services.tickets.talking import LONGEST

# The product's priorities, and the digit a ticket shows of each.
PRIORITIES = {
    Priority.LOW: ("low", "1"),
    Priority.NORMAL: ("normal", "2"),
    Priority.HIGH: ("high", "3"),
    Priority.URGENT: ("very_high", "4"),
}
STATUSES = {
    TicketStatus.OPEN: "Abierto",
    TicketStatus.IN_PROGRESS: "En Progreso",
    TicketStatus.WAITING: "En Progreso",
    TicketStatus.RESOLVED: "Cerrado",
    TicketStatus.CLOSED: "Cerrado",
}


class DeskView(WispHubView):
    app_label = "support"


class SubjectsView(DeskView):
    def get(self, request: Request) -> Response:
        """List the subjects a new ticket may have, by priority and all together."""
        rows = list(Subject.objects.filter(is_active=True).order_by("position", "name"))
        by_priority = {
            name: [each.name for each in rows if each.priority == priority]
            for priority, (name, _) in PRIORITIES.items()
        }
        every = [name for names in by_priority.values() for name in names]
        return said(succeeded(Action.TICKET_SUBJECTS_LISTED, {"by_priority": by_priority, "all": every}))


class TicketInput(serializers.Serializer[Any]):
    """What a ticket is opened with; unknown fields are left alone, as there."""

    service_id = serializers.IntegerField(min_value=0)
    subject = TextField(max_length=120)
    description = TextField(max_length=LONGEST)
    technician_id = serializers.IntegerField(required=False, allow_null=True, min_value=0)
    zone_id = serializers.IntegerField(required=False, allow_null=True, min_value=0)


class TicketsView(DeskView):
    def post(self, request: Request) -> Response:
        """Open a ticket of a service, unless its zone has as many open ones as it takes."""
        data = valid(TicketInput(data=request.data))
        at = timezone.now()
        user_id = caller_of(request._request).user_id
        try:
            technician = _technician(data.get("technician_id"))
            opened = tickets.open_ticket(
                subject_id=_subject(data["subject"]),
                subscription_id=_service(data["service_id"]),
                zone_id=_zone(data.get("zone_id")),
                description=data["description"],
                at=at,
                user_id=user_id,
                source=Source.API,
            )
        except ZoneTicketLimitReached as refusal:
            reached = {"max_tickets": refusal.details["limit"]}
            return said(informed(Action.ZONE_TICKET_LIMIT_REACHED, reached))
        except DomainError as refusal:
            return said(failed(Action.TICKET_CREATION_FAILED, str(refusal)))
        if technician is not None:
            opened = tickets.assign(ticket_id=opened.pk, assignee_id=technician, at=at, user_id=user_id)
        return said(succeeded(Action.TICKET_CREATED, _shown(opened)))


class TicketView(DeskView):
    def get(self, request: Request, ticket_id: str) -> Response:
        """Show a ticket with the last answer to it."""
        number = min(number_in("ticket_id", ticket_id), MOST_TICKET)
        ticket = Ticket.objects.select_related("subject").filter(number=TICKET.format(number)).first()
        if ticket is None:
            return said(informed(Action.TICKET_NOT_FOUND))
        return said(succeeded(Action.TICKET_FOUND, _shown(ticket)))


class ZoneBlockedView(DeskView):
    def get(self, request: Request, zone_id: str) -> Response:
        """Tell whether a zone has as many open tickets as it takes. 404 for a zone there is not."""
        zone = key_of(Zone.objects.all(), number_in("zone_id", zone_id))
        if zone is None:
            raise NotFound("There is no such zone.")
        state = tickets.zone_state(zone_id=zone)
        data = {"is_blocked": state["is_blocked"], "max_tickets": state["limit"]}
        return said(succeeded(Action.TICKET_FOUND, data))


class UnknownToTheClient(DomainError):
    message = "{what} {value} no existe."


def _subject(name: str) -> UUID:
    found = Subject.objects.filter(name=name, is_active=True).values_list("pk", flat=True).first()
    if found is None:
        raise UnknownToTheClient(what="El asunto", value=name)
    return UUID(str(found))


def _service(number: int) -> UUID:
    line = line_with_number(str(number))
    if line is None:
        raise UnknownToTheClient(what="El servicio", value=number)
    return line.pk


def _zone(number: int | None) -> UUID | None:
    """Return the zone named; none, and 0, leaves it to the service."""
    if not number:
        return None
    found = key_of(Zone.objects.all(), number)
    if found is None:
        raise UnknownToTheClient(what="La zona", value=number)
    return found


def _technician(number: int | None) -> UUID | None:
    if not number:
        return None
    staff = Membership.objects.filter(tenant=current_tenant_id(), role__in=STAFF_ROLES, user__is_active=True)
    found = next((key for key in staff.values_list("user", flat=True) if number_of(key) == number), None)
    if found is None:
        raise UnknownToTheClient(what="El técnico", value=number)
    return found


def _shown(ticket: Ticket) -> dict[str, Any]:
    zone = ZoneInfo(Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id()))
    return {
        "ticket_id": ticket_number(ticket.number),
        "subject": ticket.title,
        "created_at": minute(ticket.created_at, zone),
        "end_date": minute(ticket.due_at, zone),
        "status_ticket": STATUSES[TicketStatus(ticket.status)],
        "priority": PRIORITIES[Priority(ticket.priority)][1],
        "answer_text": _answer(ticket),
    }


def _answer(ticket: Ticket) -> str | None:
    """Return what staff told the customer last. What a ticket was opened with is no answer to it."""
    told = Comment.objects.filter(
        ticket=ticket, source=Source.STAFF, is_internal=False, said_at__gt=ticket.created_at
    )
    found: str | None = told.order_by("-id").values_list("body", flat=True).first()
    return found
