from datetime import timedelta
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hardware import services
from hardware.models import DiscoveryRun, DownCause, Olt, Onu, OnuStatus, PonPort, Reading, RunOutcome, Vendor
from hardware.selectors import numbers_in
from ispcore.api.errors import ApiError
from ispcore.api.fields import (
    ChoiceField,
    HouseSerializer,
    IdField,
    IpField,
    StrictSerializer,
    TextField,
    WriteOnlySecret,
)
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import (
    ApiView,
    ListModelMixin,
    RetrieveModelMixin,
    TenantViewSet,
    created,
    valid,
)
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.jobs.models import Job
from ispcore.jobs.results import present

DISCOVER_WAIT_SECONDS = 30
READINGS_DAYS = 31
MAX_READINGS = 5000
DISCOVERY_STATUSES = ("success", "partial")

# What the reference's discovery example shows, and what else staff look at first.
ONU_ROW = (
    "index", "serial", "rx_power_dbm", "tx_power_dbm", "olt_rx_power_dbm", "status", "last_down_cause",
    "distance_m", "temperature_c", "description", "model",
)  # fmt: skip


class OltSerializer(HouseSerializer[Olt]):
    name = TextField(max_length=80)
    ip = IpField()
    community = WriteOnlySecret(max_length=255)
    site = TextField(max_length=80, required=False, allow_blank=True)
    notes = TextField(max_length=2000, required=False, allow_blank=True)

    class Meta:
        model = Olt
        fields = [
            "id", "name", "vendor", "ip", "snmp_port", "snmp_version", "community", "site", "notes", "sys_name",
            "sys_descr", "sys_object_id", "model", "uptime_seconds", "last_answer_at", "last_error",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = [
            "sys_name", "sys_descr", "sys_object_id", "model", "uptime_seconds", "last_answer_at", "last_error",
        ]  # fmt: skip


class OltFilter(HouseFilterSet):
    vendor = django_filters.ChoiceFilter(choices=Vendor.choices)

    class Meta:
        model = Olt
        fields = {"name": ["exact"], "site": ["exact"], "ip": ["exact"], "created_at": ["gte", "lte"]}


class OltViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """The OLTs of this provider: how to reach them and what they said of themselves."""

    model = Olt
    serializer_class = OltSerializer
    filterset_class = OltFilter
    ordering_fields = ("name", "created_at", "last_answer_at")
    search_fields = ("name", "site", "notes")

    def create(self, request: Request) -> Response:
        """Register an OLT. Its community is stored encrypted and never shown again."""
        data = valid(self.get_serializer(data=request.data))
        olt = Olt.objects.create(**data)
        self.record = olt
        return created(request, view_name="olt-detail", pk=olt.pk, data=self.get_serializer(olt).data)

    def update(self, request: Request, pk: str) -> Response:
        """Replace an OLT's registration."""
        return self._change(request, partial=False)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of an OLT's registration."""
        return self._change(request, partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove an OLT that lists no ONU any more, with its ports and runs."""
        services.remove_olt(olt_id=self.get_object().pk)
        return Response(status=204)

    def _change(self, request: Request, *, partial: bool) -> Response:
        olt = self.get_object()
        serializer = self.get_serializer(olt, data=request.data, partial=partial)
        valid(serializer)
        self.record = serializer.save()
        return Response(serializer.data)


class PonPortSerializer(HouseSerializer[PonPort]):
    olt_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = PonPort
        fields = [
            "id", "olt_id", "index", "if_index", "name", "is_up", "tx_power_dbm", "temperature_c", "onu_count",
            "online_count", "last_seen_at",
        ]  # fmt: skip


class PonPortFilter(HouseFilterSet):
    olt_id = django_filters.UUIDFilter(field_name="olt_id")

    class Meta:
        model = PonPort
        fields = {"index": ["exact"], "is_up": ["exact"]}


class PonPortViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """PON ports as the last discovery saw them."""

    model = PonPort
    serializer_class = PonPortSerializer
    filterset_class = PonPortFilter
    ordering_fields = ("index", "onu_count")
    search_fields = ("index", "name")


class OnuSerializer(HouseSerializer[Onu]):
    olt_id = serializers.UUIDField(read_only=True)
    pon_port_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = Onu
        fields = [
            "id", "olt_id", "pon_port_id", "index", "serial", "description", "model", "status", "last_down_cause",
            "distance_m", "rx_power_dbm", "tx_power_dbm", "olt_rx_power_dbm", "temperature_c", "voltage_v",
            "bias_ma", "up_bytes", "down_bytes", "first_seen_at", "last_seen_at", "measured_at", "vanished_at",
        ]  # fmt: skip


class OnuFilter(HouseFilterSet):
    olt_id = django_filters.UUIDFilter(field_name="olt_id")
    pon_port_id = django_filters.UUIDFilter(field_name="pon_port_id")
    status = django_filters.ChoiceFilter(choices=OnuStatus.choices)
    last_down_cause = django_filters.ChoiceFilter(choices=DownCause.choices)

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

    def allowed_parameters(self) -> frozenset[str]:
        if self.action == "readings":
            return frozenset({"at__gte", "at__lt"})
        return super().allowed_parameters()


class DiscoveryRunSerializer(HouseSerializer[DiscoveryRun]):
    olt_id = serializers.UUIDField(read_only=True)
    task_id = serializers.UUIDField(source="job_id", read_only=True)

    class Meta:
        model = DiscoveryRun
        fields = [
            "id", "olt_id", "task_id", "outcome", "message", "onus_seen", "onus_new", "onus_vanished", "started_at",
            "finished_at",
        ]  # fmt: skip


class DiscoveryRunFilter(HouseFilterSet):
    olt_id = django_filters.UUIDFilter(field_name="olt_id")
    outcome = django_filters.ChoiceFilter(choices=RunOutcome.choices)

    class Meta:
        model = DiscoveryRun
        fields = {"started_at": ["gte", "lte"]}


class DiscoveryRunViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """How each discovery went."""

    model = DiscoveryRun
    serializer_class = DiscoveryRunSerializer
    filterset_class = DiscoveryRunFilter
    ordering_fields = ("started_at", "finished_at")


class DiscoverInput(StrictSerializer):
    """Which OLT: by id, or by the IP address it is registered under."""

    olt_id = IdField(required=False)
    ip = IpField(required=False)
    community = TextField(required=False, max_length=255, help_text="When given, must be the registered one.")
    vendor = ChoiceField(
        choices=Vendor.choices, required=False, help_text="When given, must be the registered one."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("olt_id") and not attrs.get("ip"):
            raise serializers.ValidationError({"ip": "Name the OLT by `olt_id` or by `ip`."}, code="required")
        return attrs


class DiscoveredOnuSerializer(serializers.Serializer[Any]):
    index = serializers.CharField()
    serial = serializers.CharField()
    rx_power_dbm = serializers.FloatField(allow_null=True, help_text="What the ONU receives, dBm.")
    tx_power_dbm = serializers.FloatField(allow_null=True)
    olt_rx_power_dbm = serializers.FloatField(
        allow_null=True, help_text="What the OLT receives of this ONU, dBm."
    )
    status = serializers.ChoiceField(choices=OnuStatus.choices)
    last_down_cause = serializers.ChoiceField(choices=DownCause.choices, allow_blank=True)
    distance_m = serializers.IntegerField(allow_null=True)
    temperature_c = serializers.FloatField(allow_null=True)
    description = serializers.CharField()
    model = serializers.CharField()


class DiscoverySerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=DISCOVERY_STATUSES)
    olt_id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    seen = serializers.IntegerField()
    new = serializers.IntegerField()
    vanished = serializers.IntegerField()
    warnings = serializers.ListField(child=serializers.CharField())
    onus = DiscoveredOnuSerializer(many=True)


class DiscoverView(ApiView):
    """Full discovery of one OLT, with signal levels."""

    app_label = "hardware"
    verbs: ClassVar[dict[str, str]] = {"post": "operate"}

    @extend_schema(
        request=DiscoverInput,
        responses={200: DiscoverySerializer, 202: TaskSerializer},
        operation_id="hardware_olt_discover",
    )
    def post(self, request: Request) -> Response:
        """Read every ONU of an OLT with its signal levels, and store it.

        Runs in the background; the answer waits up to 30 seconds (`Prefer: wait=N`) and is 202 with the
        task when it takes longer.
        """
        data = valid(DiscoverInput(data=request.data))
        olt = services.find_olt(**data)
        job = services.request_discovery(olt_id=olt.pk, user_id=caller_of(request._request).user_id)
        return accepted(request, job, default_wait=DISCOVER_WAIT_SECONDS)


@present("hardware.discover_olt")
def discovery_result(job: Job) -> dict[str, Any]:
    """Add the OLT's ONUs to a discovery's counts, read when asked: a task's row stays small."""
    assert job.result is not None
    return {
        **job.result,
        "onus": sorted(_seen_by(job).values(*ONU_ROW), key=lambda row: numbers_in(row["index"])),
    }


def _seen_by(job: Job) -> QuerySet[Onu]:
    """The ONUs a run listed that later runs still list, with their latest values."""
    assert job.result is not None
    run = DiscoveryRun.objects.get(pk=job.result["run_id"])
    return Onu.objects.filter(olt=run.olt_id, last_seen_at__gte=run.started_at)


def _moment(request: Request, name: str) -> Any:
    value = request.query_params.get(name)
    if value is None:
        return None
    try:
        return serializers.DateTimeField().to_internal_value(value)
    except serializers.ValidationError as error:
        message = f"`{name}` must be a time such as 2026-01-31T00:00:00Z."
        raise ApiError(400, "malformed_request", message, field=name) from error
