"""Invoices and credit notes: listed, written by hand, issued, made void, credited, sent."""

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

import django_filters
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import AmountField, amount_text
from billing.api.payments import PaidField
from billing.models import (
    Allocation,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    Language,
    LineKind,
    LineTax,
    MailStatus,
)
from billing.services import invoices
from billing.services.documents import invoice_pdf
from billing.services.documents.invoices import file_name
from billing.services.invoices import CreditedLine, DraftLine, drafting
from billing.services.invoices.links import payment_link
from ispcore.api.errors import ApiError
from ispcore.api.fields import HouseSerializer, IdField, StrictSerializer, TextField
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, created, valid
from ispcore.jobs.api import TaskSerializer, accepted
from subscribers.services.periods import local_date

SEND_WAIT_SECONDS = 15
QUANTITY = r"^[0-9]{1,9}(\.[0-9]{1,4})?$"


@extend_schema_field({"type": "string", "pattern": QUANTITY, "examples": ["1"]})
class QuantityField(PaidField):
    """How many, as text: above zero, with four digits after the point at most."""


class InvoiceSerializer(HouseSerializer[Invoice]):
    kind = serializers.ChoiceField(choices=InvoiceKind.choices, read_only=True)
    number = serializers.CharField(read_only=True, help_text="Empty until it is issued.")
    status = serializers.ChoiceField(choices=InvoiceStatus.choices, read_only=True)
    subscriber_id = serializers.UUIDField(read_only=True)
    run_id = serializers.UUIDField(read_only=True, allow_null=True)
    corrects_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="The invoice that a credit note corrects."
    )
    net = AmountField()
    tax = AmountField()
    total = AmountField()
    open_amount = AmountField(help_text="Not yet paid; of a credit note, not yet used.")
    is_overdue = serializers.SerializerMethodField(help_text="Something is open past the due day.")

    class Meta:
        model = Invoice
        fields = [
            "id", "kind", "number", "status", "is_overdue", "subscriber_id", "currency", "net", "tax", "total",
            "open_amount", "period_start", "period_end", "issued_on", "due_on", "issued_at", "paid_at", "sent_at",
            "voided_at", "reason", "run_id", "corrects_id", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_is_overdue(self, invoice: Invoice) -> bool:
        if invoice.due_on is None or not invoice.open_amount or invoice.kind != InvoiceKind.INVOICE:
            return False
        return bool(invoice.due_on < self.today and invoice.status != InvoiceStatus.DRAFT)

    @cached_property
    def today(self) -> date:
        """Today at the provider's, asked once for a whole list."""
        return local_date(timezone.now())


class InvoiceLineTaxSerializer(serializers.Serializer[Any]):
    rate_id = serializers.UUIDField()
    name = serializers.CharField()
    percent = serializers.CharField()
    base = serializers.CharField()
    amount = serializers.CharField()


class InvoiceLineSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    position = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=LineKind.choices)
    service_id = serializers.UUIDField(allow_null=True)
    source_id = serializers.UUIDField(
        help_text="The add-on, charge, discount, hold or plan change it comes from; of a credit note, the line given "
        "back. Zeros: none."
    )
    description = serializers.CharField()
    period_start = serializers.DateField(allow_null=True)
    period_end = serializers.DateField(allow_null=True, help_text="The first day not covered.")
    quantity = serializers.CharField()
    unit_price = serializers.CharField()
    net = serializers.CharField(help_text="Below zero: taken off.")
    tax = serializers.CharField()
    days = serializers.IntegerField(allow_null=True)
    period_days = serializers.IntegerField(allow_null=True)
    formula = serializers.CharField()
    remainder = serializers.CharField(help_text="What rounding left over.")
    taxes = InvoiceLineTaxSerializer(many=True)


class InvoicePaymentSerializer(serializers.Serializer[Any]):
    allocation_id = serializers.UUIDField()
    payment_id = serializers.UUIDField(allow_null=True)
    credit_note_id = serializers.UUIDField(allow_null=True)
    amount = serializers.CharField()
    created_at = serializers.DateTimeField()
    released_at = serializers.DateTimeField(allow_null=True, help_text="When it was taken back.")


