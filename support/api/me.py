"""A customer's own records. Whose they are, the credential says and nothing else: another's id is not found."""

from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.accounts import BalanceSerializer
from billing.api.amounts import AmountField, amount_text
from billing.api.invoices import pdf_response
from billing.models import Invoice, InvoiceKind, InvoiceStatus
from billing.services.documents import invoice_pdf
from billing.services.documents.invoices import file_name, is_open
from billing.services.invoices.links import payment_link
from ispcore.api.fields import IdField, StrictSerializer, TextField
from ispcore.api.filters import HouseFilterSet, WholeNumberFilter
from ispcore.api.request import caller_of
from ispcore.api.views import (
    ApiView,
    ListModelMixin,
    RetrieveModelMixin,
    TenantViewSet,
    created,
    valid,
)
from subscribers.models import ServiceStatus, Subscriber, Subscription
from subscribers.normal import MAX_LINE_NUMBER
from subscribers.services.periods import local_date
from support.models import Comment, Source, Subject, Ticket, TicketStatus
from support.services.portal import access, own, status
from support.services.portal.words import words_in
from support.services.tickets.talking import LONGEST

MOST_SUBJECTS = 100
NO_CUSTOMER = "No customer's records belong to this credential."


class OwnView(ApiView):
    """For customers; whoever is nobody's customer finds nothing here, whatever their role."""

    app_label = "me"
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if caller_of(request._request).tenant_id is None:
            self.permission_denied(request)

    @cached_property
    def found_customer(self) -> Subscriber | None:
        return own.customer_of(caller_of(self.request._request).user_id)

    @property
    def customer(self) -> Subscriber:
        """Return the caller's own record. Raises NotFound."""
        if self.found_customer is None:
            raise NotFound(NO_CUSTOMER)
        return self.found_customer


class OwnViewSet(OwnView, ListModelMixin, RetrieveModelMixin, TenantViewSet):
    app_label = "me"  # Not that of the model: staff's roles open nothing here.
    ordering_fields = ("created_at",)

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        ids = [self.found_customer.pk] if self.found_customer else []
        return rows.filter(subscriber_id__in=ids)


class MyServiceSerializer(serializers.ModelSerializer[Subscription]):
    plan = serializers.CharField(source="plan.name", read_only=True)
    address = serializers.CharField(source="premise.address_line1", read_only=True)
    city = serializers.CharField(source="premise.city", read_only=True)

    class Meta:
        model = Subscription
        fields = ["id", "number", "plan", "status", "address", "city", "provisioned_at", "terminated_at"]
        read_only_fields = fields


class LineStatusSerializer(serializers.Serializer[Any]):
    tone = serializers.ChoiceField(choices=status.Tone.choices)
    title = serializers.CharField(help_text="How the line is, in the customer's language.")
    advice = serializers.CharField(allow_blank=True, help_text="What they can do; empty: nothing.")
    as_of = serializers.DateTimeField()


class UsedDaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField(help_text="By the provider's calendar.")
    down_bytes = serializers.IntegerField()
    up_bytes = serializers.IntegerField()


class MyServiceFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=ServiceStatus.choices)
    number = WholeNumberFilter(min_value=1, max_value=MAX_LINE_NUMBER)


