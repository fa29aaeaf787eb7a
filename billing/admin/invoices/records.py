"""Invoices: written by hand, issued, made void, credited, sent."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone

from billing.admin.invoices.forms import CreditForm, DraftForm, LineForm, ReasonForm, SendForm
from billing.admin.invoices.page import page_of
from billing.admin.invoices.states import state_of, title_of
from billing.admin.terms import today
from billing.admin.words import amount_column, numbered_link
from billing.models import (
    Invoice,
    InvoiceKind,
    InvoiceStatus,
)
from billing.services import invoices
from billing.services.documents import invoice_pdf
from billing.services.documents.invoices import file_name
from billing.services.invoices import DraftLine, crediting, voiding
from billing.services.invoices.links import payment_link
from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import DrawnPage, KeptMixin, TenantModelAdmin
from ispcore.admin.formats import DASH, day, money
from ispcore.admin.site import register
from subscribers.models import Subscriber


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
class InvoiceAdmin(DrawnPage, KeptMixin, TenantModelAdmin):
    """An invoice is written by a run or by hand; once issued it stays, and what happens to it are actions."""

    form = DraftForm
    list_display = (
        "number_shown",
        "customer",
        "issued",
        "due",
        amount_column("total", "Total"),
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
        # Looked up first: an OR with a subquery would be asked of every invoice.
        whose = list(Subscriber.objects.filter(number=wanted).values_list("pk", flat=True))
        return queryset.filter(Q(number=wanted) | Q(subscriber__in=whose)), False

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
        return numbered_link(obj.subscriber)

    @admin.display(description="Issued", ordering="issued_on")
    def issued(self, obj: Invoice) -> str:
        return day(obj.issued_on)

    @admin.display(description="Due", ordering="due_on")
    def due(self, obj: Invoice) -> str:
        return day(obj.due_on)

    @admin.display(description="Open")
    def open_shown(self, obj: Invoice) -> str:
        is_owed = obj.open_amount and obj.status != InvoiceStatus.DRAFT
        return money(obj.open_amount, obj.currency) if is_owed else DASH

    @admin.display(description="Status")
    def state(self, obj: Invoice) -> str:
        return state_of(obj, today())


def _line_of(given: dict[str, Any]) -> DraftLine:
    return DraftLine(
        description=given["description"],
        unit_price=given["unit_price"],
        quantity=given["quantity"],
        tax_class=given["tax_class"].strip(),
    )


links.add("invoice", "admin:billing_invoice_change")
navigation.add_list("Billing", 20, "Invoices", Invoice, icon="receipt_long")
