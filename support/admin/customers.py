"""The customer's tickets, as a tab of their page."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from ispcore.admin.formats import moment, pill
from subscribers.admin import tabs
from subscribers.models import Subscriber
from support.admin.ticket_page import STATUS_TONES, due_words
from support.models import Ticket, TicketStatus

SHOWN = 50


def read(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    found = list(Ticket.objects.filter(subscriber=subscriber).order_by("-id")[: SHOWN + 1])
    at = timezone.now()
    new_url = f"{reverse('admin:support_ticket_add')}?subscriber={subscriber.pk}"
    return {
        "tickets": [
            {
                "url": reverse("admin:support_ticket_change", args=[each.pk]),
                "number": each.number,
                "title": each.title,
                "state": pill(each.get_status_display(), STATUS_TONES[TicketStatus(each.status)]),
                "due": due_words(each, at=at),
                "opened": moment(each.created_at),
            }
            for each in found[:SHOWN]
        ],
        "has_more": len(found) > SHOWN,
        "new_url": new_url if request.user.has_perm("support.add_ticket") else "",
    }


tabs.add(
    50,
    "tickets",
    "Tickets",
    template="admin/support/customer_tickets.html",
    allowed="support.view_ticket",
    read=read,
)
