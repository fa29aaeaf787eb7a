"""What a ticket's page shows: whose it is, when it is due, what was said, and which comes next."""

from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from hardware.models import Outage
from ispcore.admin import links
from ispcore.admin.formats import DASH, moment, pill
from subscribers.models import Subscriber, Subscription
from support.models import RUNNING, UNRESOLVED, Comment, Source, Ticket, TicketStatus

STATUS_TONES = {
    TicketStatus.OPEN: "warning",
    TicketStatus.IN_PROGRESS: "info",
    TicketStatus.WAITING: "plain",
    TicketStatus.RESOLVED: "good",
    TicketStatus.CLOSED: "plain",
}


def due_words(ticket: Ticket, *, at: datetime) -> str:
    """Say when a ticket is due; of one that waits or is over, why its clock stands."""
    if ticket.status in RUNNING:
        due = moment(ticket.due_at)
        return _marked(due, "Overdue", "danger") if ticket.due_at < at else due
    return "clock stands" if ticket.status == TicketStatus.WAITING else DASH


def status_words(ticket: Ticket) -> str:
    """Name a status where there is no room for whom a ticket waits for."""
    return "Waiting" if ticket.status == TicketStatus.WAITING else str(ticket.get_status_display())


def neighbours(rows: QuerySet[Ticket], ticket: Ticket) -> tuple[Ticket | None, Ticket | None]:
    """Return the ticket before and the one after, as the queue is worked through: the first due first."""
    at, pk = ticket.due_at, ticket.pk
    before = (
        rows.filter(Q(due_at__lt=at) | Q(due_at=at, pk__lt=pk)).order_by(F("due_at").desc(), "-pk").first()
    )
    after = rows.filter(Q(due_at__gt=at) | Q(due_at=at, pk__gt=pk)).order_by("due_at", "pk").first()
    return before, after


def url_of(ticket: Ticket) -> str:
    return reverse("admin:support_ticket_change", args=[ticket.pk])


def facts_of(ticket: Ticket) -> list[tuple[str, Any]]:
    """Say whose a ticket is and when it is due, leaving out what does not apply to it."""
    line, customer, into = ticket.subscription, ticket.subscriber, ticket.merged_into
    return [
        ("Customer", _customer(customer)),
        *([("Phone", _phone(customer))] if customer and customer.phone else []),
        *(
            [("Service", links.link(links.url_of("service", line.pk), f"{line.number} · {line.plan.name}"))]
            if line
            else []
        ),
        ("Subject", ticket.subject.name),
        *([("Zone", ticket.zone)] if ticket.zone else []),
        ("Assigned to", ticket.assignee or "nobody yet"),
        *([("Team", ticket.team)] if ticket.team else []),
        *([("Due", due_words(ticket, at=timezone.now()))] if ticket.status in UNRESOLVED else []),
        *_first_answer(ticket),
        ("Opened", moment(ticket.created_at)),
        *([("Waits since", moment(ticket.waiting_since))] if ticket.waiting_since else []),
        *([("Escalated", f"level {ticket.escalation_level}")] if ticket.escalation_level else []),
        *([("Outage", _outage(ticket.outage))] if ticket.outage else []),
        *([("Resolved", moment(ticket.resolved_at))] if ticket.resolved_at else []),
        *([("Merged into", links.link(url_of(into), into.number))] if into else []),
    ]


def _customer(customer: Subscriber | None) -> str:
    return links.link(links.url_of("subscriber", customer.pk), customer.full_name) if customer else "unknown"


def _service(line: Subscription) -> str:
    return links.link(links.url_of("service", line.pk), f"{line.number} · {line.plan.name}")


def _phone(customer: Subscriber) -> str:
    if not customer.phone_e164:
        return str(customer.phone)
    return format_html(
        '<a class="isp-link isp-nowrap" href="tel:{}">{}</a>', customer.phone_e164, customer.phone
    )


def _outage(outage: Outage) -> str:
    return links.link(reverse("admin:hardware_outage_change", args=[outage.pk]), outage.get_cause_display())


def _first_answer(ticket: Ticket) -> list[tuple[str, str]]:
    answered, due = ticket.first_responded_at, ticket.first_response_due_at
    if answered:
        came = moment(answered)
        return [("First answer", _marked(came, "Late", "warning") if answered > due else came)]
    if ticket.status not in UNRESOLVED:
        return []
    is_late = due < timezone.now()
    return [("First answer due", _marked(moment(due), "Overdue", "danger") if is_late else moment(due))]


def _marked(when: str, word: str, tone: str) -> str:
    return format_html('<span class="isp-pills">{} {}</span>', pill(word, tone), when)


def shown(comment: Comment) -> dict[str, Any]:
    is_system = comment.source == Source.SYSTEM
    return {
        "who": comment.author_name or comment.get_source_display(),
        "when": moment(comment.said_at),
        "body": comment.body,
        "kind": "done" if is_system else "internal" if comment.is_internal else comment.source,
        "note": "for colleagues" if comment.is_internal and not is_system else "",
        "files": [
            (each.file.name, reverse("admin:download_file", args=[each.file_id]), each.file.size_bytes)
            for each in comment.attachments.all()
        ],
    }
