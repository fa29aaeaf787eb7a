from typing import Any, ClassVar

import django_filters
from django.db.models import F, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import AmountField
from billing.models import Payment, PaymentMethod, PaymentStatus
from billing.services import payments
from billing.services.gateways import refunds
from billing.services.payments import Share, allocating
from ispcore.api.fields import (
    BooleanField,
    ChoiceField,
    HouseSerializer,
    IdField,
    MoneyField,
    StrictSerializer,
    TextField,
)
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, created, valid
from ispcore.jobs.api import TaskSerializer, accepted

REFUND_WAIT_SECONDS = 25  # A little longer than a gateway may take.
PAID = r"^-?[0-9]{1,14}(\.[0-9]{1,8})?$"


@extend_schema_field({"type": "string", "pattern": PAID, "examples": ["29.90"]})
class PaidField(MoneyField):
    """An amount as text, above zero and with no more digits than its currency has: the service says which."""

    pattern = PAID

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=22, decimal_places=8, **kwargs)


class AllocationSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    invoice_id = serializers.UUIDField()
    invoice_number = serializers.CharField()
    amount = AmountField()
    created_at = serializers.DateTimeField()
    released_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was taken back; null while it pays the invoice."
    )


class RefundSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    amount = AmountField()
    reason = serializers.CharField()
    reference = serializers.CharField()
    refunded_at = serializers.DateTimeField()


