"""Services: a customer's plan at a premise, its actions, and the feed of what changed."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any, ClassVar

import django_filters
from django.core.validators import RegexValidator
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore import audit
from ispcore.api.fields import (
    BooleanField,
    ChoiceField,
    HouseSerializer,
    IdField,
    StrictSerializer,
    TextField,
    WriteOnlySecret,
)
from ispcore.api.filters import HouseFilterSet, WholeNumberFilter
from ispcore.api.request import caller_of, who
from ispcore.api.views import (
    ListModelMixin,
    RetrieveModelMixin,
    TenantViewSet,
    created,
    find_by_reference,
    valid,
)
from subscribers import normal
from subscribers.api.holding import HoldTermsInput
from subscribers.models import Hold, HoldReason, ServiceStatus, Subscription
from subscribers.services import lines, plan_changes
from subscribers.services.periods import local_date

DAY = ["%Y-%m-%d"]
MAX_AHEAD = timedelta(days=366)
MAX_HOLDS = 500
PLAN_CHANGE_STATES = ("preview", "applied", "waiting")
# IEEE 802.11-2020, J.4.1: a passphrase is 8 to 63 printable ASCII characters. Empty: an open network.
PASSPHRASE = RegexValidator(r"^([ -~]{8,63})?\Z", "8 to 63 printable ASCII characters.")


class SsidField(TextField):
    """A network's name, of 32 octets at most (IEEE 802.11-2020, 9.4.2.2)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=32, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if len(text.encode()) > 32:
            self.fail("max_length", max_length=32)
        return text


class ServiceSerializer(HouseSerializer[Subscription]):
    customer_id = serializers.UUIDField(source="subscriber_id", read_only=True)
    product_id = serializers.UUIDField(source="plan_id", read_only=True)
    premise_id = serializers.UUIDField(read_only=True)
    created_by_id = serializers.UUIDField(read_only=True, allow_null=True)
    has_wifi_password = serializers.BooleanField(source="wifi_password", read_only=True)
    provisioned_date = serializers.DateTimeField(source="provisioned_at", read_only=True, allow_null=True)

    class Meta:
        model = Subscription
        fields = [
            "id", "number", "customer_id", "product_id", "premise_id", "status", "isp_reference", "wifi_name",
            "has_wifi_password", "sales_agent", "created_by_id", "provisioned_date", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class ServiceUpdateInput(StrictSerializer):
    isp_reference = TextField(max_length=80, required=False, allow_blank=True)
    wifi_name = SsidField(required=False, allow_blank=True)
    wifi_password = WriteOnlySecret(required=False, allow_blank=True, validators=[PASSPHRASE])


class ServiceInput(ServiceUpdateInput):
    customer_id = IdField()
    product_id = IdField()
    premise_id = IdField()
    sales_agent = TextField(max_length=120, required=False, allow_blank=True)


class HoldReasonInput(StrictSerializer):
    reason = ChoiceField(choices=HoldReason.choices, default=HoldReason.STAFF.value)


class HoldInput(HoldReasonInput, HoldTermsInput):
    """Why, until when, and a note."""


class HoldSerializer(HouseSerializer[Hold]):
    opened_by_id = serializers.UUIDField(read_only=True, allow_null=True)
    released_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = Hold
        fields = [
            "id", "reason", "note", "opened_at", "until", "released_at", "opened_by_id", "released_by_id",
        ]  # fmt: skip
        read_only_fields = fields


class ChangePlanInput(StrictSerializer):
    product_id = IdField()
    effective_on = serializers.DateField(
        required=False, input_formats=DAY, help_text="Where the provider is; today when left out."
    )
    preview = BooleanField(default=False, help_text="True: only tell what it would cost.")

    def validate_effective_on(self, value: Any) -> Any:
        today = self.context["today"]
        if not today <= value <= today + MAX_AHEAD:
            raise serializers.ValidationError("Must be today or a day of the coming year.")
        return value


class PlanChangeAnswer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=PLAN_CHANGE_STATES)
    from_product_id = serializers.UUIDField(source="from_plan_id")
    to_product_id = serializers.UUIDField(source="to_plan_id")
    effective_on = serializers.DateField()
    period_start = serializers.DateField()
    period_end = serializers.DateField(help_text="The first day of the next period.")
    days_in_period = serializers.IntegerField()
    days_left = serializers.IntegerField()
    credit = serializers.DecimalField(
        max_digits=14, decimal_places=2, help_text="For the unused days at the old price, before tax."
    )
    charge = serializers.DecimalField(
        max_digits=14, decimal_places=2, help_text="For the same days at the new price, before tax."
    )
    net = serializers.DecimalField(max_digits=14, decimal_places=2, help_text="`charge` less `credit`.")
    currency = serializers.CharField()
    service = ServiceSerializer()


