"""The tickets of a customer as a tab of their page, and those of a service as a panel of its own."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from ispcore.admin.formats import moment, pill
from subscribers.admin import tabs
from subscribers.models import Subscriber, Subscription
from support.admin.desk import PRIORITY_TONES
from support.admin.ticket_page import STATUS_TONES, due_words, status_words
from support.models import Priority, Ticket, TicketStatus

MAY_SEE = "support.view_ticket"
TEMPLATE = "admin/support/customer_tickets.html"
SHOWN = 50
SHOWN_OF_SERVICE = 5


def tickets_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Read the customer's tickets, newest first."""
    rows = Ticket.objects.filter(subscriber=subscriber)
    empty = "This customer never had a ticket."
    return _read(request, rows, f"subscriber={subscriber.pk}", most=SHOWN, empty=empty)


def service_panel(request: HttpRequest, line: Subscription) -> dict[str, Any]:
    """Read what was said about one service of late."""
    rows = Ticket.objects.filter(subscription=line)
    empty = "Nobody ever opened a ticket about this service."
    return _read(request, rows, f"subscription={line.pk}", most=SHOWN_OF_SERVICE, empty=empty)


def _read(
    request: HttpRequest, rows: QuerySet[Ticket], begun_with: str, *, most: int, empty: str
) -> dict[str, Any]:
    found = list(rows.select_related("assignee", "team").order_by("-id")[: most + 1])
    at = timezone.now()
    may_add = request.user.has_perm("support.add_ticket")
    return {
        "tickets": [
            {
                "url": reverse("admin:support_ticket_change", args=[each.pk]),
                "number": each.number,
                "title": each.title,
                "state": pill(status_words(each), STATUS_TONES[TicketStatus(each.status)]),
                "priority": pill(each.get_priority_display(), PRIORITY_TONES[Priority(each.priority)]),
                "who": str(each.assignee or each.team or "nobody yet"),
                "due": due_words(each, at=at),
                "opened": moment(each.created_at),
            }
            for each in found[:most]
        ],
        "tickets_more": len(found) > most,
        "tickets_empty": empty,
        "new_ticket_url": f"{reverse('admin:support_ticket_add')}?{begun_with}" if may_add else "",
    }


tabs.add(50, "tickets", "Tickets", template=TEMPLATE, allowed=MAY_SEE, read=tickets_tab)
tabs.add_panel(50, "tickets", template=TEMPLATE, allowed=MAY_SEE, read=service_panel)
