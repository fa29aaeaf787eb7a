from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hardware import services
from hardware.models import DiscoveryRun, DownCause, Onu, OnuStatus, RunOutcome, Vendor
from hardware.selectors import numbers_in
from ispcore.api.fields import ChoiceField, HouseSerializer, IdField, IpField, StrictSerializer, TextField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ApiView, ListModelMixin, RetrieveModelMixin, TenantViewSet, valid
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.jobs.models import Job
from ispcore.jobs.results import present

DISCOVER_WAIT_SECONDS = 30
DISCOVERY_STATUSES = ("success", "partial")

# What the reference's discovery example shows, and what else staff look at first.
ONU_ROW = (
    "index", "serial", "rx_power_dbm", "tx_power_dbm", "olt_rx_power_dbm", "status", "last_down_cause",
    "distance_m", "temperature_c", "description", "model",
)  # fmt: skip


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
        "onus": sorted(seen_by(job).values(*ONU_ROW), key=lambda row: numbers_in(row["index"])),
    }


def seen_by(job: Job) -> QuerySet[Onu]:
    """The ONUs a run listed that later runs still list, with their latest values."""
    assert job.result is not None
    run = DiscoveryRun.objects.get(pk=job.result["run_id"])
    return Onu.objects.filter(olt=run.olt_id, last_seen_at__gte=run.started_at)
