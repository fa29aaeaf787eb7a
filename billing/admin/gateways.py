"""Payment gateways: their accounts, how they are doing, and what they told."""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from billing.admin.payments import OUTCOME_TONES, notice_row
from billing.models import EventOutcome, GatewayAccount, GatewayEvent, GatewayKind
from billing.services.gateways import accounts, notices
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action, run_on_each
from ispcore.admin.base import DrawnPage, ReadOnlyAdmin, TenantForm, TenantModelAdmin
from ispcore.admin.fields import TextInput
from ispcore.admin.formats import DASH, age, choice_column, moment, pill, time_column
from ispcore.admin.site import register

SHOWN_NOTICES = 20
TROUBLED = timedelta(days=1)  # A refusal longer ago, with notices taken in since, is over.


class GatewayForm(TenantForm):
    class Meta:
        model = GatewayAccount
        fields = ("kind", "label", "api_key", "webhook_secret", "is_enabled")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("kind", self.instance.kind) == GatewayKind.STRIPE and not given.get("api_key"):
            self.add_error("api_key", "Stripe needs a secret key; it begins with sk_ or rk_.")
        return given


@register(GatewayAccount)
class GatewayAccountAdmin(TenantModelAdmin):
    """Accounts at gateways. Only administrators change them."""

    form = GatewayForm
    list_display = ("label", "kind", "health", "last_notice", "waiting_shown")
    ordering = ("label",)
    sortable_by = ("label",)
    change_form_outer_before_template = "admin/billing/gateway.html"
    fieldsets: ClassVar = (
        ("1. The account", {"fields": ("kind", "label", "is_enabled")}),
        (
            "2. Its secrets",
            {
                "fields": ("api_key", "webhook_secret"),
                "description": "Stored encrypted and never shown again. Stripe shows the signing secret once its "
                "webhook endpoint is made: save first with a text of your own, enter the address the page then shows "
                "at Stripe, and put the secret it gives you here.",
            },
        ),
    )
    empty_title = "No payment gateway is set up"
    empty_help = (
        "With a gateway, customers pay invoices by card from the link in the e-mail, and the payment is booked by "
        "itself. Add your Stripe account, or the demo bank to try it without money."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[GatewayAccount]:
        rows: QuerySet[GatewayAccount] = super().get_queryset(request).select_related("tenant")
        return rows.annotate(
            last_event_at=Max("events__received_at"),
            waiting=Count("events", filter=Q(events__outcome=EventOutcome.PARKED)),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("kind",) if obj else ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_operate_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_operate_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_operate_permission(request)

    def save_model(self, request: HttpRequest, obj: GatewayAccount, form: Any, change: bool) -> None:
        given = {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}
        if change:
            accounts.update_account(account_id=obj.pk, **given)
            return
        made = accounts.create_account(**{name: form.cleaned_data[name] for name in GatewayForm.Meta.fields})
        obj.__dict__.update(made.__dict__)

    def response_add(
        self, request: HttpRequest, obj: GatewayAccount, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        messages.success(request, "Added. Enter the address below at the gateway for its notices.")
        return redirect("admin:billing_gatewayaccount_change", obj.pk)

    def delete_model(self, request: HttpRequest, obj: GatewayAccount) -> None:
        accounts.remove_account(account_id=obj.pk)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if account := kwargs.get("obj"):
            rows = account.events.select_related("gateway").order_by("-id")[:SHOWN_NOTICES]
            state, words = health_of(account)
            context |= {
                "health_state": state,
                "health_words": words,
                "callback_url": f"{settings.PUBLIC_URL}/api/v1/billing/gateways/"
                f"{accounts.public_name(account)}/callback",
                "notices": [notice_row(one) for one in rows],
            }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="How it is doing")
    def health(self, obj: Any) -> str:
        return health_of(obj)[0]

    @admin.display(description="Last notice")
    def last_notice(self, obj: Any) -> str:
        return moment(obj.last_event_at, empty="none yet")

    @admin.display(description="Waiting")
    def waiting_shown(self, obj: Any) -> str:
        return str(obj.waiting) if obj.waiting else DASH


def health_of(account: Any) -> tuple[str, str]:
    """Say how a gateway is doing: a pill, and a sentence on what to do."""
    refused, last = account.refused_at, account.last_event_at
    if refused and refused > timezone.now() - TROUBLED and (last is None or refused > last):
        why = account.refusal.removeprefix("The notice is refused: ")
        words = (
            f"Its notices are refused, last {age(refused)}: {why} Compare the signing secret with the one the gateway "
            "shows for this address."
        )
        return pill("Refused", "danger"), words
    if account.waiting:
        count = "One notice waits" if account.waiting == 1 else f"{account.waiting} notices wait"
        return pill("Waits for you", "warning"), f"{count} for a person; each says why."
    if not account.is_enabled:
        return pill("Off", "plain"), "No new payments are begun here. Notices are still taken in."
    if last is None:
        words = (
            "Nothing was heard of it yet. Enter the address below at the gateway, then send a test notice."
        )
        return pill("Not heard of", "info"), words
    return pill("Fine", "good"), f"The last notice came {age(last)} and was taken in."


class ReasonForm(ActionForm):
    reason = forms.CharField(max_length=200, widget=TextInput, help_text="What was done instead.")


def _waits(event: GatewayEvent) -> bool:
    return event.outcome == EventOutcome.PARKED


@register(GatewayEvent)
class GatewayEventAdmin(DrawnPage, ReadOnlyAdmin):
    """What gateways told: booked, nothing to do, or waiting for a person."""

    list_display = (
        "kind",
        choice_column("outcome", "What became of it", OUTCOME_TONES),
        "detail_shown",
        "gateway",
        "payment_link",
        time_column("received_at", "Received"),
    )
    list_filter = ("outcome", ("gateway", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("gateway", "payment")
    ordering = ("-id",)
    sortable_by = ()
    actions = ("retry",)
    object_actions = ("retry", "dismiss")
    change_form_outer_before_template = "admin/billing/notice.html"
    empty_title = "No gateway has told of anything yet"
    empty_help = (
        "Each notice of a payment gateway stands here once, with what became of it. One that cannot be booked waits "
        "with the reason, and can be tried again when that is put right."
    )

    def has_settle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may say what becomes of a notice; the pages themselves only show."""
        return request.user.has_perm("billing.change_gatewayevent")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if event := kwargs.get("obj"):
            context |= {
                "title": event.kind,
                "outcome": pill(event.get_outcome_display(), OUTCOME_TONES[EventOutcome(event.outcome)]),
                "is_waiting": _waits(event),
                "facts": self._facts(event),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def _facts(self, event: GatewayEvent) -> list[tuple[str, Any]]:
        facts = event.facts
        amount = facts.get("amount", "0")
        return [
            ("Gateway", event.gateway.label),
            ("Why", event.detail or DASH),
            ("Amount", f"{amount} {facts['currency']}" if facts.get("currency") else DASH),
            ("Payment", self.payment_link(event)),
            ("The gateway's payment", event.remote_payment or DASH),
            ("The gateway's notice", event.event_id),
            ("Happened", moment(event.happened_at)),
            ("Received", moment(event.received_at)),
        ]

    @action(
        description="Try again",
        permissions=["settle"],
        confirm="What the notice tells is booked, if that is possible now.",
        button="Try again",
        icon="refresh",
        available=_waits,
    )
    def retry(self, request: HttpRequest, queryset: QuerySet[GatewayEvent]) -> None:
        at = timezone.now()
        tried = run_on_each(
            self,
            request,
            queryset.order_by("pk"),
            lambda event: notices.retry(event_id=event.pk, at=at),
            done="Tried: {count}.",
        )
        for event in tried:
            if _waits(event):
                messages.warning(request, f"Still waits: {event.detail}")

    @action(
        description="Settled by hand…",
        permissions=["settle"],
        confirm="Nothing is booked for this notice, and it is taken off the list of those that wait.",
        button="Take it off",
        icon="done",
        form=ReasonForm,
        available=_waits,
    )
    def dismiss(self, request: HttpRequest, queryset: QuerySet[GatewayEvent], data: dict[str, Any]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda event: notices.dismiss(event_id=event.pk, reason=data["reason"]),
            done="Taken off.",
        )

    @admin.display(description="Why")
    def detail_shown(self, obj: GatewayEvent) -> str:
        return obj.detail or DASH

    @admin.display(description="Payment")
    def payment_link(self, obj: GatewayEvent) -> str:
        return links.link(links.url_of("payment", obj.payment_id), "Open") if obj.payment_id else DASH


links.add("gateway", "admin:billing_gatewayaccount_change")
links.add("gateway_event", "admin:billing_gatewayevent_change")
navigation.add_list(
    "Billing",
    96,
    "Payment gateways",
    GatewayAccount,
    icon="credit_card",
    under="admin:billing_billingsettings_changelist",
)
navigation.add_list(
    "Billing",
    31,
    "Gateway notices",
    GatewayEvent,
    icon="notifications",
    under="admin:billing_payment_changelist",
)
