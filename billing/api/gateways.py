from typing import Any, ClassVar

import django_filters
from django.core.validators import RegexValidator
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import AmountField
from billing.api.payments import PaidField
from billing.models import Checkout, CheckoutStatus, EventOutcome, GatewayAccount, GatewayEvent, GatewayKind
from billing.services.gateways import accounts, checkouts, notices
from ispcore.api.errors import ApiError
from ispcore.api.fields import (
    BooleanField,
    ChoiceField,
    HouseSerializer,
    IdField,
    StrictSerializer,
    TextField,
    WriteOnlySecret,
)
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import (
    ApiView,
    ListModelMixin,
    RecordViewSet,
    RetrieveModelMixin,
    TenantViewSet,
    valid,
)
from ispcore.jobs.api import TaskSerializer, accepted

MOST_BYTES = 256 * 1024  # Stripe's largest events are a few ten KiB.
BEGIN_WAIT_SECONDS = 25  # A little longer than a gateway may take.
PRINTABLE = RegexValidator(r"^[!-~]*\Z", "Printable ASCII characters without spaces.")


class GatewaySerializer(HouseSerializer[GatewayAccount]):
    kind = ChoiceField(choices=GatewayKind.choices, help_text="Stays as it is.")
    label = TextField(  # type: ignore[assignment]
        max_length=60, help_text="As staff and payers read it."
    )
    name = serializers.SerializerMethodField(help_text="Of the address its notices come to.")
    callback_path = serializers.SerializerMethodField(help_text="Where the gateway sends its notices.")
    api_key = WriteOnlySecret(required=False, allow_blank=True, max_length=255, validators=[PRINTABLE])
    webhook_secret = WriteOnlySecret(
        max_length=255,
        validators=[PRINTABLE],
        help_text="What its notices are signed with; never shown again.",
    )
    is_enabled = BooleanField(required=False)

    class Meta:
        model = GatewayAccount
        fields = [
            "id", "kind", "label", "name", "callback_path", "api_key", "webhook_secret", "is_enabled", "refused_at",
            "refusal", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["refused_at", "refusal"]

    @extend_schema_field(serializers.CharField())
    def get_name(self, account: GatewayAccount) -> str:
        return accounts.public_name(account)

    @extend_schema_field(serializers.CharField())
    def get_callback_path(self, account: GatewayAccount) -> str:
        return f"/api/v1/billing/gateways/{accounts.public_name(account)}/callback"


class GatewayFilter(HouseFilterSet):
    kind = django_filters.ChoiceFilter(choices=GatewayKind.choices)
    is_enabled = BooleanFilter()

    class Meta:
        model = GatewayAccount
        fields = {"created_at": ["gte", "lte"]}


class GatewayViewSet(RecordViewSet):
    """Accounts at payment gateways. Their secrets are taken and never given back."""

    model = GatewayAccount
    related = ("tenant",)
    serializer_class = GatewaySerializer
    filterset_class = GatewayFilter
    ordering_fields = ("created_at", "label")
    verbs: ClassVar[dict[str, str]] = {
        "create": "operate",
        "partial_update": "operate",
        "destroy": "operate",
    }

    def create(self, request: Request) -> Response:
        """Register an account at a gateway; the answer has the address to enter there for its notices."""
        return self.show_created(accounts.create_account(**self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of an account: its label, its secrets, whether it is enabled."""
        found = self.get_object()
        given = self.input_of_change(found)
        if given.pop("kind", found.kind) != found.kind:
            raise ApiError(422, "validation_error", "The kind of a gateway stays as it is.", field="kind")
        return self.show_changed(accounts.update_account(account_id=found.pk, **given))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove an account nobody paid by; 409 `gateway_in_use` for others: switch them off."""
        accounts.remove_account(account_id=self.get_object().pk)
        return Response(status=204)


class GatewayEventSerializer(HouseSerializer[GatewayEvent]):
    gateway_id = serializers.UUIDField(read_only=True)
    payment_id = serializers.UUIDField(read_only=True, allow_null=True)
    outcome = serializers.ChoiceField(choices=EventOutcome.choices, read_only=True)

    class Meta:
        model = GatewayEvent
        fields = [
            "id", "gateway_id", "event_id", "kind", "outcome", "detail", "payment_id", "happened_at", "received_at",
        ]  # fmt: skip
        read_only_fields = fields


class GatewayEventFilter(HouseFilterSet):
    gateway_id = django_filters.UUIDFilter(field_name="gateway_id")
    payment_id = django_filters.UUIDFilter(field_name="payment_id")
    outcome = django_filters.ChoiceFilter(choices=EventOutcome.choices)

    class Meta:
        model = GatewayEvent
        fields = {"received_at": ["gte", "lte"]}


class GatewayEventViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Notices that gateways sent, and what became of each."""

    model = GatewayEvent
    serializer_class = GatewayEventSerializer
    filterset_class = GatewayEventFilter
    ordering_fields = ("created_at", "received_at")


class CheckoutSerializer(HouseSerializer[Checkout]):
    gateway_id = serializers.UUIDField(read_only=True)
    subscriber_id = serializers.UUIDField(read_only=True)
    invoice_id = serializers.UUIDField(read_only=True, allow_null=True)
    payment_id = serializers.UUIDField(read_only=True, allow_null=True)
    amount = AmountField()
    status = serializers.ChoiceField(choices=CheckoutStatus.choices, read_only=True)

    class Meta:
        model = Checkout
        fields = [
            "id", "gateway_id", "subscriber_id", "invoice_id", "amount", "currency", "status", "url", "payment_id",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class CheckoutInput(StrictSerializer):
    gateway_id = IdField()
    invoice_id = IdField(required=False, help_text="The invoice to pay; or, for a top-up, the next three.")
    subscriber_id = IdField(required=False)
    amount = PaidField(required=False, help_text="Of an invoice: all that is open, when left out.")
    currency = TextField(required=False, max_length=3)
    return_url = serializers.URLField(max_length=500, help_text="Where the payer comes back to.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "invoice_id" in attrs:
            wrong: Any = {
                name: "Belongs to a top-up." for name in ("subscriber_id", "currency") if name in attrs
            }
            if wrong:
                raise serializers.ValidationError(wrong)
            return attrs
        needed = [name for name in ("subscriber_id", "amount", "currency") if name not in attrs]
        if needed:
            raise serializers.ValidationError(
                dict.fromkeys(needed, "Needed for a top-up; or give invoice_id."), code="required"
            )
        return attrs


class BegunSerializer(serializers.Serializer[Any]):
    checkout_id = serializers.UUIDField()
    url = serializers.CharField(help_text="The page to pay on.")


class CheckoutFilter(HouseFilterSet):
    gateway_id = django_filters.UUIDFilter(field_name="gateway_id")
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    invoice_id = django_filters.UUIDFilter(field_name="invoice_id")
    status = django_filters.ChoiceFilter(choices=CheckoutStatus.choices)

    class Meta:
        model = Checkout
        fields = {"created_at": ["gte", "lte"]}


class CheckoutViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Payments that subscribers were sent to a gateway for."""

    model = Checkout
    serializer_class = CheckoutSerializer
    filterset_class = CheckoutFilter
    ordering_fields = ("created_at",)

    @extend_schema(request=CheckoutInput, responses={200: BegunSerializer, 202: TaskSerializer})
    def create(self, request: Request) -> Response:
        """Begin a payment at a gateway, of an invoice or a top-up; the answer has the page to pay on.

        Waits for the gateway up to 25 seconds (`Prefer: wait=N`) and is 202 with the task when it takes longer.
        """
        given = valid(CheckoutInput(data=request.data))
        user_id = caller_of(request._request).user_id
        if "invoice_id" in given:
            checkout = checkouts.record_invoice(
                gateway_id=given["gateway_id"],
                invoice_id=given["invoice_id"],
                amount=given.get("amount"),
                user_id=user_id,
            )
        else:
            top_up = checkouts.TopUp(given["subscriber_id"], given["amount"], given["currency"])
            checkout = checkouts.record_top_up(gateway_id=given["gateway_id"], top_up=top_up, user_id=user_id)
        job = checkouts.begin_in_background(checkout, return_url=given["return_url"], user_id=user_id)
        return accepted(request, job, default_wait=BEGIN_WAIT_SECONDS)


class TakenSerializer(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(choices=EventOutcome.choices)


class AsItCame(BaseParser):
    """Leaves the body alone: what was signed is its bytes."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return {}


class CallbackView(ApiView):
    """Where gateways send their notices. No credential: the signature is one, and the name tells the provider."""

    app_label = "billing"
    authentication_classes: Any = ()
    permission_classes = ()
    parser_classes: Any = (AsItCame,)
    more_errors = ("401", "404")

    @extend_schema(
        operation_id="billing_gateways_callback",
        request=None,
        responses=TakenSerializer,
        auth=[],
    )
    def post(self, request: Request, pk: str) -> Response:
        """Take a gateway's signed notice; a repeat is harmless and answered like the first.

        `{id}` is the `name` of the gateway, such as north.stripe-0123456789abcdef: it tells the provider, so no tenant
        header is sent. The body is the gateway's own, and its signature stands in the gateway's own header.
        401 `invalid_signature` for a wrong signature or an old timestamp. What cannot be booked is kept for a person
        and answered with 200, since sending it again would not help.
        """
        body = request._request.body
        if len(body) > MOST_BYTES:
            raise ApiError(413, "request_too_large", "The notice is too large.")
        event = notices.take(name=pk, headers=request.headers, body=body, at=timezone.now())
        return Response({"outcome": event.outcome})
