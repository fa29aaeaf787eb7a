"""Mail that came for the helpdesk, and what became of it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ispcore.admin import links, navigation
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import DASH, choice_column, time_column
from ispcore.admin.site import register
from support.models import IncomingMail, MailOutcome

OUTCOME_TONES = {
    MailOutcome.COMMENTED: "good",
    MailOutcome.OPENED: "info",
    MailOutcome.IGNORED: "plain",
    MailOutcome.REFUSED: "warning",
}


@register(IncomingMail)
class IncomingMailAdmin(ReadOnlyAdmin):
    """The log: one row per message."""

    list_display = (
        "what",
        "sender",
        choice_column("outcome", "Became", OUTCOME_TONES),
        "in_ticket",
        "why",
        time_column("taken_at", "Taken in"),
    )
    list_filter = ("outcome",)
    list_select_related = ("ticket",)
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("what", "sender", "outcome", "in_ticket", "why", "message_key")}),
        ("When", {"fields": (time_column("taken_at", "Taken in"),)}),
    )
    empty_title = "No mail has come yet"
    empty_help = (
        "Customers may write to the helpdesk by e-mail: what answers a ticket is added to it, other mail of a customer "
        "opens one, and what comes from nobody known is refused and kept. The installation's settings say where mail "
        "is delivered; the support settings say which subject new tickets get."
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("ticket")

    @admin.display(description="Subject")
    def what(self, obj: IncomingMail) -> str:
        return obj.title or "(no subject)"

    @admin.display(description="Ticket")
    def in_ticket(self, obj: IncomingMail) -> str:
        return links.link(links.url_of("ticket", obj.ticket_id), obj.ticket.number) if obj.ticket else DASH

    @admin.display(description="Why")
    def why(self, obj: IncomingMail) -> str:
        return obj.detail or DASH


navigation.add_list(
    "Support",
    17,
    "Incoming mail",
    IncomingMail,
    icon="mark_email_unread",
    under="admin:support_ticket_changelist",
)
