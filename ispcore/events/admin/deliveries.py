"""What was sent to webhooks, and what came of it."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import DASH, choice_column, mapping, moment, pill, readable, time_column
from ispcore.admin.site import register
from ispcore.events.models import DeliveryStatus, WebhookDelivery
from ispcore.events.services import deliveries
from ispcore.events.services.sending import LADDER

STATUS_TONES = {
    DeliveryStatus.WAITING: "info",
    DeliveryStatus.DELIVERED: "good",
    DeliveryStatus.FAILED: "danger",
}


# Parts whose names are the trade's abbreviations, by what the sidebar calls them.
PARTS = {"aaa": "Access", "ipam": "Addresses", "subscribers": "Customers"}


def part_of(event_type: str) -> str:
    part = event_type.partition(".")[0]
    return PARTS.get(part, readable(part))


def named(event_type: str) -> str:
    """Write a type of event as people do: `billing.invoice_issued` reads 'Billing: invoice issued'."""
    words = readable(event_type.replace("subscription", "service"))
    is_acronym = words[:2].isupper()
    return f"{part_of(event_type)}: {words if is_acronym else words[:1].lower() + words[1:]}"


def attempts_of(delivery: WebhookDelivery) -> list[dict[str, Any]]:
    """Return what a table of attempts shows."""
    return [
        {
            "number": number,
            "at": moment(datetime.fromisoformat(each["at"])),
            "status": _answered(each["response_status"]),
            "took": f"{each['duration_ms']}\u202fms",
            "said": each["answer"] or DASH,
        }
        for number, each in enumerate(delivery.log, 1)
    ]


def _answered(status: int | None) -> str:
    if status is None:
        return pill("no answer", "danger")
    return pill(str(status), "good" if 200 <= status < 300 else "danger")


@register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """One row per event and webhook, with every attempt."""

    change_form_outer_after_template = "admin/events/attempts.html"
    list_display = (
        "what",
        "webhook",
        choice_column("status", "State", STATUS_TONES),
        "answered",
        "tries",
        "next_or_last",
        time_column("created_at", "Made"),
    )
    list_filter = ("status", "endpoint", "is_replay")
    list_select_related = ("event", "endpoint")
    ordering = ("-id",)
    sortable_by = ()
    actions = ("replay",)
    object_actions = ("replay",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "what",
                    "about",
                    "webhook",
                    choice_column("status", "State", STATUS_TONES),
                    "why_made",
                    "message_id",
                )
            },
        ),
        (
            "When",
            {
                "fields": (
                    time_column("created_at", "Made"),
                    time_column("delivered_at", "Delivered"),
                    time_column("next_attempt_at", "Next attempt"),
                )
            },
        ),
    )
    empty_title = "Nothing was sent to a webhook yet"
    empty_help = (
        "Each event that a webhook wants stands here once for it, with every attempt, what the receiver answered and "
        "when it is tried again. Rows are kept for 30 days."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("event", "endpoint")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.change_webhookdelivery")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if found := kwargs.get("obj"):
            context["attempts"] = attempts_of(found)
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Send again",
        permissions=["replay"],
        confirm="The same message goes out once more, with the id it had: the receiver can tell that it is the same. "
        "One that still waits is tried now.",
        icon="replay",
    )
    def replay(self, request: HttpRequest, queryset: QuerySet) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset[: deliveries.MOST_IDS],
            lambda each: deliveries.replay_delivery(delivery_id=each.pk, at=at),
            done="{count} on the way.",
        )

    @admin.display(description="Event")
    def what(self, obj: WebhookDelivery) -> str:
        return named(obj.event.name)

    @admin.display(description="About")
    def about(self, obj: WebhookDelivery) -> str:
        return mapping(obj.event.payload)

    @admin.display(description="Webhook")
    def webhook(self, obj: WebhookDelivery) -> str:
        return links.link(links.url_of("webhook", obj.endpoint_id), str(obj.endpoint))

    @admin.display(description="Answer")
    def answered(self, obj: WebhookDelivery) -> str:
        return _answered(obj.response_status) if obj.attempts else DASH

    @admin.display(description="Attempts")
    def tries(self, obj: WebhookDelivery) -> str:
        return f"{obj.attempts} of {len(LADDER) + 1}"

    @admin.display(description="Delivered or next")
    def next_or_last(self, obj: WebhookDelivery) -> str:
        return moment(obj.next_attempt_at or obj.delivered_at)

    @admin.display(description="Made by")
    def why_made(self, obj: WebhookDelivery) -> str:
        return "Sent again by hand" if obj.is_replay else "The event"

    @admin.display(description="Message id")
    def message_id(self, obj: WebhookDelivery) -> str:
        return str(obj.event_id)


navigation.add_list(
    "Platform",
    56,
    "Webhook deliveries",
    WebhookDelivery,
    icon="send",
    under="admin:events_webhookendpoint_changelist",
)