class RevealedSerializer(serializers.Serializer[Any]):
    wifi_password = serializers.CharField()


class ServiceFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=ServiceStatus.choices)
    number = WholeNumberFilter(min_value=1, max_value=normal.MAX_LINE_NUMBER)
    customer_id = django_filters.UUIDFilter(field_name="subscriber_id")
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    product_id = django_filters.UUIDFilter(field_name="plan_id")
    plan_id = django_filters.UUIDFilter(field_name="plan_id")
    premise_id = django_filters.UUIDFilter(field_name="premise_id")

    class Meta:
        model = Subscription
        fields = {"isp_reference": ["exact"], "created_at": ["gte", "lte"]}


class ServiceViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """The lines of this provider's customers; `{id}` is an id or a service number."""

    model = Subscription
    serializer_class = ServiceSerializer
    filterset_class = ServiceFilter
    ordering_fields = ("number", "created_at", "updated_at")
    verbs: ClassVar[dict[str, str]] = {
        "activate": "change",
        "suspend": "change",
        "resume": "change",
        "terminate": "change",
        "cancel": "change",
        "change_plan": "change",
        "cancel_plan_change": "change",
        "reveal_wifi_password": "reveal",
    }

    @property
    def number_field(self) -> str | None:  # type: ignore[override]
        return _number_field_of(str(self.kwargs["pk"]))

    @extend_schema(request=ServiceInput, responses={201: ServiceSerializer})
    def create(self, request: Request) -> Response:
        """Order a service: a product for a customer at a premise. It waits for its installation."""
        data = valid(ServiceInput(data=request.data))
        line = lines.create_service(
            subscriber_id=data.pop("customer_id"),
            plan_id=data.pop("product_id"),
            on=local_date(timezone.now()),
            user_id=self._user_id(),
            **data,
        )
        line.refresh_from_db()
        self.record = line
        return created(request, view_name="service-detail", pk=line.pk, data=self.get_serializer(line).data)

    @extend_schema(request=ServiceUpdateInput, responses=ServiceSerializer)
    def update(self, request: Request, pk: str) -> Response:
        """Change a service's ISP reference, WiFi name or WiFi password. What is left out stays."""
        line = self.get_object()
        data = valid(ServiceUpdateInput(data=request.data))
        return self._shown(lines.update_service(subscription_id=line.pk, **data))

    @extend_schema(request=ServiceUpdateInput, responses=ServiceSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a service's ISP reference, WiFi name or WiFi password. What is left out stays."""
        return self.update(request, pk)

    @extend_schema(request=None, responses=ServiceSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Take an installed service into operation. A suspended customer's waits (409 `subscriber_suspended`)."""
        line = self.get_object()
        return self._shown(
            lines.activate_service(subscription_id=line.pk, at=timezone.now(), user_id=self._user_id())
        )

    @extend_schema(request=HoldInput, responses=ServiceSerializer)
    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, pk: str) -> Response:
        """Bar a service for a reason, perhaps until a time. Repeating an open reason changes nothing."""
        line = self.get_object()
        data = valid(HoldInput(data=request.data))
        lines.open_hold(subscription_id=line.pk, at=timezone.now(), user_id=self._user_id(), **data)
        return self._fresh(line)

    @extend_schema(request=HoldReasonInput, responses=ServiceSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Lift one reason; the service comes back when no other is open.

        A suspended customer is active again when no hold of any of their services is left.
        """
        line = self.get_object()
        data = valid(HoldReasonInput(data=request.data))
        hold = lines.release_hold(
            subscription_id=line.pk, at=timezone.now(), user_id=self._user_id(), reason=data["reason"]
        )
        if hold is None:
            raise lines.HoldNotOpen(reason=data["reason"])
        return self._fresh(line)

    @extend_schema(request=None, responses=ServiceSerializer)
    @action(detail=True, methods=["post"])
    def terminate(self, request: Request, pk: str) -> Response:
        """End a service that runs or is suspended. Repeating it changes nothing."""
        line = self.get_object()
        return self._shown(
            lines.terminate_service(subscription_id=line.pk, at=timezone.now(), user_id=self._user_id())
        )

    @extend_schema(request=None, responses=ServiceSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Call off a service that waits for its installation, or a draft."""
        line = self.get_object()
        return self._shown(
            lines.cancel_service(subscription_id=line.pk, at=timezone.now(), user_id=self._user_id())
        )

    @extend_schema(request=ChangePlanInput, responses=PlanChangeAnswer)
    @action(detail=True, methods=["post"], url_path="change-plan")
    def change_plan(self, request: Request, pk: str) -> Response:
        """Change a service's product, today or on a later day, or preview what that costs.

        The answer tells the proration: the unused days of the period credited at the old price and charged
        at the new one. One change may wait at a time.
        """
        line = self.get_object()
        at = timezone.now()
        today = local_date(at)
        data = valid(ChangePlanInput(data=request.data, context={"today": today}))
        effective_on = data.get("effective_on", today)
        target: dict[str, Any] = {"subscription_id": line.pk, "to_plan_id": data["product_id"]}
        if not data["preview"]:
            lines.lock_line(line.pk)  # What is told below is then what is changed.
        proration = plan_changes.preview_plan_change(**target, on=effective_on)
        state = "preview"
        if not data["preview"]:
            change = plan_changes.change_plan(
                **target, effective_on=effective_on, on=today, at=at, user_id=self._user_id()
            )
            state = "applied" if change.applied_at else "waiting"
            line.refresh_from_db()
        answer = {**asdict(proration), "state": state, "service": line}
        return Response(PlanChangeAnswer(answer).data)

    @extend_schema(responses={204: None})
    @change_plan.mapping.delete
    def cancel_plan_change(self, request: Request, pk: str) -> Response:
        """Call off the change of product that waits, if one does."""
        plan_changes.cancel_plan_change(subscription_id=self.get_object().pk, at=timezone.now())
        return Response(status=204)

    @extend_schema(responses=HoldSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def holds(self, request: Request, pk: str) -> Response:
        """Why the service was barred, newest first; at most 500 holds."""
        rows = self.get_object().holds.order_by("-opened_at", "-id")[:MAX_HOLDS]
        return Response(HoldSerializer(rows, many=True).data)

    @extend_schema(request=None, responses=RevealedSerializer)
    @action(detail=True, methods=["post"], url_path="reveal-wifi-password")
    def reveal_wifi_password(self, request: Request, pk: str) -> Response:
        """Show the WiFi password. Who saw it is recorded."""
        line = self.get_object()
        audit.record(
            action="revealed WiFi password",
            detail=f"service {line.number}",
            **who(request),
        )
        headers = {"Cache-Control": "no-store"}
        return Response({"wifi_password": line.wifi_password.reveal()}, headers=headers)

    def _shown(self, line: Subscription) -> Response:
        self.record = line
        return Response(self.get_serializer(line).data)

    def _fresh(self, line: Subscription) -> Response:
        line.refresh_from_db()
        return self._shown(line)

    def _user_id(self) -> Any:
        return caller_of(self.request._request).user_id


def find_line(reference: str) -> Subscription:
    """Return the service whose id or number is `reference`. Raises NotFound."""
    found: Subscription = find_by_reference(
        Subscription.objects.all(), reference, number_field=_number_field_of(reference)
    )
    return found


def _number_field_of(reference: str) -> str | None:
    """Only what can be a number is looked for among the numbers."""
    return "number" if normal.line_number(reference) is not None else None