class InvoiceDetailSerializer(InvoiceSerializer):
    lines = serializers.SerializerMethodField()
    payments = serializers.SerializerMethodField(help_text="What payments and credit notes paid of it.")
    payment_link = serializers.SerializerMethodField(
        help_text="A page without log-in, for the customer; empty where nothing is open."
    )

    class Meta(InvoiceSerializer.Meta):
        fields = [*InvoiceSerializer.Meta.fields, "lines", "payments", "payment_link"]
        read_only_fields = fields

    @extend_schema_field(InvoiceLineSerializer(many=True))
    def get_lines(self, invoice: Invoice) -> Any:
        def money(amount: Decimal) -> str:
            return amount_text(amount, invoice.currency)

        rows = InvoiceLine.objects.filter(invoice=invoice).order_by("position")
        return [
            {
                "id": str(line.pk), "position": line.position, "kind": line.kind,
                "service_id": line.subscription_id and str(line.subscription_id), "source_id": str(line.source),
                "description": line.description, "period_start": line.period_start, "period_end": line.period_end,
                "quantity": f"{line.quantity.normalize():f}", "unit_price": money(line.unit_price),
                "net": money(line.net), "tax": money(line.tax), "days": line.days, "period_days": line.period_days,
                "formula": line.formula, "remainder": f"{line.remainder.normalize():f}",
                "taxes": [
                    {
                        "rate_id": str(tax.rate_id), "name": tax.name, "percent": f"{tax.percent.normalize():f}",
                        "base": money(tax.base), "amount": money(tax.amount),
                    }
                    for tax in line.taxes.all()
                ],
            }
            for line in rows.prefetch_related(Prefetch("taxes", LineTax.objects.order_by("name", "id")))
        ]  # fmt: skip

    @extend_schema_field(InvoicePaymentSerializer(many=True))
    def get_payments(self, invoice: Invoice) -> Any:
        mine = {"credit_note": invoice} if invoice.kind == InvoiceKind.CREDIT_NOTE else {"invoice": invoice}
        return [
            {
                "allocation_id": str(one.pk),
                "payment_id": one.payment_id and str(one.payment_id),
                "credit_note_id": one.credit_note_id and str(one.credit_note_id),
                "amount": amount_text(one.amount, invoice.currency),
                "created_at": one.created_at,
                "released_at": one.released_at,
            }
            for one in Allocation.objects.filter(**mine).order_by("id")
        ]

    def get_payment_link(self, invoice: Invoice) -> str:
        is_open = invoice.status in (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID)
        return payment_link(invoice) if is_open and invoice.kind == InvoiceKind.INVOICE else ""


class DraftLineInput(StrictSerializer):
    description = TextField(max_length=240)
    unit_price = PaidField(help_text="Before tax, but for taxes contained in prices. Below zero: taken off.")
    quantity = QuantityField(required=False)
    tax_class = TextField(max_length=40, required=False, allow_blank=True)
    service_id = IdField(
        required=False, allow_null=True, help_text="Of the customer; places the line in a zone."
    )


class DraftInput(StrictSerializer):
    subscriber_id = IdField()
    currency = TextField(
        max_length=3, required=False, help_text="That of the billing profile, when left out."
    )
    lines = serializers.ListField(child=DraftLineInput(), max_length=drafting.MOST_LINES, allow_empty=False)


class VoidInput(StrictSerializer):
    reason = TextField(max_length=200)


class CreditedLineInput(StrictSerializer):
    line_id = IdField()
    amount = PaidField(help_text="With its taxes.")


class CreditInput(StrictSerializer):
    reason = TextField(max_length=200, help_text="As the credit note says it.")
    amount = PaidField(required=False, help_text="With taxes. Without it and `lines`: all that is left.")
    lines = serializers.ListField(child=CreditedLineInput(), required=False, max_length=drafting.MOST_LINES)


class SendInput(StrictSerializer):
    to = TextField(max_length=254, required=False, help_text="The customer's own address, when left out.")


class InvoiceMailSerializer(serializers.Serializer[Any]):
    mail_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=MailStatus.choices)


class InvoiceFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=InvoiceStatus.choices)
    kind = django_filters.ChoiceFilter(choices=InvoiceKind.choices)
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    run_id = django_filters.UUIDFilter(field_name="run_id")
    corrects_id = django_filters.UUIDFilter(field_name="corrects_id")
    currency = django_filters.CharFilter(field_name="currency")
    period = django_filters.DateFilter(method="filter_period", label="A day in the period it bills.")
    due_on = django_filters.DateFilter(field_name="due_on")
    due_on__gte = django_filters.DateFilter(field_name="due_on", lookup_expr="gte")
    due_on__lte = django_filters.DateFilter(field_name="due_on", lookup_expr="lte")
    issued_on__gte = django_filters.DateFilter(field_name="issued_on", lookup_expr="gte")
    issued_on__lte = django_filters.DateFilter(field_name="issued_on", lookup_expr="lte")
    overdue = BooleanFilter(method="filter_overdue", label="Something is open past the due day.")

    class Meta:
        model = Invoice
        fields = {"number": ["exact"], "created_at": ["gte", "lte"]}

    def filter_period(self, rows: QuerySet[Any], name: str, value: date) -> QuerySet[Any]:
        return rows.filter(period_start__lte=value, period_end__gt=value)

    def filter_overdue(self, rows: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return overdue(rows) if value else rows.exclude(pk__in=overdue(Invoice.objects.all()).values("pk"))


def overdue(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Narrow to issued invoices of which something is open past the due day, today at the provider's."""
    late = Q(kind=InvoiceKind.INVOICE, open_amount__gt=0, due_on__lt=local_date(timezone.now()))
    return rows.filter(late).exclude(status=InvoiceStatus.DRAFT)


class InvoiceViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """What customers are asked for, and what they are given back."""

    model = Invoice
    number_field = "number"
    serializer_class = InvoiceSerializer
    filterset_class = InvoiceFilter
    ordering_fields = ("created_at", "issued_on", "due_on", "total", "number")
    verbs: ClassVar[dict[str, str]] = {"issue": "change", "void": "change", "send": "change", "pdf": "view"}
    answers_with_record = False

    def get_serializer_class(self) -> Any:
        return InvoiceSerializer if self.action == "list" else InvoiceDetailSerializer

    def allowed_parameters(self) -> frozenset[str]:
        extra = {"language"} if getattr(self, "action", None) == "pdf" else set()
        return super().allowed_parameters() | extra

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let a caller of `pdf` accept that; errors stay JSON."""
        return super().perform_content_negotiation(request, force=force or self.action == "pdf")

    @extend_schema(request=DraftInput, responses={201: InvoiceDetailSerializer})
    def create(self, request: Request) -> Response:
        """Write a draft by hand. Nobody owes anything until it is issued.

        422 for a price finer than its currency; 409 `currency_mismatch`, `currency_missing`, `invoice_below_zero`.
        """
        given = valid(DraftInput(data=request.data))
        lines = [
            DraftLine(
                description=line["description"],
                unit_price=line["unit_price"],
                quantity=line.get("quantity", Decimal(1)),
                tax_class=line.get("tax_class", ""),
                subscription_id=line.get("service_id"),
            )
            for line in given.pop("lines")
        ]
        draft = invoices.create_draft(
            lines=lines, at=timezone.now(), user_id=caller_of(request._request).user_id, **given
        )
        return created(request, view_name="invoice-detail", pk=draft.pk, data=self._shown(draft))

    def destroy(self, request: Request, pk: str) -> Response:
        """Discard a draft that was written by hand; anything else is refused (409)."""
        invoices.discard_draft(invoice_id=self.get_object().pk)
        return Response(status=204)

    @extend_schema(request=None, responses=InvoiceDetailSerializer)
    @action(detail=True, methods=["post"], answers_with_record=True)
    def issue(self, request: Request, pk: str) -> Response:
        """Issue a draft: it gets its number, is owed and stays as it is. The customer's credit pays it."""
        user_id = caller_of(request._request).user_id
        found = invoices.issue(invoice_id=self.get_object().pk, at=timezone.now(), user_id=user_id)
        return Response(self._shown(found))

    @extend_schema(request=VoidInput, responses=InvoiceDetailSerializer)
    @action(detail=True, methods=["post"], answers_with_record=True)
    def void(self, request: Request, pk: str) -> Response:
        """Make an issued invoice void of which nothing is paid; what it billed may be billed again.

        409 `invoice_not_voidable`, `later_period_billed`.
        """
        found = self.get_object()
        given = valid(VoidInput(data=request.data))
        user_id = caller_of(request._request).user_id
        voided = invoices.void(invoice_id=found.pk, at=timezone.now(), user_id=user_id, **given)
        return Response(self._shown(voided))

    @extend_schema(request=CreditInput, responses={201: InvoiceDetailSerializer})
    @action(detail=True, methods=["post"], url_path="credit-notes", answers_with_record=True)
    def credit_notes(self, request: Request, pk: str) -> Response:
        """Credit an invoice: in whole, by line, or an amount. What is open of it is paid by that, the rest is credit.

        409 `credit_beyond_invoice`, `invoice_not_creditable`.
        """
        found = self.get_object()
        given = valid(CreditInput(data=request.data))
        lines = [CreditedLine(line["line_id"], line["amount"]) for line in given.pop("lines", [])]
        note = invoices.credit(
            invoice_id=found.pk,
            lines=lines,
            at=timezone.now(),
            user_id=caller_of(request._request).user_id,
            **given,
        )
        return created(request, view_name="invoice-detail", pk=note.pk, data=self._shown(note))

    @extend_schema(request=SendInput, responses={200: InvoiceMailSerializer, 202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def send(self, request: Request, pk: str) -> Response:
        """Send an issued invoice as PDF by e-mail. While one is under way, no second one is begun.

        409 `no_email_address`, `invoice_not_sendable`; the task fails with `mail_refused` when the server does.
        """
        found = self.get_object()
        given = valid(SendInput(data=request.data))
        user_id = caller_of(request._request).user_id
        _, job = invoices.send(invoice_id=found.pk, at=timezone.now(), user_id=user_id, **given)
        return accepted(request, job, default_wait=SEND_WAIT_SECONDS)

    @extend_schema(
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter(
                "language", str, enum=Language.values, description="The provider's own, when left out."
            )
        ],
    )
    @action(detail=True)
    def pdf(self, request: Request, pk: str) -> HttpResponse:
        """Fetch it as PDF/A-2b, as it stands now."""
        language = request.query_params.get("language", "")
        if language and language not in Language.values:
            known = ", ".join(Language.values)
            raise ApiError(400, "malformed_request", f"`language` knows: {known}.", field="language")
        invoice = self.get_object()
        pdf = invoice_pdf(invoice, language=language, link=payment_link(invoice))
        return pdf_response(pdf, file_name(invoice))

    def _shown(self, invoice: Invoice) -> Any:
        self.record = invoice
        return self.get_serializer(invoice).data


def pdf_response(pdf: bytes, name: str) -> HttpResponse:
    """Answer with a PDF as an attachment."""
    response = HttpResponse(pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
