"""One text to many customers: drafted, counted and seen, approved by that count."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from billing.services.documents.identity import billing_identity
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, Outcome, Preview, action
from ispcore.admin.base import TenantForm
from ispcore.admin.fields import NumberInput
from ispcore.admin.formats import DASH, choice_column, figures, moment, pill, time_column
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved
from support.admin.desk import DeskAdmin
from support.admin.notices import letter
from support.models import MassMessage, MassState, Notice, NoticeKind, NoticeStatus
from support.services.notices import mass, templates

SHOWN = 5
STATE_TONES = {
    MassState.DRAFT: "plain",
    MassState.COUNTED: "warning",
    MassState.APPROVED: "info",
    MassState.SENDING: "info",
    MassState.SENT: "good",
    MassState.CANCELLED: "plain",
}


class MassForm(TenantForm):
    refused_fields: ClassVar = {"zone_id": "zone", "plan_id": "plan"}

    class Meta:
        model = MassMessage
        fields: tuple[str, ...] = ()


class ApproveForm(ActionForm):
    count = forms.IntegerField(
        min_value=1,
        label="Customers who get it",
        widget=NumberInput,
        help_text="As many as were counted. If others would get it by then, nothing is sent and you are told.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        message = self.rows.first()
        if message is not None:
            self.fields["count"].initial = message.counted


def preview(
    admin_of: Any, request: HttpRequest, queryset: QuerySet[MassMessage], data: dict[str, Any] | None
) -> Preview:
    """Show who would get it, and what they would read."""
    message = queryset.get()
    found = mass.recipients(message)
    count = found.count()
    subject, body = templates.preview(
        NoticeKind.MASS,
        channel=message.channel,
        subject=message.subject or "-",
        body=message.body,
        provider=billing_identity().legal_name,
    )
    facts = [("By", message.get_channel_display()), ("Cap", figures(message.cap))]
    if message.subject:
        facts.append(("Subject", subject))
    refused = ""
    if count > message.cap:
        refused = str(mass.OverCap(count=count, cap=message.cap))
    elif count == 0:
        refused = str(mass.NobodyToTell())
    first = [each.full_name for each in found.order_by("pk")[:SHOWN]]
    words = "customer gets it" if count == 1 else "customers get it"
    return Preview(
        outcomes=[Outcome(count=count, words=words, tone="info", rows=first)],
        facts=[*facts, ("Text", letter(body))],
        refused=refused,
        is_useful=count > 0,
    )


@register(MassMessage)
class MassMessageAdmin(DeskAdmin):
    """Messages to many."""

    form = MassForm
    list_display = (
        "name",
        "channel",
        "purpose",
        choice_column("state", "State", STATE_TONES),
        "counted_shown",
        "written_shown",
        time_column("created_at", "Drafted"),
    )
    list_filter = ("state", "channel", "purpose")
    autocomplete_fields = ("zone", "plan")
    ordering = ("-id",)
    sortable_by = ()
    object_actions = ("count_again", "approve", "call_off")
    fieldsets = (
        ("1. What it says", {"fields": ("name", "channel", "purpose", "subject", "body")}),
        (
            "2. Whom it is for",
            {
                "fields": ("status", "zone", "plan", "cap"),
                "description": "Only those are counted who have an address and did not decline.",
            },
        ),
    )
    empty_title = "No message to many was drafted yet"
    empty_help = (
        "Tell all customers of a zone of planned works, or those who agreed to it of an offer. A draft is counted "
        "first; it goes out once a person approves that number, and never to more than its cap."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[MassMessage]:
        return super().get_queryset(request).select_related("zone", "plan", "approved_by")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fieldsets
        shown = ("state_shown", "counted_shown", "approved_shown", "written_shown", "outcome_shown")
        how_far = ("How far it is", {"fields": shown})
        if obj.state in mass.EDITABLE:
            return (*self.fieldsets, how_far)
        (what, of_text), whom = self.fieldsets
        fields = [name if name != "body" else "body_shown" for name in of_text["fields"]]
        return (how_far, (what, {"fields": fields}), whom)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        shown = ("state_shown", "counted_shown", "approved_shown", "written_shown", "outcome_shown")
        return (*shown, "body_shown")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request) and (obj is None or obj.state in mass.EDITABLE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may send to many; who runs the desk may."""
        return request.user.has_perm("support.delete")

    def save_model(self, request: HttpRequest, obj: MassMessage, form: Any, change: bool) -> None:
        given = answers(form)
        made = mass.change(message_id=obj.pk, **given) if change else mass.create(**given)
        saved(obj, mass.count(message_id=made.pk, at=timezone.now()))

    def response_add(self, request: HttpRequest, obj: MassMessage, *args: Any, **kwargs: Any) -> HttpResponse:
        messages.success(request, f"Drafted: {figures(obj.counted or 0)} customers would get it.")
        return redirect("admin:support_massmessage_change", obj.pk)

    @action(
        description="Count again",
        permissions=["steer"],
        confirm="Those are counted who would get it now.",
        button="Count",
        icon="group",
        available=lambda obj: obj.state in mass.EDITABLE,
    )
    def count_again(self, request: HttpRequest, queryset: QuerySet[MassMessage]) -> None:
        for message in queryset:
            counted = mass.count(message_id=message.pk, at=timezone.now()).counted
            messages.success(request, f"{figures(counted or 0)} customers would get it.")

    @action(
        description="Approve and send…",
        permissions=["steer"],
        confirm="The message goes out to these customers.",
        button="Send it",
        icon="send",
        form=ApproveForm,
        preview=preview,
        available=lambda obj: obj.state == MassState.COUNTED,
    )
    def approve(
        self, request: HttpRequest, queryset: QuerySet[MassMessage], data: dict[str, Any]
    ) -> HttpResponse | None:
        message = queryset.get()
        mass.approve(message_id=message.pk, count=data["count"], at=timezone.now(), user_id=request.user.pk)
        messages.success(request, "Approved. The log shows each message as it goes.")
        return None

    @action(
        description="Call off",
        permissions=["steer"],
        confirm="What has left stays sent; what waits is not sent.",
        button="Call it off",
        icon="cancel",
        danger=True,
        available=lambda obj: obj.state in mass.STOPPABLE,
    )
    def call_off(self, request: HttpRequest, queryset: QuerySet[MassMessage]) -> None:
        for message in queryset:
            mass.cancel(message_id=message.pk, at=timezone.now())
            messages.success(request, "Called off.")

    @admin.display(description="Customers")
    def counted_shown(self, obj: MassMessage) -> str:
        return DASH if obj.counted is None else figures(obj.counted)

    @admin.display(description="Written")
    def written_shown(self, obj: MassMessage) -> str:
        return figures(obj.written) if obj.written else DASH

    @admin.display(description="State")
    def state_shown(self, obj: MassMessage) -> str:
        return pill(obj.get_state_display(), STATE_TONES[MassState(obj.state)])

    @admin.display(description="Body")
    def body_shown(self, obj: MassMessage) -> str:
        return letter(obj.body)

    @admin.display(description="What became of it")
    def outcome_shown(self, obj: MassMessage) -> str:
        """Count its messages by state, and lead to them in the log."""
        found = Notice.objects.filter(mass_message=obj).order_by().values_list("status").annotate(Count("pk"))
        if not found:
            return DASH
        url = f"{reverse('admin:support_notice_changelist')}?mass_message__id__exact={obj.pk}"
        words = ", ".join(f"{figures(count)} {NoticeStatus(name).label.lower()}" for name, count in found)
        return links.link(url, words)

    @admin.display(description="Approved")
    def approved_shown(self, obj: MassMessage) -> str:
        if obj.approved_at is None:
            return DASH
        return format_html("{}, {}", obj.approved_by or "an integration", moment(obj.approved_at))


navigation.add_list(
    "Support", 54, "Mass messages", MassMessage, icon="campaign", under="admin:support_notice_changelist"
)
links.add("mass_message", "admin:support_massmessage_change")
