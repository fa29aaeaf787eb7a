"""What customers are told: the log, the texts, the ways they go and who wants them."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from billing.services.documents.identity import billing_identity
from ispcore.admin import links, navigation
from ispcore.admin.base import ReadOnlyAdmin, TenantForm, TenantModelAdmin
from ispcore.admin.formats import DASH, choice_column, moment, pill, time_column
from ispcore.admin.site import register
from subscribers.admin import tabs
from subscribers.admin.saving import answers, saved
from subscribers.models import Subscriber
from support.admin.desk import DeskAdmin
from support.models import (
    Channel,
    Consent,
    Notice,
    NoticeChannel,
    NoticeKind,
    NoticeSettings,
    NoticeStatus,
    NoticeTemplate,
)
from support.services.notices import consent, gateways, templates, words

STATUS_TONES = {
    NoticeStatus.WAITING: "info",
    NoticeStatus.SENDING: "info",
    NoticeStatus.SENT: "good",
    NoticeStatus.UNCERTAIN: "warning",
    NoticeStatus.FAILED: "danger",
    NoticeStatus.SKIPPED: "plain",
}

# The record a notice is about: what its page is called by, and the words of the link.
ABOUT = {
    NoticeKind.INVOICE: ("invoice", "The invoice"),
    NoticeKind.REMINDER: ("invoice", "The invoice"),
    NoticeKind.OUTAGE: ("outage", "The outage"),
    NoticeKind.OUTAGE_OVER: ("outage", "The outage"),
    NoticeKind.TICKET_OPENED: ("ticket", "The ticket"),
    NoticeKind.TICKET_RESOLVED: ("ticket", "The ticket"),
    NoticeKind.MASS: ("mass_message", "The mass message"),
}
SHOWN_OF_CUSTOMER = 20


@register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """The log: one row per message, sent or not."""

    list_display = (
        "what",
        "customer",
        "channel",
        choice_column("status", "State", STATUS_TONES),
        "why",
        time_column("created_at", "Written"),
    )
    list_filter = ("status", "kind", "channel")
    list_select_related = ("subscriber",)
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = (
        (
            None,
            {"fields": ("what", "about", "customer", "channel", "address", "state_shown", "why", "attempts")},
        ),
        ("When", {"fields": (time_column("send_after", "Not before"), time_column("sent_at", "Sent"))}),
        ("What it says", {"fields": ("subject", "words_shown")}),
    )
    empty_title = "Nobody was told of anything yet"
    empty_help = (
        "Each message to a customer stands here once, whether it was sent, waits for the end of the quiet hours, or "
        "was not sent and why. Outages, cuts for non-payment and answers to tickets are told by e-mail; SMS and "
        "WhatsApp follow once a gateway is set up."
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("subscriber")

    @admin.display(description="Event", ordering="kind")
    def what(self, obj: Notice) -> str:
        return str(obj.get_kind_display())

    @admin.display(description="Customer")
    def customer(self, obj: Notice) -> str:
        return links.link(links.url_of("subscriber", obj.subscriber_id), obj.subscriber.full_name)

    @admin.display(description="About")
    def about(self, obj: Notice) -> str:
        kind = ABOUT.get(NoticeKind(obj.kind))
        pk = links.id_in(obj.source.partition(":")[0])
        url = links.url_of(kind[0], pk) if kind and pk else ""
        return links.link(url, kind[1]) if kind and url else DASH

    @admin.display(description="State")
    def state_shown(self, obj: Notice) -> str:
        return pill(obj.get_status_display(), STATUS_TONES[NoticeStatus(obj.status)])

    @admin.display(description="Why not")
    def why(self, obj: Notice) -> str:
        return obj.detail or DASH

    @admin.display(description="Text")
    def words_shown(self, obj: Notice) -> str:
        return letter(obj.body)


class TemplateForm(TenantForm):
    class Meta:
        model = NoticeTemplate
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            kinds = [each for each in NoticeKind.choices if each[0] != NoticeKind.MASS]
            self.fields["kind"].choices = kinds  # type: ignore[attr-defined]
        if "body" in self.fields:
            kind = self.instance.kind or self.initial.get("kind")
            known = words.PLACEHOLDERS.get(kind or "", words.COMMON)
            self.fields["body"].help_text = (
                f"Placeholders: {', '.join(f'{{{each}}}' for each in known)}"
                f"{'' if kind else '; each event knows a few more'}."
            )


@register(NoticeTemplate)
class NoticeTemplateAdmin(DeskAdmin):
    """Texts of one's own."""

    form = TemplateForm
    list_display = ("kind", "channel", "language", "begins", "is_active")
    list_filter = ("kind", "channel", "language", "is_active")
    ordering = ("kind", "channel", "language")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("kind", "channel", "language", "is_active")}),
        ("What it says", {"fields": ("subject", "body")}),
    )
    empty_title = "All notices have the texts that come with the product"
    empty_help = (
        "They exist in English, Spanish, Portuguese and Arabic, and the one of the language your invoices have is "
        "sent. Add a text of your own for an event and a channel, or one that is switched off to tell nobody. A "
        "welcome is sent only once there is a text for it here."
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fieldsets
        return (*self.fieldsets, ("As a customer would read it", {"fields": ("sample_shown",)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("sample_shown",) if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with the product's own text where the address says of which event."""
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        given.setdefault("language", billing_identity().language)
        kind, channel, language = (
            given.get("kind"),
            given.get("channel", Channel.EMAIL),
            given["language"],
        )
        if kind in words.TEXTS and channel in Channel.values and language in words.GREETING:
            text = templates.usual_text(kind, channel=channel, language=language)
            given |= {"subject": text.subject, "body": text.body}
        return given

    def save_model(self, request: HttpRequest, obj: NoticeTemplate, form: Any, change: bool) -> None:
        given = answers(form)
        saved(
            obj,
            templates.change_template(template_id=obj.pk, **given)
            if change
            else templates.create_template(**given),
        )

    def delete_model(self, request: HttpRequest, obj: NoticeTemplate) -> None:
        templates.remove_template(template_id=obj.pk)

    @admin.display(description="Text")
    def begins(self, obj: NoticeTemplate) -> str:
        return obj.body if len(obj.body) <= 60 else f"{obj.body[:60]}…"

    @admin.display(description="Sample")
    def sample_shown(self, obj: NoticeTemplate) -> str:
        subject, body = templates.preview(
            obj.kind,
            channel=obj.channel,
            subject=obj.subject or "-",
            body=obj.body,
            provider=billing_identity().legal_name,
        )
        return letter(f"{subject}\n\n{body}" if obj.subject else body)


@register(NoticeChannel)
class NoticeChannelAdmin(DeskAdmin):
    """Gateways for SMS and WhatsApp."""

    form = TenantForm
    list_display = ("channel", "url", "sender", "is_enabled")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("channel", "is_enabled")}),
        (
            "The gateway",
            {
                "fields": ("url", "secret", "sender"),
                "description": "Each message is sent there as JSON with its id, to, from and text, signed by the "
                "secret (HMAC-SHA256 of timestamp, dot and body). It must answer with 2xx within 15 seconds; where it "
                "leads elsewhere is not followed. The guide of notices shows how a receiver checks the signature.",
            },
        ),
    )
    empty_title = "No gateway is set up"
    empty_help = (
        "E-mail needs none. For SMS or WhatsApp name the address of a gateway that takes messages over HTTPS, and the "
        "secret it knows you by."
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("channel",) if obj else ()

    def save_model(self, request: HttpRequest, obj: NoticeChannel, form: Any, change: bool) -> None:
        given = answers(form, changed=change)
        saved(
            obj,
            gateways.change_channel(channel_id=obj.pk, **given)
            if change
            else gateways.create_channel(**given),
        )

    def delete_model(self, request: HttpRequest, obj: NoticeChannel) -> None:
        gateways.remove_channel(channel_id=obj.pk)


@register(NoticeSettings)
class NoticeSettingsAdmin(DeskAdmin):
    """One record: made with the defaults, and changed."""

    form = TenantForm
    list_display = ("title",)
    list_display_links = ("title",)
    sortable_by = ()
    fieldsets = (("Quiet hours", {"fields": ("quiet_from", "quiet_until")}),)
    empty_title = "Quiet hours are from nine in the evening to eight in the morning"
    empty_help = "What is to go out meanwhile waits until they end. Set other hours here, or none."

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not NoticeSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: NoticeSettings, form: Any, change: bool) -> None:
        saved(obj, consent.change_settings(**answers(form)))

    @admin.display(description="Quiet hours")
    def title(self, obj: NoticeSettings) -> str:
        if obj.quiet_from is None or obj.quiet_until is None:
            return "none"
        return f"{obj.quiet_from:%H:%M} to {obj.quiet_until:%H:%M}"


class ConsentForm(TenantForm):
    refused_fields: ClassVar = {"subscriber_id": "subscriber"}

    class Meta:
        model = Consent
        fields: tuple[str, ...] = ()

    def validate_constraints(self) -> None:
        """A later word takes the place of an earlier one."""

    def _check_unique_in_tenant(self) -> None:
        return None


@register(Consent)
class ConsentAdmin(TenantModelAdmin):
    """What customers said of being written to."""

    form = ConsentForm
    list_display = ("customer", "channel", "purpose", "is_given", time_column("said_at", "Said"))
    list_display_links = ("customer",)
    list_filter = ("channel", "purpose", "is_given")
    list_select_related = ("subscriber",)
    autocomplete_fields = ("subscriber",)
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = ((None, {"fields": ("subscriber", "channel", "purpose", "is_given")}),)
    empty_title = "No customer said anything of it yet"
    empty_help = (
        "Without a word of theirs customers are told of their service in every way, and of offers only when their "
        "record says that they agreed to marketing. Write down here who wants it otherwise."
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("subscriber")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("subscriber", "channel", "purpose") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Consent, form: Any, change: bool) -> None:
        made = consent.set_consent(
            subscriber_id=obj.subscriber_id,
            channel=obj.channel,
            purpose=obj.purpose,
            is_given=form.cleaned_data["is_given"],
            at=timezone.now(),
        )
        saved(obj, made)

    @admin.display(description="Customer")
    def customer(self, obj: Consent) -> str:
        return obj.subscriber.full_name


def notices_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Show what a customer was told lately, and by which ways they may not be."""
    found = Notice.objects.filter(subscriber=subscriber).order_by("-id")[:SHOWN_OF_CUSTOMER]
    said = Consent.objects.filter(subscriber=subscriber).order_by("channel", "purpose")
    return {
        "notices": [
            {
                "url": reverse("admin:support_notice_change", args=[each.pk]),
                "what": each.get_kind_display(),
                "channel": each.get_channel_display(),
                "address": each.address,
                "state": pill(each.get_status_display(), STATUS_TONES[NoticeStatus(each.status)]),
                "why": each.detail,
                "written": moment(each.written_at),
            }
            for each in found
        ],
        "consents": [
            (
                f"{each.get_purpose_display()}, {each.get_channel_display()}",
                pill("yes", "good") if each.is_given else pill("no", "warning"),
            )
            for each in said
        ],
        "consent_url": f"{reverse('admin:support_consent_add')}?subscriber={subscriber.pk}"
        if request.user.has_perm("support.add_consent")
        else "",
    }


tabs.add(
    56,
    "notices",
    "Notices",
    template="admin/support/customer_notices.html",
    allowed="support.view_notice",
    read=notices_tab,
)


def letter(text: str) -> str:
    """Show a text with its lines, in its own direction."""
    return format_html('<div dir="auto" style="white-space: pre-wrap">{}</div>', text)


for order, title, model, icon in (
    (52, "Notices", Notice, "outgoing_mail"),
    (53, "Notice texts", NoticeTemplate, "draft"),
    (55, "Message gateways", NoticeChannel, "sms"),
    (56, "Consents", Consent, "how_to_reg"),
    (57, "Quiet hours", NoticeSettings, "bedtime"),
):
    navigation.add_list(
        "Support",
        order,
        title,
        model,
        icon=icon,
        under="" if model is Notice else "admin:support_notice_changelist",
    )
