"""Prepaid: vouchers that become credit, top-ups, and until when each line is paid."""

from typing import ClassVar

import django_filters
from django.db.models import F
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import AMOUNT, AmountField
from billing.api.payments import PaidField, PaymentDetailSerializer
from billing.models import (
    MONEY_METHODS,
    CreditVoucher,
    CreditVoucherBatch,
    CreditVoucherState,
    Payment,
    PrepaidLine,
)
from billing.services import payments
from billing.services.prepaid import selling, vouchers
from ispcore.api.errors import ApiError
from ispcore.api.fields import (
    ChoiceField,
    HouseSerializer,
    IdField,
    IntegerField,
    StrictSerializer,
    TextField,
)
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import (
    ApiView,
    ListModelMixin,
    RecordViewSet,
    RetrieveModelMixin,
    TenantViewSet,
    created,
    etag,
    valid,
)
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.vouchers.api import (
    PRINT_WAIT_SECONDS,
    BatchViewSet,
    PrefixField,
    RevokedSerializer,
    VoucherBatchMadeSerializer,
)
from ispcore.vouchers.codes import MOST_VOUCHERS


class CreditBatchSerializer(HouseSerializer[CreditVoucherBatch]):
    amount = AmountField(help_text="What each voucher is worth.")
    sheet_id = serializers.UUIDField(
        read_only=True,
        allow_null=True,
        help_text="The PDF, of `files`; null while it is made, and once it is deleted.",
    )
    unused = serializers.IntegerField(read_only=True)
    used = serializers.IntegerField(read_only=True)
    revoked = serializers.IntegerField(read_only=True)

    class Meta:
        model = CreditVoucherBatch
        fields = [
            "id", "name", "quantity", "prefix", "amount", "currency", "use_before", "sheet_id", "unused", "used",
            "revoked", "sold_at", "sold_quantity", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class CreditBatchInput(StrictSerializer):
    name = TextField(max_length=80)
    quantity = IntegerField(min_value=1, max_value=MOST_VOUCHERS)
    prefix = PrefixField()
    amount = PaidField(help_text="What each voucher is worth.")
    currency = serializers.RegexField(r"^[A-Z]{3}\Z", help_text="ISO 4217, for example EUR.")
    use_before = serializers.DateTimeField(required=False, allow_null=True)

    def validate_name(self, value: str) -> str:
        if CreditVoucherBatch.objects.filter(name=value).exists():
            raise ApiError(
                409, "duplicate_credit_voucher_batch_name", "There is a batch of this name.", field="name"
            )
        return value


class CreditBatchMadeSerializer(VoucherBatchMadeSerializer):
    pass


class CreditSaleInput(StrictSerializer):
    method = ChoiceField(choices=MONEY_METHODS, help_text="How it was paid.")


class CreditRevokedSerializer(RevokedSerializer):
    pass


class CreditBatchFilter(HouseFilterSet):
    class Meta:
        model = CreditVoucherBatch
        fields = {"name": ["exact"], "created_at": ["gte", "lte"]}


class CreditVoucherBatchViewSet(BatchViewSet):
    """Credit vouchers that were made together."""

    model = CreditVoucherBatch
    serializer_class = CreditBatchSerializer
    filterset_class = CreditBatchFilter
    used_states = (CreditVoucherState.USED,)
    verbs: ClassVar[dict[str, str]] = {"revoke": "change", "sell": "change"}

    @extend_schema(request=CreditBatchInput, responses={200: CreditBatchMadeSerializer, 202: TaskSerializer})
    def create(self, request: Request) -> Response:
        """Make a batch of vouchers and the sheet to print. The codes are on the sheet and nowhere else.

        The answer waits up to 20 seconds (`Prefer: wait=N`) and is 202 with the task when it takes longer.
        """
        data = valid(CreditBatchInput(data=request.data))
        _, job = vouchers.create_batch(**data, user_id=caller_of(request._request).user_id)
        return accepted(request, job, default_wait=PRINT_WAIT_SECONDS)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a batch none of whose vouchers was used."""
        vouchers.remove_batch(batch_id=self.get_object().pk)
        return Response(status=204)

    @extend_schema(request=None, responses=CreditRevokedSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Make the batch's unused vouchers worthless. Repeating it changes nothing."""
        count = vouchers.revoke_batch(batch_id=self.get_object().pk, at=timezone.now())
        return Response({"revoked": count})

    @extend_schema(request=CreditSaleInput, responses=CreditBatchSerializer)
    @action(detail=True, methods=["post"])
    def sell(self, request: Request, pk: str) -> Response:
        """Book what the batch was sold for: the worth of its vouchers that were not revoked. Once for each batch.

        409 `batch_sold`, `batch_worthless`.
        """
        found = self.get_object()
        given = valid(CreditSaleInput(data=request.data))
        user_id = caller_of(request._request).user_id
        return self.show_changed(
            selling.sell_batch(batch_id=found.pk, at=timezone.now(), user_id=user_id, **given)
        )


class CreditVoucherSerializer(HouseSerializer[CreditVoucher]):
    batch_id = serializers.UUIDField(read_only=True)
    subscriber_id = serializers.UUIDField(read_only=True, allow_null=True)
    payment_id = serializers.UUIDField(read_only=True, allow_null=True)
    state = serializers.ChoiceField(choices=CreditVoucherState.choices, read_only=True)
    code_begins = serializers.CharField(
        source="shown", read_only=True, help_text="The rest is kept as a hash."
    )

    class Meta:
        model = CreditVoucher
        fields = [
            "id", "batch_id", "code_begins", "state", "subscriber_id", "payment_id", "used_at", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class CreditVoucherFilter(HouseFilterSet):
    batch_id = django_filters.UUIDFilter(field_name="batch_id")
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    state = django_filters.ChoiceFilter(choices=CreditVoucherState.choices)

    class Meta:
        model = CreditVoucher
        fields = {"created_at": ["gte", "lte"]}


class CreditVoucherViewSet(RecordViewSet):
    """Codes that are a payment once."""

    model = CreditVoucher
    serializer_class = CreditVoucherSerializer
    filterset_class = CreditVoucherFilter
    ordering_fields = ("created_at", "used_at")
    verbs: ClassVar[dict[str, str]] = {"revoke": "change"}

    @extend_schema(request=None, responses=CreditVoucherSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Make an unused voucher worthless. Repeating it changes nothing."""
        return self.show_changed(vouchers.revoke_voucher(voucher_id=self.get_object().pk))


@extend_schema_field({"type": ["string", "null"], "pattern": AMOUNT, "examples": ["15.00"]})
class MissingField(AmountField):
    """An amount where something is missing."""


class PrepaidServiceSerializer(HouseSerializer[PrepaidLine]):
    service_id = serializers.UUIDField(source="subscription_id", read_only=True)
    missing = MissingField(
        help_text="What the next period costs beyond the credit; null while the service runs."
    )

    class Meta:
        model = PrepaidLine
        fields = [
            "id", "service_id", "paid_until", "waits_since", "missing", "currency", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class PrepaidServiceFilter(HouseFilterSet):
    service_id = django_filters.UUIDFilter(field_name="subscription_id")
    subscriber_id = django_filters.UUIDFilter(field_name="subscription__subscriber_id")
    waits = BooleanFilter(
        field_name="waits_since", lookup_expr="isnull", exclude=True, help_text="Held for want of credit."
    )

    class Meta:
        model = PrepaidLine
        fields = {"paid_until": ["exact", "gte", "lte"]}


class PrepaidServiceViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Until when each prepaid service is paid, and which wait for credit."""

    model = PrepaidLine
    serializer_class = PrepaidServiceSerializer
    filterset_class = PrepaidServiceFilter
    ordering_fields = ("created_at", "paid_until")


class CreditRedeemInput(StrictSerializer):
    subscriber_id = IdField()
    code = TextField(max_length=40, help_text="As printed; case, spaces and hyphens make no difference.")


class CreditRedeemView(ApiView):
    """A voucher's one use."""

    app_label = "billing"
    answers_with_record = True
    more_errors = ("404", "409", "422")

    @extend_schema(
        request=CreditRedeemInput,
        responses={201: PaymentDetailSerializer},
        operation_id="billing_prepaid_vouchers_redeem",
    )
    def post(self, request: Request) -> Response:
        """Turn a voucher into a payment of a subscriber: once, whoever else asks at the same moment.

        What is due is paid, a service that waits for credit comes back, and the rest stays as credit. 404
        `credit_voucher_unknown`, 409 `credit_voucher_used` with the time of its use, 409 `credit_voucher_over`.
        """
        data = valid(CreditRedeemInput(data=request.data))
        payment = vouchers.redeem(
            subscriber_id=data["subscriber_id"],
            code=data["code"],
            at=timezone.now(),
            user_id=caller_of(request._request).user_id,
        )
        return _booked(request, payment)


class CreditTopUpInput(StrictSerializer):
    subscriber_id = IdField()
    amount = PaidField()
    currency = TextField(max_length=3, help_text="ISO 4217, for example EUR.")
    method = ChoiceField(choices=MONEY_METHODS)
    reference = TextField(
        required=False,
        allow_blank=True,
        max_length=120,
        help_text="A second top-up with it is answered with the first when it is the same.",
    )


class CreditTopUpView(ApiView):
    """Credit for money."""

    app_label = "billing"
    answers_with_record = True
    more_errors = ("404", "409", "422")

    @extend_schema(
        request=CreditTopUpInput,
        responses={201: PaymentDetailSerializer},
        operation_id="billing_prepaid_top_up",
    )
    def post(self, request: Request) -> Response:
        """Book what a subscriber paid. It pays what is due, then buys the periods that wait; the rest is credit."""
        data = valid(CreditTopUpInput(data=request.data))
        payment = payments.receive(
            **data, received_at=timezone.now(), created_by=caller_of(request._request).user_id
        )
        return _booked(request, payment)


def _booked(request: Request, payment: Payment) -> Response:
    """Answer 201 with the payment as it is shown at its own address."""
    found = Payment.objects.annotate(left=F("amount") - F("allocated") - F("refunded")).get(pk=payment.pk)
    data = PaymentDetailSerializer(found).data
    response = created(request, view_name="payment-detail", pk=found.pk, data=data)
    response["ETag"] = etag(found, data)
    return response
