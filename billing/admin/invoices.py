"""Invoices: written by hand, issued, made void, credited, sent; and what happened to each."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from billing.admin.terms import day, percent, priced, today
from billing.models import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceMail,
    InvoiceStatus,
    LineTax,
    MailStatus,
)
from billing.money import round_money
from billing.services import accounts, invoices
from billing.services.documents import invoice_pdf
from billing.services.documents.invoices import file_name, is_open
from billing.services.invoices import DraftLine, crediting, voiding
from billing.services.invoices.links import payment_link
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action, run_on_each
from ispcore.admin.base import DrawnPage, TenantForm, TenantModelAdmin
from ispcore.admin.fields import EmailInput, Select, TextInput
from ispcore.admin.formats import DASH, moment, pill
from ispcore.admin.site import register
from subscribers.admin import tabs
from subscribers.models import Subscriber

STATUS_TONES = {
    InvoiceStatus.DRAFT: "plain",
    InvoiceStatus.ISSUED: "info",
    InvoiceStatus.PARTLY_PAID: "warning",
    InvoiceStatus.PAID: "good",
    InvoiceStatus.VOID: "plain",
}
MAIL_TONES = {
    MailStatus.QUEUED: "info",
    MailStatus.SENDING: "info",
    MailStatus.SENT: "good",
    MailStatus.FAILED: "danger",
}
LINES_SHOWN = 250
ON_THE_TAB = 12


class LineForm(ActionForm):
    description = forms.CharField(max_length=240, widget=TextInput, help_text="As the invoice says it.")
    quantity = forms.DecimalField(
        initial=1, max_digits=13, decimal_places=4, widget=TextInput(attrs={"inputmode": "decimal"})
    )
    unit_price = forms.DecimalField(
        max_digits=16,
        decimal_places=4,
        label="Price",
        widget=TextInput(attrs={"inputmode": "decimal"}),
        help_text="Of one, before tax. Below zero: taken off.",
    )
    tax_class = forms.CharField(
        required=False, max_length=40, widget=TextInput, help_text="Empty: taxes of every class."
    )


class DraftForm(TenantForm):
    refused_fields: ClassVar = {"lines": "unit_price", "subscriber_id": "subscriber"}

    description = forms.CharField(max_length=240, widget=TextInput, help_text="As the invoice says it.")
    quantity = forms.DecimalField(
        initial=1, max_digits=13, decimal_places=4, widget=TextInput(attrs={"inputmode": "decimal"})
    )
    unit_price = forms.DecimalField(
        max_digits=16,
        decimal_places=4,
        label="Price",
        widget=TextInput(attrs={"inputmode": "decimal"}),
        help_text="Of one, before tax. Taxes are added as they are today.",
    )
    tax_class = forms.CharField(
        required=False, max_length=40, widget=TextInput, help_text="Empty: taxes of every class."
    )
    currency = forms.CharField(
        required=False,
        max_length=3,
        widget=TextInput,
        help_text="Empty: that of the customer's billing profile.",
    )

    class Meta:
        model = Invoice
        fields = ("subscriber",)
        help_texts: ClassVar = {"subscriber": "Who is billed: type a name, number or phone."}

    def validate_constraints(self) -> None:
        return None  # The service makes the row.

    def _check_unique_in_tenant(self) -> None:
        return None


class ReasonForm(ActionForm):
    reason = forms.CharField(max_length=200, widget=TextInput, help_text="Kept with the invoice.")


class CreditForm(ActionForm):
    line = forms.ChoiceField(
        required=False, widget=Select, label="Of", help_text="All of the invoice, or one line of it."
    )
    amount = forms.DecimalField(
        required=False,
        max_digits=18,
        decimal_places=4,
        widget=TextInput(attrs={"inputmode": "decimal"}),
        help_text="With taxes. Empty: all that is left.",
    )
    reason = forms.CharField(max_length=200, widget=TextInput, help_text="As the credit note says it.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        invoice = self.rows.first()
        lines = invoice.lines.order_by("position")[:LINES_SHOWN] if invoice else []
        self.fields["line"].choices = [  # type: ignore[attr-defined]
            ("", "The whole invoice"),
            *((str(line.pk), f"{line.position}. {line.description}") for line in lines if line.net > 0),
        ]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("line") and given.get("amount") is None and "amount" not in self.errors:
            self.add_error("amount", "Say how much of this line.")
        return given


class SendForm(ActionForm):
    to = forms.EmailField(label="To", widget=EmailInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        invoice = self.rows.first()
        self.fields["to"].initial = invoice.subscriber.email if invoice else ""


class OverdueFilter(admin.SimpleListFilter):
    title = "overdue"
    parameter_name = "overdue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Overdue"), ("month", "For more than 30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("yes", "month"):
            return queryset
        on = today()
        before = on if self.value() == "yes" else on - timedelta(days=30)
        return queryset.filter(kind=InvoiceKind.INVOICE, open_amount__gt=0, due_on__lt=before).exclude(
            status=InvoiceStatus.DRAFT
        )


def _is_own_draft(invoice: Invoice) -> bool:
    return invoice.status == InvoiceStatus.DRAFT and invoice.run_id is None


def _may_void(invoice: Invoice) -> bool:
    return invoice.status != InvoiceStatus.VOID and not voiding.why_not(invoice)


def _may_credit(invoice: Invoice) -> bool:
    return not crediting.why_not(invoice)


@register(Invoice)
class InvoiceAdmin(DrawnPage, TenantModelAdmin):
    """An invoice is written by a run or by hand; once issued it stays, and what happens to it are actions."""

    form = DraftForm
    list_display = (
        "number_shown",
        "customer",
        "issued",
        "due",
        "total_shown",
        "open_shown",
        "state",
    )
    list_filter = ("status", OverdueFilter, "kind")
    list_select_related = ("subscriber",)
    ordering = ("-id",)
    sortable_by = ("issued", "due")
    search_fields = ("number",)
    search_help_text = "A number of an invoice or of a customer, in full"
    autocomplete_fields = ("subscriber",)
    actions = ("issue_many", "send_many")
    object_actions = ("issue", "add_line", "discard", "send", "credit", "void")
    change_form_outer_before_template = "admin/billing/invoice.html"
    empty_title = "No invoice yet"
    empty_help = (
        "A billing run writes the invoices of all services that are due. For something besides, write one by hand: "
        "it is a draft until you issue it, and nobody owes anything before."
    )
    docs_path = "/docs"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.pdf_view)
        return [path("<uuid:invoice_id>/pdf/", view, name="billing_invoice_pdf"), *super().get_urls()]

    def pdf_view(self, request: HttpRequest, invoice_id: Any) -> HttpResponse:
        """Show an invoice as PDF in the browser."""
        invoice = Invoice.objects.select_related("subscriber", "corrects").filter(pk=invoice_id).first()
        if invoice is None or not self.has_view_permission(request, invoice):
            raise Http404
        response = HttpResponse(
            invoice_pdf(invoice, link=payment_link(invoice)), content_type="application/pdf"
        )
        response["Content-Disposition"] = f'inline; filename="{file_name(invoice)}"'
        response["Cache-Control"] = "no-store"
        return response

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invoice]:
        rows: QuerySet[Invoice] = super().get_queryset(request)
        return rows.select_related("subscriber", "corrects", "run", "created_by")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return []
        return [
            ("1. Who is billed", {"fields": ("subscriber", "currency")}),
            (
                "2. The first line",
                {
                    "fields": ("description", "quantity", "unit_price", "tax_class"),
                    "description": "It is a draft first: add more lines on its page, look at it, and issue it.",
                },
            ),
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        wanted = search_term.strip().upper()
        if not wanted:
            return queryset, False
        whose = Subscriber.objects.filter(number=wanted).values("pk")
        return queryset.filter(Q(number=wanted) | Q(subscriber__in=whose)), False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_book_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may say what becomes of an invoice; the page itself only shows."""
        return request.user.has_perm("billing.change_invoice")

    def save_model(self, request: HttpRequest, obj: Invoice, form: Any, change: bool) -> None:
        given = form.cleaned_data
        draft = invoices.create_draft(
            subscriber_id=given["subscriber"].pk,
            currency=given["currency"].strip().upper(),
            lines=[_line_of(given)],
            at=timezone.now(),
            user_id=request.user.pk,
        )
        obj.__dict__.update(draft.__dict__)

    def response_add(self, request: HttpRequest, obj: Invoice, *args: Any, **kwargs: Any) -> HttpResponse:
        messages.success(request, "The draft is written. Nobody owes anything until it is issued.")
        return redirect("admin:billing_invoice_change", obj.pk)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if invoice := kwargs.get("obj"):
            context |= {"title": title_of(invoice), "invoice": page_of(invoice)}
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Issue",
        permissions=["book"],
        confirm="It gets its number and is owed from now on; nothing on it can be changed afterwards.",
        button="Issue it",
        icon="verified",
        available=_is_own_draft,
    )
    def issue(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> None:
        invoice = invoices.issue(invoice_id=queryset.get().pk, at=timezone.now(), user_id=request.user.pk)
        messages.success(request, f"Issued as {invoice.number}.")

    @action(
        description="Issue…",
        permissions=["book"],
        confirm="Each draft gets its number and is owed from now on; nothing on it can be changed afterwards.",
        button="Issue them",
    )
    def issue_many(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda invoice: invoices.issue(invoice_id=invoice.pk, at=at, user_id=request.user.pk),
            done="Issued: {count}.",
        )

    @action(
        description="Add a line…",
        permissions=["book"],
        confirm="The line and its taxes are added to the draft.",
        button="Add it",
        icon="add",
        form=LineForm,
        available=_is_own_draft,
    )
    def add_line(self, request: HttpRequest, queryset: QuerySet[Invoice], data: dict[str, Any]) -> None:
        invoices.add_line(invoice_id=queryset.get().pk, line=_line_of(data), at=timezone.now())
        messages.success(request, "The line is added.")

    @action(
        description="Discard",
        permissions=["book"],
        confirm="The draft is deleted. It has no number, so no gap is left.",
        button="Discard it",
        icon="delete",
        danger=True,
        available=_is_own_draft,
    )
    def discard(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse:
        invoices.discard_draft(invoice_id=queryset.get().pk)
        messages.success(request, "The draft is discarded.")
        return redirect("admin:billing_invoice_changelist")

    @action(
        description="Send…",
        permissions=["book"],
        confirm="It goes out by e-mail as PDF, with a link to pay where something is open.",
        button="Send it",
        icon="mail",
        form=SendForm,
        available=lambda invoice: invoice.status != InvoiceStatus.DRAFT,
    )
    def send(self, request: HttpRequest, queryset: QuerySet[Invoice], data: dict[str, Any]) -> None:
        mail, _ = invoices.send(
            invoice_id=queryset.get().pk, at=timezone.now(), to=data["to"], user_id=request.user.pk
        )
        messages.info(request, f"It is on its way to {mail.to}; below you see when it was sent.")

    @action(
        description="Send…",
        permissions=["book"],
        confirm="Each goes out by e-mail as PDF, to the customer's own address.",
        button="Send them",
    )
    def send_many(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda invoice: invoices.send(invoice_id=invoice.pk, at=at, user_id=request.user.pk),
            done="On their way: {count}.",
        )

    @action(
        description="Credit…",
        permissions=["book"],
        confirm="A credit note pays what is open of the invoice; what remains is the customer's credit.",
        button="Write the credit note",
        icon="undo",
        form=CreditForm,
        available=_may_credit,
    )
    def credit(
        self, request: HttpRequest, queryset: QuerySet[Invoice], data: dict[str, Any]
    ) -> HttpResponse | None:
        lines = [crediting.CreditedLine(data["line"], data["amount"])] if data["line"] else []
        note = invoices.credit(
            invoice_id=queryset.get().pk,
            reason=data["reason"],
            amount=None if lines else data["amount"],
            lines=[
                crediting.CreditedLine(forms.UUIDField().clean(each.line_id), each.amount) for each in lines
            ],
            at=timezone.now(),
            user_id=request.user.pk,
        )
        messages.success(request, f"Written: {note.number}.")
        return redirect("admin:billing_invoice_change", note.pk)

    @action(
        description="Make void…",
        permissions=["book"],
        confirm="Nothing of it is owed any more, its number stays used, and what it billed may be billed again.",
        button="Make it void",
        icon="block",
        danger=True,
        form=ReasonForm,
        available=_may_void,
    )
    def void(self, request: HttpRequest, queryset: QuerySet[Invoice], data: dict[str, Any]) -> None:
        invoices.void(
            invoice_id=queryset.get().pk, reason=data["reason"], at=timezone.now(), user_id=request.user.pk
        )
        messages.success(request, "Made void.")

    @admin.display(description="Number")
    def number_shown(self, obj: Invoice) -> str:
        return obj.number or "Draft"

    @admin.display(description="Customer")
    def customer(self, obj: Invoice) -> str:
        return links.link(
            links.url_of("subscriber", obj.subscriber_id),
            f"{obj.subscriber.full_name} ({obj.subscriber.number})",
        )

    @admin.display(description="Issued", ordering="issued_on")
    def issued(self, obj: Invoice) -> str:
        return day(obj.issued_on)

    @admin.display(description="Due", ordering="due_on")
    def due(self, obj: Invoice) -> str:
        return day(obj.due_on)

    @admin.display(description="Total")
    def total_shown(self, obj: Invoice) -> str:
        return priced(obj.total, obj.currency)

    @admin.display(description="Open")
    def open_shown(self, obj: Invoice) -> str:
        is_owed = obj.open_amount and obj.status != InvoiceStatus.DRAFT
        return priced(obj.open_amount, obj.currency) if is_owed else DASH

    @admin.display(description="Status")
    def state(self, obj: Invoice) -> str:
        return state_of(obj, today())


def state_of(invoice: Invoice, on: date) -> str:
    """Say in a word where an invoice stands, overdue before all."""
    days = days_overdue(invoice, on)
    if days:
        return pill(f"Overdue {days} day{'s' if days > 1 else ''}", "danger")
    if invoice.kind == InvoiceKind.CREDIT_NOTE and invoice.status != InvoiceStatus.DRAFT:
        return pill("Credit left", "info") if invoice.open_amount else pill("Credit used")
    return pill(invoice.get_status_display(), STATUS_TONES[InvoiceStatus(invoice.status)])


def days_overdue(invoice: Invoice, on: date) -> int:
    if invoice.kind != InvoiceKind.INVOICE or not is_open(invoice) or invoice.due_on is None:
        return 0
    return max(0, (on - invoice.due_on).days)


def title_of(invoice: Invoice) -> str:
    name = "Credit note" if invoice.kind == InvoiceKind.CREDIT_NOTE else "Invoice"
    return f"{name} {invoice.number}" if invoice.number else f"Draft of {invoice.subscriber.full_name}"


def page_of(invoice: Invoice) -> dict[str, Any]:
    """Return what an invoice's page shows."""
    on = today()
    lines = list(
        InvoiceLine.objects.filter(invoice=invoice).select_related("subscription").order_by("position")
    )
    taxes: dict[tuple[str, Decimal], list[Decimal]] = {}
    for tax in LineTax.objects.filter(line__invoice=invoice).order_by("name"):
        sums = taxes.setdefault((tax.name, tax.percent), [Decimal(0), Decimal(0)])
        sums[0] += tax.base
        sums[1] += tax.amount

    def money(amount: Decimal) -> str:
        return priced(amount, invoice.currency)

    return {
        "total": said(invoice.total, invoice.currency),
        "state": state_of(invoice, on),
        "open": said(invoice.open_amount, invoice.currency) if is_open(invoice) else "",
        "facts": _facts(invoice),
        "lines": [
            {
                "text": line.description,
                "kind": line.get_kind_display(),
                "service": links.link(
                    links.url_of("subscription", line.subscription_id), line.subscription.number
                )
                if line.subscription
                else "",
                "period": f"{day(line.period_start)} to {day(_last(line.period_end))}"
                if line.period_end
                else "",
                "formula": line.formula,
                "quantity": f"{line.quantity.normalize():f}",
                "price": money(line.unit_price),
                "net": money(line.net),
                "tax": money(line.tax),
            }
            for line in lines[:LINES_SHOWN]
        ],
        "taxes": [
            {
                "name": name,
                "percent": percent(rate),
                "base": said(sums[0], invoice.currency),
                "amount": said(sums[1], invoice.currency),
            }
            for (name, rate), sums in taxes.items()
        ],
        "net": said(invoice.net, invoice.currency),
        "paid_by": _paid_by(invoice),
        "is_draft": invoice.status == InvoiceStatus.DRAFT,
        "of_run": links.link(links.url_of("billing_run", invoice.run_id), str(invoice.run))
        if invoice.run
        else "",
        "pdf_url": reverse("admin:billing_invoice_pdf", args=[invoice.pk]),
        "pay_url": payment_link(invoice) if is_open(invoice) and invoice.kind == InvoiceKind.INVOICE else "",
        "timeline": _timeline(invoice),
        "failed_mail": _failed_mail(invoice),
    }


def said(amount: Decimal, currency: str) -> str:
    """Write an amount inside a sentence, where nothing stands in a column."""
    figures = f"{round_money(amount, currency):,f}".replace(",", "\u202f")
    return f"{figures}\u00a0{currency}"


def _last(until: date) -> date:
    return until - timedelta(days=1)


def _facts(invoice: Invoice) -> list[tuple[str, Any]]:
    who = invoice.subscriber
    rows: list[tuple[str, Any]] = [
        ("Customer", links.link(links.url_of("subscriber", who.pk), f"{who.full_name} ({who.number})")),
        ("Issued", day(invoice.issued_on, empty="not yet")),
    ]
    if invoice.kind == InvoiceKind.INVOICE:
        rows.append(("Due", day(invoice.due_on, empty="counted from the day it is issued")))
    if invoice.period_start and invoice.period_end:
        rows.append(("Period", f"{day(invoice.period_start)} to {day(_last(invoice.period_end))}"))
    if invoice.corrects:
        rows.append(
            ("Corrects", links.link(links.url_of("invoice", invoice.corrects_id), invoice.corrects.number))
        )
    if invoice.reason:
        rows.append(("Reason", invoice.reason))
    return [*rows, ("Sent", moment(invoice.sent_at, empty="not yet"))]


def _paid_by(invoice: Invoice) -> list[dict[str, Any]]:
    is_note = invoice.kind == InvoiceKind.CREDIT_NOTE
    used = invoice.used_for if is_note else invoice.allocations
    rows = []
    for one in used.select_related("payment", "credit_note", "invoice").order_by("id")[:100]:
        if is_note:
            url, name = links.url_of("invoice", one.invoice_id), one.invoice.number
        elif one.payment:
            url = links.url_of("payment", one.payment_id)
            name = f"{one.payment.get_method_display()} {one.payment.reference}".strip()
        else:
            url, name = links.url_of("invoice", one.credit_note_id), one.credit_note.number
        rows.append(
            {
                "url": url,
                "name": name,
                "amount": priced(one.amount, invoice.currency),
                "at": moment(one.created_at),
                "released": moment(one.released_at) if one.released_at else "",
            }
        )
    return rows


def _timeline(invoice: Invoice) -> list[dict[str, Any]]:
    """Return what happened to an invoice, newest first."""
    by = str(invoice.created_by or "a billing run" if invoice.run_id else invoice.created_by or "the system")
    found: list[tuple[Any, str, str, str]] = [(invoice.created_at, "Written", f"by {by}", "plain")]
    if invoice.issued_at:
        found.append((invoice.issued_at, "Issued", f"as {invoice.number}", "info"))
    for one in invoice.allocations.select_related("payment", "credit_note").order_by("id")[:100]:
        what = (
            f"by {one.credit_note.number}"
            if one.credit_note
            else f"by {one.payment.get_method_display().lower()}"
        )
        amount = said(one.amount, invoice.currency)
        found.append((one.created_at, "Paid", f"{amount} {what}", "good"))
        if one.released_at:
            found.append((one.released_at, "Payment taken back", amount, "warning"))
    for note in invoice.credit_notes.order_by("id")[:100]:
        found.append((note.issued_at, "Credited", f"{note.number}: {note.reason}", "warning"))
    for mail in InvoiceMail.objects.filter(invoice=invoice).order_by("id")[:100]:
        tone = MAIL_TONES[MailStatus(mail.status)]
        words = f"to {mail.to}" + (f": {mail.problem}" if mail.problem else "")
        found.append(
            (mail.sent_at or mail.created_at, f"E-mail {mail.get_status_display().lower()}", words, tone)
        )
    if invoice.voided_at:
        found.append((invoice.voided_at, "Made void", invoice.reason, "danger"))
    return [
        {"at": moment(at), "what": pill(what, tone), "words": words}
        for at, what, words, tone in sorted(found, key=lambda each: each[0], reverse=True)
    ]


def _failed_mail(invoice: Invoice) -> str:
    last = InvoiceMail.objects.filter(invoice=invoice).order_by("-id").first()
    return last.problem if last and last.status == MailStatus.FAILED else ""


def _line_of(given: dict[str, Any]) -> DraftLine:
    return DraftLine(
        description=given["description"],
        unit_price=given["unit_price"],
        quantity=given["quantity"],
        tax_class=given["tax_class"].strip(),
    )


def balance_facts(request: HttpRequest, subscriber: Subscriber) -> list[tuple[str, Any]]:
    """Say in the head of a customer's page what they owe."""
    on = today()
    try:
        found = accounts.balance_of(subscriber, on=on)
    except accounts.CurrencyUnknown:
        return [("Balance", "Nothing billed yet")]
    if found.credit:
        return [("Balance", f"{said(found.credit, found.currency)} credit")]
    owed = said(found.balance, found.currency) if found.balance else "Nothing owed"
    if not found.overdue_since:
        return [("Balance", owed)]
    days = (on - found.overdue_since).days
    words = f"{said(found.overdue, found.currency)} for {days} day{'s' if days > 1 else ''}"
    return [("Balance", owed), ("Overdue", pill(words, "danger"))]


def customer_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Read a customer's last invoices; as many queries for one as for many."""
    rows = list(Invoice.objects.filter(subscriber=subscriber).order_by("-id")[: ON_THE_TAB + 1])
    on = today()
    may_write = request.user.has_perm("billing.add_invoice")
    return {
        "invoices": [
            {
                "url": reverse("admin:billing_invoice_change", args=[one.pk]),
                "number": one.number or "Draft",
                "issued": day(one.issued_on),
                "due": day(one.due_on),
                "total": priced(one.total, one.currency),
                "open": priced(one.open_amount, one.currency) if is_open(one) else DASH,
                "state": state_of(one, on),
            }
            for one in rows[:ON_THE_TAB]
        ],
        "write_url": f"{reverse('admin:billing_invoice_add')}?{urlencode({'subscriber': subscriber.pk})}"
        if may_write
        else "",
        "more_url": f"{reverse('admin:billing_invoice_changelist')}?{urlencode({'q': subscriber.number})}"
        if len(rows) > ON_THE_TAB
        else "",
    }


links.add("invoice", "admin:billing_invoice_change")
tabs.add(
    20,
    "invoices",
    "Invoices",
    template="admin/billing/invoices_tab.html",
    allowed="billing.view_invoice",
    read=customer_tab,
)
tabs.add_facts(10, "balance", allowed="billing.view_invoice", read=balance_facts)
navigation.add(
    "Billing",
    20,
    "Invoices",
    url_name="admin:billing_invoice_changelist",
    icon="receipt_long",
    allowed="billing.view_invoice",
)
