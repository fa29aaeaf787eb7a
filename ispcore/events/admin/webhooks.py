"""Webhooks: set up, tested, paused, their secrets rotated, what they missed sent again."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from ispcore.admin import dashboard, links, navigation
from ispcore.admin.actions import ActionForm, action, run_on_each
from ispcore.admin.base import ServiceForm, TenantModelAdmin
from ispcore.admin.fields import CheckBox, CheckBoxes, MomentInput, TextInput
from ispcore.admin.formats import moment, pill, pills, time_column
from ispcore.admin.site import register
from ispcore.events.admin.deliveries import STATUS_TONES, named, part_of
from ispcore.events.catalogue import CATALOGUE, groups
from ispcore.events.models import DisabledReason, WebhookDelivery, WebhookEndpoint
from ispcore.events.services import deliveries, endpoints

SHOWN_DELIVERIES = 10
SHOWN_TYPES = 3
# A failure that heals by itself is nothing to look at.
CONCERN_AFTER = timedelta(hours=1)
LIST = "admin:events_webhookendpoint_changelist"


def type_choices() -> list[tuple[str, str]]:
    """List what a webhook can be told of, each part's all before its types."""
    every = [(group, f"{part_of(group)}: all, and those to come") for group in groups()]
    types = sorted([*every, *((name, named(name)) for name in CATALOGUE)])
    return sorted(types, key=lambda each: part_of(each[0]))