class MyServiceViewSet(OwnViewSet):
    """The caller's own services."""

    model = Subscription
    serializer_class = MyServiceSerializer
    filterset_class = MyServiceFilter
    related = ("plan", "premise")

    @extend_schema(responses=LineStatusSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def status(self, request: Request, pk: str) -> Response:
        """Tell how a line is, in words for its customer, from what is on record."""
        at, line = timezone.now(), self.get_object()
        words = words_in(access.language_of(self.customer))
        found = status.line_status(subscription_id=line.pk, at=at, words=words)
        shown = {"tone": found.tone.value, "title": found.title, "advice": found.advice, "as_of": at}
        return Response(shown)

    @extend_schema(responses=UsedDaySerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def usage(self, request: Request, pk: str) -> Response:
        """Show what was used on each of the last 30 days, today included."""
        at, line = timezone.now(), self.get_object()
        days = own.usage_days(line, until=local_date(at) + timedelta(days=1), at=at)
        return Response(UsedDaySerializer(days, many=True).data)


class MyInvoiceSerializer(serializers.ModelSerializer[Invoice]):
    net = AmountField()
    tax = AmountField()
    total = AmountField()
    open_amount = AmountField(help_text="Not yet paid; of a credit note, not yet used.")
    pay_url = serializers.SerializerMethodField(help_text="Where it is paid; null: nothing is open.")

    class Meta:
        model = Invoice
        fields = [
            "id", "kind", "number", "status", "currency", "net", "tax", "total", "open_amount", "period_start",
            "period_end", "issued_on", "due_on", "paid_at", "pay_url",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_pay_url(self, invoice: Invoice) -> str | None:
        return payment_link(invoice) if invoice.kind == InvoiceKind.INVOICE and is_open(invoice) else None


class MyInvoiceFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=InvoiceStatus.choices)
    kind = django_filters.ChoiceFilter(choices=InvoiceKind.choices)

    class Meta:
        model = Invoice
        fields = {"number": ["exact"], "issued_on": ["gte", "lte"]}


class MyInvoiceViewSet(OwnViewSet):
    """The caller's own invoices and credit notes; drafts are the provider's."""

    model = Invoice
    serializer_class = MyInvoiceSerializer
    filterset_class = MyInvoiceFilter
    related = ("subscriber", "corrects")
    number_field = "number"

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().exclude(status=InvoiceStatus.DRAFT)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let a caller of `pdf` accept what it is; errors stay JSON."""
        return super().perform_content_negotiation(request, force=force or self.action == "pdf")

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY}, filters=False)
    @action(detail=True)
    def pdf(self, request: Request, pk: str) -> HttpResponse:
        """Fetch it as PDF/A-2b, as it stands now."""
        invoice = self.get_object()
        language = access.language_of(self.customer)
        pdf = invoice_pdf(invoice, language=language, link=payment_link(invoice))
        return pdf_response(pdf, file_name(invoice))


class MyTicketSerializer(serializers.ModelSerializer[Ticket]):
    subject_id = serializers.UUIDField(read_only=True)
    service_id = serializers.UUIDField(source="subscription_id", read_only=True, allow_null=True)

    class Meta:
        model = Ticket
        fields = ["id", "number", "subject_id", "title", "status", "service_id", "created_at", "updated_at"]
        read_only_fields = fields


class MyTicketInput(StrictSerializer):
    subject_id = IdField(help_text="One of `me/subjects`.")
    service_id = IdField(required=False, allow_null=True, help_text="One of `me/services`.")
    description = TextField(max_length=LONGEST)


class MyCommentSerializer(serializers.ModelSerializer[Comment]):
    is_mine = serializers.SerializerMethodField()

    class Meta:
        model = Comment
        fields = ["id", "author_name", "is_mine", "body", "said_at"]
        read_only_fields = fields

    def get_is_mine(self, comment: Comment) -> bool:
        return comment.source == Source.CUSTOMER


class MyCommentInput(StrictSerializer):
    body = TextField(max_length=LONGEST)


class MyTicketFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=TicketStatus.choices)

    class Meta:
        model = Ticket
        fields = {"number": ["exact"]}


class MyTicketViewSet(OwnViewSet):
    """The caller's own tickets."""

    model = Ticket
    serializer_class = MyTicketSerializer
    filterset_class = MyTicketFilter
    number_field = "number"
    more_errors: ClassVar[tuple[str, ...]] = ("404",)

    @extend_schema(request=MyTicketInput, responses={201: MyTicketSerializer})
    def create(self, request: Request) -> Response:
        """Open a ticket.

        409 `duplicate_ticket` when one of the same service and subject is open; 409 `zone_ticket_limit_reached` when
        the zone takes no more.
        """
        data = valid(MyTicketInput(data=request.data))
        opened = own.open_ticket(
            customer_id=self.customer.pk,
            subject_id=data["subject_id"],
            line_id=data.get("service_id"),
            text=data["description"],
            at=timezone.now(),
        )
        self.record = self.get_queryset().get(pk=opened.pk)
        shown = self.get_serializer(self.record).data
        return created(request, view_name="my-ticket-detail", pk=opened.pk, data=shown)

    @extend_schema(responses=MyCommentSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def comments(self, request: Request, pk: str) -> Response:
        """What was said, oldest first, without what staff keep to themselves; the last 500 comments."""
        return Response(MyCommentSerializer(own.public_comments(self.get_object()), many=True).data)

    @extend_schema(request=MyCommentInput, responses=MyCommentSerializer)
    @comments.mapping.post
    def say(self, request: Request, pk: str) -> Response:
        """Answer: it opens a resolved ticket again and ends a wait. 409 `ticket_closed` once the ticket is closed."""
        found = self.get_object()
        data = valid(MyCommentInput(data=request.data))
        said = own.answer(
            customer_id=self.customer.pk, ticket_id=found.pk, text=data["body"], at=timezone.now()
        )
        return Response(MyCommentSerializer(said).data)


class MySubjectSerializer(serializers.ModelSerializer[Subject]):
    id = serializers.UUIDField(read_only=True)

    class Meta:
        model = Subject
        fields = ["id", "name"]
        read_only_fields = fields


class MySubjectsView(OwnView):
    """What a ticket may be about."""

    @extend_schema(responses=MySubjectSerializer(many=True), operation_id="me_subjects_list")
    def get(self, request: Request) -> Response:
        """List what a ticket may be about, in the provider's order."""
        rows = Subject.objects.filter(is_active=True).order_by("position", "name")
        return Response(MySubjectSerializer(rows[:MOST_SUBJECTS], many=True).data)


class MyBalanceView(OwnView):
    """What the caller owes."""

    more_errors: ClassVar[tuple[str, ...]] = ("404",)

    @extend_schema(responses=BalanceSerializer, operation_id="me_balance_retrieve")
    def get(self, request: Request) -> Response:
        """Tell what the caller owes. 404 where nothing was ever billed."""
        at = timezone.now()
        found = own.balance(self.customer, on=local_date(at))
        if found is None:
            raise NotFound("Nothing was ever billed here.")
        amounts = {
            name: amount_text(getattr(found, name), found.currency)
            for name in ("balance", "overdue", "credit")
        }
        return Response({**amounts, "currency": found.currency, "as_of": at})
