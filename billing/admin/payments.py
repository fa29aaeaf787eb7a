"""Payments: taken at the counter, used for invoices, given back."""

from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from billing.admin.prepaid_lines import customer_rows
from billing.admin.returning import AllocateForm, BounceForm, RefundForm, ReleaseForm
from billing.admin.words import numbered_link
from billing.models import EventOutcome, GatewayEvent, Payment, PaymentStatus
from billing.services import payments
from billing.services.gateways import refunds
from billing.services.payments import checks
from billing.services.payments.allocating import left_of
from ispcore.admin import links, navigation
from ispcore.admin.actions import action
from ispcore.admin.base import DrawnPage, KeptMixin, TenantForm, TenantModelAdmin
from ispcore.admin.fields import MomentInput, TextInput
from ispcore.admin.formats import DASH, moment, money, pill, said, time_column
from ispcore.admin.site import register
from subscribers.admin import tabs
from subscribers.models import Subscriber

SHOWN = 100  # Allocations, refunds and notices on a page; a payment has a handful.
ON_THE_TAB = 10
STATUS_TONES = {
    PaymentStatus.RECEIVED: "good",
    PaymentStatus.REFUNDED: "plain",
    PaymentStatus.BOUNCED: "danger",
}
OUTCOME_TONES = {EventOutcome.BOOKED: "good", EventOutcome.PARKED: "warning", EventOutcome.IGNORED: "plain"}


class PaymentForm(TenantForm):
    refused_fields: ClassVar = {"allocations": "amount"}

    amount = forms.DecimalField(
        max_digits=18,
        decimal_places=4,
        localize=True,
        widget=TextInput(attrs={"inputmode": "decimal"}),
        help_text="What was paid. What is not needed for open invoices stays as credit.",
    )
    currency = forms.CharField(
        required=False,
        max_length=3,
        widget=TextInput,
        help_text="Such as EUR. Empty: that of the subscriber's billing profile.",
    )
    received_at = forms.DateTimeField(
        required=False, label="Received", widget=MomentInput, help_text="Empty: now."
    )

    class Meta:
        model = Payment
        fields = ("subscriber", "amount", "currency", "method", "reference", "received_at", "note")
        help_texts: ClassVar = {
            "subscriber": "Who paid: type a name, number or phone.",
            "reference": "Number of the receipt or the transfer. The same payment with it is booked once.",
            "note": "For colleagues.",
        }

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if amount <= 0:
            raise forms.ValidationError(checks.AmountNotPositive.message)
        return amount

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        given["currency"] = (given.get("currency") or "").strip().upper()
        payer = given.get("subscriber")
        if payer is not None and not given["currency"]:
            if payer.billing_profile is None:
                self.add_error("currency", "The subscriber has no billing profile: give the currency.")
            else:
                given["currency"] = payer.billing_profile.currency
        return given

    def _check_unique_in_tenant(self) -> None:
        return None  # An equal payment with the same reference is the first one, and no error.


class CreditFilter(admin.SimpleListFilter):
    title = "what is left"
    parameter_name = "credit"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Left as credit"), ("no", "Used up")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        spent = F("allocated") + F("refunded")
        if self.value() == "yes":
            return queryset.filter(amount__gt=spent)
        return queryset.filter(amount=spent) if self.value() == "no" else queryset


def _has_credit(payment: Payment) -> bool:
    return left_of(payment) > 0


def _is_allocated(payment: Payment) -> bool:
    return payment.allocated > 0


def _is_left(payment: Payment) -> bool:
    return payment.status == PaymentStatus.RECEIVED