class WebhookForm(ServiceForm):
    event_types = forms.MultipleChoiceField(
        required=False,
        choices=type_choices,
        widget=CheckBoxes,
        label="Told of",
        help_text="Nothing ticked: everything, and whatever comes later.",
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("url", "description", "event_types")
        widgets = {"url": TextInput(attrs={"inputmode": "url", "placeholder": "https://erp.example/hooks"})}
        help_texts = {
            "url": "Messages are posted there: by HTTPS, on port 443 or 8443 of a public host.",
            "description": "For colleagues, such as 'Accounting'.",
        }


class ReplayForm(ActionForm):
    since = forms.DateTimeField(
        widget=MomentInput,
        label="From",
        help_text="In the provider's time zone, and no longer ago than 90 days.",
    )
    until = forms.DateTimeField(
        required=False, widget=MomentInput, label="To before", help_text="Empty: until now."
    )
    only_missed = forms.BooleanField(
        required=False,
        initial=True,
        widget=CheckBox,
        label="Only what never arrived there",
        help_text="Also what happened while the webhook was off.",
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if since and until and until <= since:
            self.add_error("until", "This lies before the beginning.")
        return given


@register(WebhookEndpoint)
class WebhookEndpointAdmin(TenantModelAdmin):
    """Addresses that are told of events."""

    form = WebhookForm
    change_form_outer_before_template = "admin/events/recent.html"
    list_display = (
        "name",
        "told_of",
        "state",
        time_column("last_delivered_at", "Last delivered", empty="never"),
    )
    list_filter = ("is_enabled",)
    search_fields = ("description", "url")
    ordering = ("-id",)
    sortable_by = ()
    object_actions = ("send_test", "replay", "enable", "disable", "rotate_secret", "remove")
    history_ignore = ("failing_since", "last_delivered_at", "claim_token", "claimed_until", "resting_until")
    add_fieldsets = ((None, {"fields": ("url", "description", "event_types")}),)
    fieldsets = (
        (
            "State",
            {
                "fields": (
                    "state",
                    "since",
                    time_column("last_delivered_at", "Last delivered", empty="never"),
                    time_column("created_at", "Set up"),
                )
            },
        ),
        (None, {"fields": ("url", "description", "event_types")}),
        ("Secret", {"fields": ("secret_state",)}),
    )
    empty_title = "No webhook is set up"
    empty_help = (
        "A webhook tells another program, such as the accounting, what happens here the moment it happens: an invoice "
        "was issued, a payment came, an outage began. Name the address of a receiver and choose what it is told of."
    )
    docs_path = "/docs"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = [*self.fieldsets[0][1]["fields"], "secret_state"] if obj else []
        return tuple(shown)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_steer_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.change_webhookendpoint")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.delete_webhookendpoint")

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        given = form.cleaned_data
        if change:
            changes = {name: given[name] for name in form.changed_data}
            made = endpoints.change_webhook(endpoint_id=obj.pk, at=timezone.now(), **changes)
        else:
            made, request.new_secret = endpoints.create_webhook(**given)  # type: ignore[attr-defined]
        obj.__dict__.update(made.__dict__)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if found := kwargs.get("obj"):
            context |= recent_of(found)
        else:
            # What follows is the page that shows the secret.
            context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: Any = None
    ) -> HttpResponse:
        return self._secret_page(request, obj, request.new_secret)  # type: ignore[attr-defined]

    def _secret_page(self, request: HttpRequest, obj: WebhookEndpoint, secret: str) -> HttpResponse:
        """Show the secret in this answer alone: in a message it would lie in a cookie until read."""
        context = {
            **self.admin_site.each_context(request),
            "title": "The new secret",
            "opts": self.opts,
            "secret": secret,
            "name": str(obj),
            "overlaps": obj.previous_secret_until,
            "back": links.url_of("webhook", obj.pk),
        }
        response = TemplateResponse(request, "admin/events/secret.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @action(
        description="Test",
        permissions=["steer"],
        confirm="One message of the type platform.webhook_tested goes to this address.",
        button="Send a test",
        icon="science",
        available=lambda webhook: webhook.is_enabled,
    )
    def send_test(self, request: HttpRequest, queryset: QuerySet) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda each: deliveries.send_test(endpoint_id=each.pk, at=at),
            done="On the way: what came of it shows among the last deliveries in a moment.",
        )

    @action(
        description="Send again",
        permissions=["steer"],
        confirm="Everything of that time that this webhook wants goes out once more, in order, with the ids it had.",
        button="Send again",
        icon="replay",
        form=ReplayForm,
        available=lambda webhook: webhook.is_enabled,
    )
    def replay(self, request: HttpRequest, queryset: QuerySet, answers: dict[str, Any]) -> None:
        until = answers["until"] or timezone.now()
        for each in queryset:
            count = deliveries.replay_range(
                endpoint_id=each.pk,
                since=answers["since"],
                until=until,
                only_missed=answers["only_missed"],
            )
            messages.success(
                request, f"{count} on the way." if count else "Nothing of that time is left to send."
            )

    @action(
        description="Switch off",
        permissions=["steer"],
        confirm="Nothing more is sent there. What waits is kept, and goes out when it is switched on again; what "
        "happens meanwhile is not, but can be sent then.",
        icon="pause",
        available=lambda webhook: webhook.is_enabled,
    )
    def disable(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._switch(request, queryset, is_enabled=False, done="Switched off.")

    @action(
        description="Switch on",
        permissions=["steer"],
        confirm="What waits is sent at once, and what happens from now on as it happens.",
        icon="play_arrow",
        available=lambda webhook: not webhook.is_enabled,
    )
    def enable(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._switch(request, queryset, is_enabled=True, done="Switched on.")

    def _switch(self, request: HttpRequest, queryset: QuerySet, *, is_enabled: bool, done: str) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda each: endpoints.change_webhook(endpoint_id=each.pk, at=at, is_enabled=is_enabled),
            done=done,
        )

    @action(
        description="Rotate secret",
        permissions=["steer"],
        confirm="The next page shows a new secret, once. For 24 hours messages are signed by the old one as well, so "
        "that the receiver misses nothing while it is told.",
        icon="key",
    )
    def rotate_secret(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        rotated, secret = endpoints.rotate_secret(endpoint_id=queryset.get().pk, at=timezone.now())
        return self._secret_page(request, rotated, secret)

    @action(
        description="Remove",
        permissions=["remove"],
        confirm="The webhook and the log of what was sent to it are deleted; what waits is not sent. This cannot be "
        "undone.",
        button="Remove for good",
        icon="delete",
        danger=True,
    )
    def remove(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        endpoints.remove_webhook(endpoint_id=queryset.get().pk)
        messages.success(request, "Removed.")
        return redirect(LIST)

    @admin.display(description="Webhook")
    def name(self, obj: WebhookEndpoint) -> str:
        return str(obj)

    @admin.display(description="Told of")
    def told_of(self, obj: WebhookEndpoint) -> str:
        if not obj.event_types:
            return "Everything"
        words = dict(type_choices())
        shown = [words.get(each, each) for each in obj.event_types[:SHOWN_TYPES]]
        more = len(obj.event_types) - SHOWN_TYPES
        return pills([*shown, f"{more} more"] if more > 0 else shown)

    @admin.display(description="State")
    def state(self, obj: WebhookEndpoint) -> str:
        if not obj.is_enabled:
            is_by_hand = obj.disabled_reason == DisabledReason.BY_HAND
            return pill(
                f"off: {obj.get_disabled_reason_display().lower()}", "plain" if is_by_hand else "danger"
            )
        return pill("failing", "warning") if obj.failing_since else pill("on", "good")

    @admin.display(description="Since")
    def since(self, obj: WebhookEndpoint) -> str:
        return moment(obj.disabled_at or obj.failing_since)

    @admin.display(description="Secret")
    def secret_state(self, obj: WebhookEndpoint) -> str:
        if obj.previous_secret_until and obj.previous_secret_until > timezone.now():
            return f"Rotated; the old one signs as well until {timezone.localtime(obj.previous_secret_until):%H:%M}."
        return "Shown once, when it is made. Rotate it when it is lost or was seen."


def recent_of(webhook: WebhookEndpoint) -> dict[str, Any]:
    """Return what the table of the last deliveries shows."""
    rows = WebhookDelivery.objects.filter(endpoint=webhook).select_related("event").order_by("-pk")
    return {
        "recent": [
            {
                "url": reverse("admin:events_webhookdelivery_change", args=[each.pk]),
                "what": named(each.event.name),
                "state": pill(each.get_status_display(), STATUS_TONES[each.status]),
                "answer": each.response_status or ("no answer" if each.attempts else "–"),
                "at": moment(each.created_at),
            }
            for each in rows[:SHOWN_DELIVERIES]
        ],
        "all_url": f"{reverse('admin:events_webhookdelivery_changelist')}?endpoint__id__exact={webhook.pk}",
    }


def _concerns(request: HttpRequest) -> list[dashboard.Concern]:
    off = Q(is_enabled=False) & ~Q(disabled_reason=DisabledReason.BY_HAND)
    failing = Q(is_enabled=True, failing_since__lt=timezone.now() - CONCERN_AFTER)
    return [
        dashboard.Concern(
            title=str(each),
            detail="Nothing arrives there; it is tried again."
            if each.is_enabled
            else f"{each.get_disabled_reason_display()}: nothing is sent there any more.",
            url=reverse("admin:events_webhookendpoint_change", args=[each.pk]),
            at=each.disabled_at or each.failing_since,
            word="failing" if each.is_enabled else "off",
            tone="warning" if each.is_enabled else "danger",
        )
        for each in WebhookEndpoint.objects.filter(off | failing).order_by("-pk")[:5]
    ]


links.add("webhook", "admin:events_webhookendpoint_change")
navigation.add_list("Platform", 55, "Webhooks", WebhookEndpoint, icon="webhook")
dashboard.add_concerns(80, allowed="events.view_webhookendpoint", read=_concerns)