class PaymentSerializer(HouseSerializer[Payment]):
    subscriber_id = serializers.UUIDField(read_only=True)
    amount = AmountField()
    method = serializers.ChoiceField(choices=PaymentMethod.choices, read_only=True)
    status = serializers.ChoiceField(choices=PaymentStatus.choices, read_only=True)
    allocated = AmountField(help_text="Of it, what paid invoices.")
    refunded = AmountField(help_text="Of it, what went back; all of it, when it bounced.")
    credit = AmountField(source="left", help_text="Of it, what is left as the subscriber's credit.")

    class Meta:
        model = Payment
        fields = [
            "id", "subscriber_id", "amount", "currency", "method", "reference", "status", "received_at", "allocated",
            "refunded", "credit", "bounced_at", "bounce_reason", "note", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class PaymentDetailSerializer(PaymentSerializer):
    allocations = serializers.SerializerMethodField()
    refunds = serializers.SerializerMethodField()

    class Meta(PaymentSerializer.Meta):
        fields = [*PaymentSerializer.Meta.fields, "allocations", "refunds"]
        read_only_fields = fields

    @extend_schema_field(AllocationSerializer(many=True))
    def get_allocations(self, payment: Payment) -> Any:
        rows = [
            {
                "id": one.pk,
                "invoice_id": one.invoice_id,
                "invoice_number": one.invoice.number,
                "amount": one.amount,
                "currency": payment.currency,
                "created_at": one.created_at,
                "released_at": one.released_at,
            }
            for one in payment.allocations.select_related("invoice").order_by("id")
        ]
        return AllocationSerializer(rows, many=True).data

    @extend_schema_field(RefundSerializer(many=True))
    def get_refunds(self, payment: Payment) -> Any:
        rows = [
            {
                "id": one.pk,
                "amount": one.amount,
                "currency": payment.currency,
                "reason": one.reason,
                "reference": one.reference,
                "refunded_at": one.refunded_at,
            }
            for one in payment.refunds.order_by("id")
        ]
        return RefundSerializer(rows, many=True).data


class ShareInput(StrictSerializer):
    invoice_id = IdField()
    amount = PaidField()


class SharesInput(StrictSerializer):
    allocations = serializers.ListField(
        child=ShareInput(),
        required=False,
        max_length=allocating.MOST_SHARES,
        help_text="Which invoices it pays; left out, the oldest due first. What is left over is credit.",
    )


class PaymentInput(SharesInput):
    subscriber_id = IdField()
    amount = PaidField()
    currency = TextField(max_length=3, help_text="ISO 4217, for example EUR.")
    method = ChoiceField(choices=PaymentMethod.choices)
    reference = TextField(
        required=False,
        allow_blank=True,
        max_length=120,
        help_text="The payer's or the bank's name of the payment. A second one with it is answered with the first "
        "when it is the same, and refused when it is not.",
    )
    received_at = serializers.DateTimeField(required=False, help_text="Now, when left out.")
    note = TextField(required=False, allow_blank=True, max_length=200)


class RefundInput(StrictSerializer):
    amount = PaidField()
    reason = TextField(max_length=200)
    reference = TextField(
        required=False,
        allow_blank=True,
        max_length=120,
        help_text="Of the money that went back; a second refund of the payment with it is answered with the first.",
    )
    by_gateway = BooleanField(
        required=False, help_text="Have the gateway give it back that the payment came by."
    )


class BounceInput(StrictSerializer):
    reason = TextField(max_length=200)


class ReleaseAllocationInput(StrictSerializer):
    allocation_id = IdField()


class PaymentFilter(HouseFilterSet):
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    method = django_filters.ChoiceFilter(choices=PaymentMethod.choices)
    status = django_filters.ChoiceFilter(choices=PaymentStatus.choices)
    reference = django_filters.CharFilter(field_name="reference")
    has_credit = BooleanFilter(method="filter_credit", help_text="Something of it is left as credit.")

    class Meta:
        model = Payment
        fields = {"received_at": ["gte", "lte"], "created_at": ["gte", "lte"]}

    def filter_credit(self, rows: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        spent = F("allocated") + F("refunded")
        return rows.filter(amount__gt=spent) if value else rows.filter(amount=spent)


class PaymentViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Money that came in, what it paid, and what went back."""

    model = Payment
    serializer_class = PaymentSerializer
    filterset_class = PaymentFilter
    ordering_fields = ("created_at", "received_at", "amount")
    verbs: ClassVar[dict[str, str]] = {
        "refund": "change",
        "bounce": "change",
        "allocate": "change",
        "release": "change",
    }

    def get_serializer_class(self) -> Any:
        return PaymentSerializer if self.action == "list" else PaymentDetailSerializer

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        found: QuerySet[Any] = rows.annotate(left=F("amount") - F("allocated") - F("refunded"))
        return found

    @extend_schema(
        request=PaymentInput, responses={200: PaymentDetailSerializer, 201: PaymentDetailSerializer}
    )
    def create(self, request: Request) -> Response:
        """Book a payment and use it for what is due. A repeated reference is answered with the first payment (200).

        Allocated to the oldest due invoice first, unless `allocations` tell otherwise; what is left over is credit
        and pays the next invoices. 409 `duplicate_payment`, `currency_mismatch`, `invoice_not_open`,
        `allocation_beyond_invoice`; 422 `amount_too_precise`, `amount_not_positive`, `received_in_future`.
        """
        given = valid(PaymentInput(data=request.data))
        at = timezone.now()
        known = given.get("reference", "").strip()
        before = bool(known) and Payment.objects.filter(reference=known).exists()
        payment = payments.receive(
            **{**given, "received_at": given.get("received_at", at), "allocations": _shares(given)},
            created_by=caller_of(request._request).user_id,
            at=at,
        )
        shown = self._shown(payment)
        if before:
            return Response(shown)
        return created(request, view_name="payment-detail", pk=payment.pk, data=shown)

    @extend_schema(request=RefundInput, responses={200: PaymentDetailSerializer, 202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def refund(self, request: Request, pk: str) -> Response:
        """Book money that went back to the payer; with `by_gateway`, have the gateway give it back first.

        What is credit goes first, then what paid invoices, the newest allocation first: these are open again. 409
        `refund_beyond_payment`, `payment_not_refundable`, `payment_not_by_gateway`.
        """
        payment = self.get_object()
        given = valid(RefundInput(data=request.data))
        user_id = caller_of(request._request).user_id
        if given.pop("by_gateway", False):
            given.pop("reference", None)
            job = refunds.request_refund(payment_id=payment.pk, user_id=user_id, **given)
            return accepted(request, job, default_wait=REFUND_WAIT_SECONDS)
        payments.refund(payment_id=payment.pk, at=timezone.now(), created_by=user_id, **given)
        return Response(self._shown(payment))

    @extend_schema(request=BounceInput, responses=PaymentDetailSerializer)
    @action(detail=True, methods=["post"])
    def bounce(self, request: Request, pk: str) -> Response:
        """Take a payment back that the bank did not honour: what it paid is owed again. Safe to repeat."""
        found = self.get_object()
        given = valid(BounceInput(data=request.data))
        payment = payments.bounce(
            payment_id=found.pk,
            at=timezone.now(),
            user_id=caller_of(request._request).user_id,
            **given,
        )
        return Response(self._shown(payment))

    @extend_schema(request=SharesInput, responses=PaymentDetailSerializer)
    @action(detail=True, methods=["post"], url_path="allocations")
    def allocate(self, request: Request, pk: str) -> Response:
        """Use what is left of a payment for invoices as told, or for the oldest due first."""
        found = self.get_object()
        given = valid(SharesInput(data=request.data))
        payment = payments.allocate(
            payment_id=found.pk,
            shares=_shares(given),
            at=timezone.now(),
            user_id=caller_of(request._request).user_id,
        )
        return Response(self._shown(payment))

    @extend_schema(request=ReleaseAllocationInput, responses=PaymentDetailSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Take an allocation back: its invoice is open again, the money is credit again. Safe to repeat."""
        payment = self.get_object()
        given = valid(ReleaseAllocationInput(data=request.data))
        if not payment.allocations.filter(pk=given["allocation_id"]).exists():
            raise allocating.AllocationUnknown
        user_id = caller_of(request._request).user_id
        payments.release(allocation_id=given["allocation_id"], at=timezone.now(), user_id=user_id)
        return Response(self._shown(payment))

    def _shown(self, payment: Payment) -> Any:
        self.record = self.get_queryset().get(pk=payment.pk)
        return PaymentDetailSerializer(self.record, context=self.get_serializer_context()).data


def _shares(given: dict[str, Any]) -> list[Share] | None:
    """Return what the caller told to pay; None when nothing was told."""
    told = given.get("allocations")
    return None if told is None else [Share(one["invoice_id"], one["amount"]) for one in told]