@register(Payment)
class PaymentAdmin(DrawnPage, KeptMixin, TenantModelAdmin):
    """A payment is booked once; what becomes of it is done by actions, never by a field."""

    form = PaymentForm
    list_display = (
        "amount_shown",
        "payer",
        "method",
        "state",
        "used",
        "reference_shown",
        time_column("received_at", "Received"),
    )
    list_filter = ("method", "status", CreditFilter)
    list_select_related = ("subscriber",)
    ordering = ("-id",)
    sortable_by = ("received_at_with_age",)
    search_fields = ("reference",)
    search_help_text = "A reference or a subscriber's number, in full"
    autocomplete_fields = ("subscriber",)
    object_actions = ("allocate", "release", "refund", "bounce")
    change_form_outer_before_template = "admin/billing/payment.html"
    empty_title = "No payment was booked yet"
    empty_help = (
        "Take a payment here or from a subscriber's page. It pays the oldest invoice that is due first; what is left "
        "over stays as credit and pays the next one. What gateways and bank statements book appears by itself."
    )
    docs_path = "/docs"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return []
        return [
            ("1. Who paid, and how much", {"fields": ("subscriber", "amount", "currency")}),
            ("2. How it came", {"fields": ("method", "reference", "received_at", "note")}),
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        wanted = search_term.strip()
        if not wanted:
            return queryset, False
        # Looked up first: an OR with a subquery would be asked of every payment.
        payer = list(Subscriber.objects.filter(number=wanted.upper()).values_list("pk", flat=True))
        return queryset.filter(Q(reference=wanted) | Q(subscriber__in=payer)), False

    def has_book_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may say what becomes of a payment; the page itself only shows."""
        return request.user.has_perm("billing.change_payment")

    def save_model(self, request: HttpRequest, obj: Payment, form: Any, change: bool) -> None:
        given, at = form.cleaned_data, timezone.now()
        made = payments.receive(
            subscriber_id=given["subscriber"].pk,
            amount=given["amount"],
            currency=given["currency"],
            method=given["method"],
            reference=given["reference"],
            received_at=given["received_at"] or at,
            note=given["note"],
            created_by=request.user.pk,
            at=at,
        )
        request.is_new = made.created_at >= at  # type: ignore[attr-defined]
        obj.__dict__.update(made.__dict__)

    def response_add(self, request: HttpRequest, obj: Payment, *args: Any, **kwargs: Any) -> HttpResponse:
        amount = said(obj.amount, obj.currency)
        if getattr(request, "is_new", True):
            messages.success(request, f"Booked: {amount} of {obj.subscriber.full_name}.")
        else:
            messages.info(request, f"This payment was booked before: {amount}. Nothing was booked again.")
        return redirect("admin:billing_payment_change", obj.pk)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if payment := kwargs.get("obj"):
            context |= {"title": f"Payment of {payment.subscriber.full_name}", **page_of(payment)}
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Allocate…",
        permissions=["book"],
        confirm="What is left of this payment is used for open invoices of the subscriber.",
        button="Allocate it",
        icon="rule",
        form=AllocateForm,
        available=_has_credit,
    )
    def allocate(self, request: HttpRequest, queryset: QuerySet[Payment], data: dict[str, Any]) -> None:
        payment = queryset.get()
        before = payment.allocated
        after = payments.allocate(
            payment_id=payment.pk, shares=data["shares"], at=timezone.now(), user_id=request.user.pk
        )
        used = after.allocated - before
        if used:
            messages.success(request, f"Allocated: {said(used, payment.currency)}.")
        else:
            messages.info(request, "The subscriber has no open invoice in this currency; it stays as credit.")

    @action(
        description="Release an allocation…",
        permissions=["book"],
        confirm="The invoice is open again by this amount, and the money is the subscriber's credit.",
        button="Release it",
        icon="link_off",
        form=ReleaseForm,
        available=_is_allocated,
    )
    def release(self, request: HttpRequest, queryset: QuerySet[Payment], data: dict[str, Any]) -> None:
        payments.release(allocation_id=data["allocation"], at=timezone.now(), user_id=request.user.pk)
        messages.success(request, "Released.")

    @action(
        description="Refund…",
        permissions=["book"],
        confirm=(
            "The money goes back to the payer: what is credit first, then what paid invoices, the newest allocation "
            "first. Those invoices are owed again."
        ),
        button="Refund it",
        icon="undo",
        danger=True,
        form=RefundForm,
        available=_is_left,
    )
    def refund(
        self, request: HttpRequest, queryset: QuerySet[Payment], data: dict[str, Any]
    ) -> HttpResponse | None:
        payment = queryset.get()
        asked = {"payment_id": payment.pk, "amount": data["amount"], "reason": data["reason"]}
        if data.get("by_gateway"):
            job = refunds.request_refund(user_id=request.user.pk, **asked)
            messages.info(request, "The gateway is asked; the refund is booked when it agrees.")
            return redirect(reverse("admin:jobs_job_change", args=[job.pk]))
        payments.refund(reference=data["reference"], at=timezone.now(), created_by=request.user.pk, **asked)
        messages.success(request, f"Refunded: {said(data['amount'], payment.currency)}.")
        return None

    @action(
        description="Bounced…",
        permissions=["book"],
        confirm="The bank did not honour it. All that is left of it is taken back: what it paid is owed again.",
        button="Take it back",
        icon="money_off",
        danger=True,
        form=BounceForm,
        available=_is_left,
    )
    def bounce(self, request: HttpRequest, queryset: QuerySet[Payment], data: dict[str, Any]) -> None:
        payment = queryset.get()
        payments.bounce(
            payment_id=payment.pk, reason=data["reason"], at=timezone.now(), user_id=request.user.pk
        )
        messages.success(request, "Taken back; what it paid is owed again.")

    @admin.display(description="Amount", ordering="amount")
    def amount_shown(self, obj: Payment) -> str:
        return money(obj.amount, obj.currency)

    @admin.display(description="Subscriber")
    def payer(self, obj: Payment) -> str:
        return numbered_link(obj.subscriber)

    @admin.display(description="Status")
    def state(self, obj: Payment) -> str:
        return state_of(obj)

    @admin.display(description="Used for")
    def used(self, obj: Payment) -> str:
        return used_for(obj)

    @admin.display(description="Reference")
    def reference_shown(self, obj: Payment) -> str:
        return obj.reference or DASH


def state_of(payment: Payment) -> str:
    """Say what became of a payment."""
    if payment.status == PaymentStatus.RECEIVED and payment.refunded:
        return pill("Partly refunded", "info")
    return pill(payment.get_status_display(), STATUS_TONES[PaymentStatus(payment.status)])


def used_for(payment: Payment) -> str:
    """Say what a payment was used for, in a few words."""
    left = left_of(payment)
    if payment.status != PaymentStatus.RECEIVED:
        return DASH
    if not left:
        return "Invoices"
    return f"{said(left, payment.currency)} left as credit"


def page_of(payment: Payment) -> dict[str, Any]:
    """Return what a payment's page shows."""
    return {
        "amount": said(payment.amount, payment.currency),
        "state": state_of(payment),
        "credit": said(left_of(payment), payment.currency) if left_of(payment) else "",
        "facts": _facts(payment),
        "allocations": [
            {
                "url": links.url_of("invoice", one.invoice_id),
                "invoice": str(one.invoice),
                "amount": money(one.amount, payment.currency),
                "at": moment(one.created_at),
                "by": str(one.created_by or "the system"),
                "released": moment(one.released_at) if one.released_at else "",
            }
            for one in payment.allocations.select_related("invoice", "created_by").order_by("-id")[:SHOWN]
        ],
        "refunds": [
            {
                "amount": money(one.amount, payment.currency),
                "reason": one.reason,
                "reference": one.reference or DASH,
                "at": moment(one.refunded_at),
                "by": str(one.created_by or "the system"),
            }
            for one in payment.refunds.select_related("created_by").order_by("-id")[:SHOWN]
        ],
        "notices": [
            notice_row(one)
            for one in GatewayEvent.objects.filter(payment=payment)
            .select_related("gateway")
            .order_by("-id")[:SHOWN]
        ],
    }


def notice_row(event: GatewayEvent) -> dict[str, Any]:
    """Return what a table shows of a gateway's notice."""
    return {
        "url": reverse("admin:billing_gatewayevent_change", args=[event.pk]),
        "kind": event.kind,
        "gateway": event.gateway.label,
        "outcome": pill(event.get_outcome_display(), OUTCOME_TONES[EventOutcome(event.outcome)]),
        "detail": event.detail or DASH,
        "at": moment(event.received_at),
    }


def _facts(payment: Payment) -> list[tuple[str, Any]]:
    rows = [
        ("Subscriber", numbered_link(payment.subscriber)),
        ("Method", payment.get_method_display()),
        ("Received", moment(payment.received_at)),
        ("Reference", payment.reference or DASH),
        ("Allocated to invoices", said(payment.allocated, payment.currency)),
        ("Gone back", said(payment.refunded, payment.currency) if payment.refunded else DASH),
        ("Booked by", str(payment.created_by or "the system")),
        ("Note", payment.note or DASH),
    ]
    if payment.bounced_at:
        rows += [("Bounced", moment(payment.bounced_at)), ("Why", payment.bounce_reason or DASH)]
    return rows


def customer_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Read a subscriber's last payments; as many queries for one as for many."""
    rows = list(Payment.objects.filter(subscriber=subscriber).order_by("-id")[: ON_THE_TAB + 1])
    may_take = request.user.has_perm("billing.add_payment")
    return {
        "prepaid": customer_rows(subscriber) if request.user.has_perm("billing.view_prepaidline") else [],
        "payments": [
            {
                "url": reverse("admin:billing_payment_change", args=[one.pk]),
                "amount": money(one.amount, one.currency),
                "method": one.get_method_display(),
                "state": state_of(one),
                "used": used_for(one),
                "at": moment(one.received_at),
            }
            for one in rows[:ON_THE_TAB]
        ],
        "take_url": f"{reverse('admin:billing_payment_add')}?{urlencode({'subscriber': subscriber.pk})}"
        if may_take
        else "",
        "more_url": f"{reverse('admin:billing_payment_changelist')}?{urlencode({'q': subscriber.number})}"
        if len(rows) > ON_THE_TAB
        else "",
    }


links.add("payment", "admin:billing_payment_change")
tabs.add(
    21,
    "payments",
    "Payments",
    template="admin/billing/payments_tab.html",
    allowed="billing.view_payment",
    read=customer_tab,
)
navigation.add_list("Billing", 30, "Payments", Payment, icon="payments")
