from datetime import timedelta
from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hardware.api.provisioning import ANSWERS, reboot_onu
from hardware.models import DownCause, Onu, OnuStatus, Reading, Signal
from hardware.selectors import Telemetry, age_seconds, telemetry_of_onus, with_telemetry
from hardware.services import management
from ispcore.api.errors import ApiError
from ispcore.api.fields import HouseSerializer, IdField, IpField, StrictSerializer
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, valid

READINGS_DAYS = 31
MAX_READINGS = 5000


class OnuSerializer(HouseSerializer[Onu]):
    olt_id = serializers.UUIDField(read_only=True)
    pon_port_id = serializers.UUIDField(read_only=True, allow_null=True)
    service_id = serializers.UUIDField(source="subscription_id", read_only=True, allow_null=True)
    management_address_id = serializers.UUIDField(read_only=True, allow_null=True)
    telemetry = serializers.ChoiceField(
        choices=Telemetry.choices,
        read_only=True,
        help_text="`stale`: older than three polls. `none`: never measured, as behind a device without optics.",
    )
    age_seconds = serializers.SerializerMethodField(help_text="Of `observed_at`.")

    class Meta:
        model = Onu
        fields = [
            "id", "olt_id", "pon_port_id", "service_id", "management_address_id", "index", "serial", "description",
            "model", "status", "last_down_cause", "signal", "telemetry", "observed_at", "age_seconds",
            "status_changed_at", "distance_m", "rx_power_dbm", "tx_power_dbm", "olt_rx_power_dbm", "temperature_c",
            "voltage_v", "bias_ma", "up_bytes", "down_bytes", "first_seen_at", "last_seen_at", "measured_at",
            "vanished_at",
        ]  # fmt: skip

    def get_age_seconds(self, onu: Onu) -> int | None:
        return age_seconds(onu.observed_at, timezone.now())


class ManagementAddressInput(StrictSerializer):
    pool_id = IdField(help_text="A pool whose purpose is management.")
    address = IpField(required=False, help_text="A named one; the next free when left out.")


class SignalsField(forms.CharField):
    """Classes separated by commas."""

    def clean(self, value: Any) -> list[str]:
        names = super().clean(value).split(",") if value else []
        if unknown := [name for name in names if name not in Signal.values]:
            known = ", ".join(Signal.values)
            raise forms.ValidationError(
                f"{unknown[0][:20]!r} is no class. Known: {known}.", code="invalid_choice"
            )
        return names


@extend_schema_field(
    {"type": "string", "pattern": f"^({'|'.join(Signal.values)})(,({'|'.join(Signal.values)}))*$"}
)
class SignalsFilter(django_filters.Filter):  # type: ignore[misc]
    """One class, or several separated by commas."""

    field_class = SignalsField

    def filter(self, queryset: QuerySet[Onu], value: list[str]) -> QuerySet[Onu]:
        return queryset.filter(signal__in=value) if value else queryset


class TelemetryFilter(django_filters.ChoiceFilter):  # type: ignore[misc]
    """One state of the telemetry, judged now."""

    def filter(self, queryset: QuerySet[Onu], value: str) -> QuerySet[Onu]:
        return queryset.filter(telemetry_of_onus(timezone.now())[value]) if value else queryset


class OnuFilter(HouseFilterSet):
    olt_id = django_filters.UUIDFilter(field_name="olt_id")
    pon_port_id = django_filters.UUIDFilter(field_name="pon_port_id")
    status = django_filters.ChoiceFilter(choices=OnuStatus.choices)
    last_down_cause = django_filters.ChoiceFilter(choices=DownCause.choices)
    signal = SignalsFilter()
    telemetry = TelemetryFilter(choices=Telemetry.choices)
    service_id = django_filters.UUIDFilter(field_name="subscription_id")

    class Meta:
        model = Onu
        fields = {
            "serial": ["exact"],
            "description": ["exact"],
            "rx_power_dbm": ["gte", "lte"],
            "last_seen_at": ["gte", "lte"],
        }


class ReadingSerializer(serializers.ModelSerializer[Reading]):
    class Meta:
        model = Reading
        fields = [
            "at", "is_online", "rx_power_dbm", "tx_power_dbm", "olt_rx_power_dbm", "temperature_c", "distance_m",
            "up_bytes", "down_bytes",
        ]  # fmt: skip


class OnuViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """ONUs as the last discovery of their OLT saw them."""

    model = Onu
    serializer_class = OnuSerializer
    filterset_class = OnuFilter
    ordering_fields = ("serial", "index", "rx_power_dbm", "last_seen_at", "created_at")
    search_fields = ("serial", "description")
    verbs: ClassVar[dict[str, str]] = {
        "reboot": "operate",
        "give_management_address": "change",
        "return_management_address": "change",
    }

    def get_queryset(self) -> QuerySet[Onu]:
        return with_telemetry(super().get_queryset(), telemetry_of_onus(timezone.now()))

    @extend_schema(
        responses=ReadingSerializer(many=True),
        parameters=[
            OpenApiParameter(
                "at__gte", {"type": "string", "format": "date-time"}, description="From; default 31 days ago."
            ),
            OpenApiParameter(
                "at__lt", {"type": "string", "format": "date-time"}, description="Until; default now."
            ),
        ],
        filters=False,
    )
    @action(detail=True, pagination_class=None)
    def readings(self, request: Request, pk: str) -> Response:
        """The ONU's signal history, oldest first; at most 5,000 readings."""
        onu = self.get_object()
        until = _moment(request, "at__lt") or timezone.now()
        since = _moment(request, "at__gte") or until - timedelta(days=READINGS_DAYS)
        rows = Reading.objects.filter(onu=onu, at__gte=since, at__lt=until).order_by("at")
        return Response(list(rows.values(*ReadingSerializer.Meta.fields)[:MAX_READINGS]))

    @extend_schema(request=None, responses=ANSWERS)
    @action(detail=True, methods=["post"])
    def reboot(self, request: Request, pk: str) -> Response:
        """Restart the ONU. Its subscriber is offline for a minute or two."""
        return reboot_onu(request, self.get_object())

    @extend_schema(request=ManagementAddressInput, responses=OnuSerializer)
    @action(detail=True, methods=["post"], url_path="management-address")
    def give_management_address(self, request: Request, pk: str) -> Response:
        """Give the ONU an address of a management pool; one it has of that pool already stays."""
        onu = self.get_object()
        data = valid(ManagementAddressInput(data=request.data))
        user_id = caller_of(request._request).user_id
        management.give_management_address(onu_id=onu.pk, at=timezone.now(), user_id=user_id, **data)
        self.record = self.get_object()
        return Response(self.get_serializer(self.record).data)

    @extend_schema(responses={204: None})
    @give_management_address.mapping.delete
    def return_management_address(self, request: Request, pk: str) -> Response:
        """Take the ONU's management address back. It goes back by itself when the ONU is removed."""
        user_id = caller_of(request._request).user_id
        management.return_management_address(
            onu_id=self.get_object().pk, at=timezone.now(), reason="returned by staff", user_id=user_id
        )
        return Response(status=204)

    def allowed_parameters(self) -> frozenset[str]:
        if self.action == "readings":
            return frozenset({"at__gte", "at__lt"})
        return super().allowed_parameters()


def _moment(request: Request, name: str) -> Any:
    value = request.query_params.get(name)
    if value is None:
        return None
    try:
        return serializers.DateTimeField().to_internal_value(value)
    except serializers.ValidationError as error:
        message = f"`{name}` must be a time such as 2026-01-31T00:00:00Z."
        raise ApiError(400, "malformed_request", message, field=name) from error
