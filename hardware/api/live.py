"""Readings on demand: an OLT without its optics, one ONU, the PON ports; live, or stored and so marked."""

from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hardware import services
from hardware.api.device_status import present_device_status
from hardware.api.discovery import DISCOVERY_STATUSES, DiscoverInput, seen_by
from hardware.api.olts import CardSerializer
from hardware.models import AdminState, DownCause, Olt, Onu, OnuStatus, PonPort, Signal
from hardware.selectors import age_seconds, numbers_in
from hardware.services import live
from ispcore.api.fields import BooleanField, IntegerField, TextField
from ispcore.api.request import caller_of
from ispcore.api.views import ApiView, valid
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.jobs.models import Job
from ispcore.jobs.results import present

SOURCES = (live.LIVE, live.CACHED)
SYNC_WAIT_SECONDS = 30
LIVE_WAIT_SECONDS = 15  # The reading in progress, then two tries: see LIVE_DEADLINE_SECONDS.
MAX_AGE_SECONDS = 31 * 24 * 3600

SYSTEM = ("sys_name", "sys_descr", "sys_object_id", "model", "uptime_seconds")
SYNC_ONU = (
    "index", "serial", "status", "last_down_cause", "admin_state", "distance_m", "description", "model",
    "line_profile", "service_profile", "up_bytes", "down_bytes",
)  # fmt: skip
STATUS = (
    "index", "serial", "status", "last_down_cause", "distance_m", "up_bytes", "down_bytes", "status_changed_at",
)  # fmt: skip
OPTICS = (
    "signal", "rx_power_dbm", "tx_power_dbm", "olt_rx_power_dbm", "temperature_c", "voltage_v", "bias_ma",
)  # fmt: skip
PORT = (
    "index", "name", "is_up", "onu_count", "online_count", "tx_power_dbm", "temperature_c", "up_bytes",
    "down_bytes", "up_bps", "down_bps", "counted_at",
)  # fmt: skip


class CacheInput(DiscoverInput):
    cached = BooleanField(
        default=False,
        help_text="True: when the device does not answer, the stored values do, with their age.",
    )
    max_age = IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_AGE_SECONDS,
        help_text="Seconds: as `cached`, if the stored values are no older than this.",
    )


class OnuInput(CacheInput):
    """Which OLT, and which of its ONUs: by serial or by index."""

    serial = TextField(max_length=32, required=False)
    index = TextField(max_length=40, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if not attrs.get("serial") and not attrs.get("index"):
            message = "Name the ONU by `serial` or by `index`."
            raise serializers.ValidationError({"serial": message}, code="required")
        return attrs


class SourceSerializer(serializers.Serializer[Any]):
    source = serializers.ChoiceField(choices=SOURCES)  # type: ignore[assignment]
    observed_at = serializers.DateTimeField(allow_null=True)
    age_seconds = serializers.IntegerField(allow_null=True)


class OnuLiveStatusSerializer(SourceSerializer):
    olt_id = serializers.UUIDField()
    onu_id = serializers.UUIDField()
    index = serializers.CharField()
    serial = serializers.CharField()
    status = serializers.ChoiceField(choices=OnuStatus.choices)
    last_down_cause = serializers.ChoiceField(choices=DownCause.choices, allow_blank=True)
    status_changed_at = serializers.DateTimeField(allow_null=True)
    distance_m = serializers.IntegerField(allow_null=True)
    up_bytes = serializers.IntegerField(allow_null=True)
    down_bytes = serializers.IntegerField(allow_null=True)


class OnuLiveSignalSerializer(OnuLiveStatusSerializer):
    signal = serializers.ChoiceField(choices=Signal.choices)
    rx_power_dbm = serializers.FloatField(allow_null=True, help_text="What the ONU receives, dBm.")
    tx_power_dbm = serializers.FloatField(allow_null=True)
    olt_rx_power_dbm = serializers.FloatField(allow_null=True, help_text="What the OLT receives of it, dBm.")
    temperature_c = serializers.FloatField(allow_null=True)
    voltage_v = serializers.FloatField(allow_null=True)
    bias_ma = serializers.FloatField(allow_null=True)


class PortStatsSerializer(serializers.ModelSerializer[PonPort]):
    up_bytes = serializers.IntegerField(allow_null=True)
    down_bytes = serializers.IntegerField(allow_null=True)

    class Meta:
        model = PonPort
        fields = PORT


class PonStatsSerializer(SourceSerializer):
    olt_id = serializers.UUIDField()
    ports = PortStatsSerializer(many=True)


class SystemSerializer(serializers.Serializer[Any]):
    sys_name = serializers.CharField()
    sys_descr = serializers.CharField()
    sys_object_id = serializers.CharField()
    model = serializers.CharField()
    uptime_seconds = serializers.IntegerField(allow_null=True)


class SyncedOnuSerializer(serializers.Serializer[Any]):
    index = serializers.CharField()
    serial = serializers.CharField()
    status = serializers.ChoiceField(choices=OnuStatus.choices)
    last_down_cause = serializers.ChoiceField(choices=DownCause.choices, allow_blank=True)
    admin_state = serializers.ChoiceField(choices=AdminState.choices, allow_blank=True)
    distance_m = serializers.IntegerField(allow_null=True)
    description = serializers.CharField()
    model = serializers.CharField()
    line_profile = serializers.CharField()
    service_profile = serializers.CharField()
    up_bytes = serializers.IntegerField(allow_null=True)
    down_bytes = serializers.IntegerField(allow_null=True)


class SyncSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=DISCOVERY_STATUSES)
    olt_id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    seen = serializers.IntegerField()
    new = serializers.IntegerField()
    vanished = serializers.IntegerField()
    warnings = serializers.ListField(child=serializers.CharField())
    system = SystemSerializer()
    cards = CardSerializer(many=True)
    ports = PortStatsSerializer(many=True)
    onus = SyncedOnuSerializer(many=True)


class LiveView(ApiView):
    """A reading on demand."""

    app_label = "hardware"
    verbs: ClassVar[dict[str, str]] = {"post": "operate"}

    def named(self, data: dict[str, Any]) -> Olt:
        """Find the OLT the body names."""
        return services.find_olt(
            **{name: data[name] for name in ("olt_id", "ip", "community", "vendor") if name in data}
        )

    def read_onu(self, request: Request, kind: str) -> Response:
        data = valid(OnuInput(data=request.data))
        serial = data.get("serial")
        onu = live.find_onu(
            olt=self.named(data), serial=serial.upper() if serial else None, index=data.get("index")
        )
        job = live.request_onu_reading(
            onu_id=onu.pk,
            kind=kind,
            user_id=caller_of(request._request).user_id,
            max_age_seconds=_max_age(data),
        )
        return accepted(request, job, default_wait=LIVE_WAIT_SECONDS)


class SyncView(LiveView):
    """An OLT's parts, read now."""

    @extend_schema(
        request=DiscoverInput,
        responses={200: SyncSerializer, 202: TaskSerializer},
        operation_id="hardware_olt_sync",
    )
    def post(self, request: Request) -> Response:
        """Read an OLT's system, cards, ports and ONUs without their optics, and store them.

        Runs in the background; the answer waits up to 30 seconds (`Prefer: wait=N`) and is 202 with the
        task when it takes longer.
        """
        olt = self.named(valid(DiscoverInput(data=request.data)))
        job = services.request_sync(olt_id=olt.pk, user_id=caller_of(request._request).user_id)
        return accepted(request, job, default_wait=SYNC_WAIT_SECONDS)


class OnuStatusView(LiveView):
    """One ONU's state, read now."""

    @extend_schema(
        request=OnuInput,
        responses={200: OnuLiveStatusSerializer, 202: TaskSerializer},
        operation_id="hardware_onu_status",
    )
    def post(self, request: Request) -> Response:
        """Read whether an ONU is online, and store it.

        When the OLT does not answer within five seconds: 503 `device_unreachable`, or the stored values with
        their age where `cached` or `max_age` allows.
        """
        return self.read_onu(request, "status")


class OnuSignalView(LiveView):
    """One ONU's optics, read now."""

    @extend_schema(
        request=OnuInput,
        responses={200: OnuLiveSignalSerializer, 202: TaskSerializer},
        operation_id="hardware_onu_signal",
    )
    def post(self, request: Request) -> Response:
        """Read an ONU's state and optics, and store them. 409 `not_supported_by_device` without optics.

        When the OLT does not answer within five seconds: 503 `device_unreachable`, or the stored values with
        their age where `cached` or `max_age` allows.
        """
        return self.read_onu(request, "signal")


class PonStatsView(LiveView):
    """An OLT's PON ports, read now."""

    @extend_schema(
        request=CacheInput,
        responses={200: PonStatsSerializer, 202: TaskSerializer},
        operation_id="hardware_pon_stats",
    )
    def post(self, request: Request) -> Response:
        """Read the PON ports' counters, and tell the rates since they were last read.

        A port whose counter was cleared, or whose OLT started anew, has no rate until it is read again.
        """
        data = valid(CacheInput(data=request.data))
        job = live.request_port_reading(
            olt_id=self.named(data).pk,
            user_id=caller_of(request._request).user_id,
            max_age_seconds=_max_age(data),
        )
        return accepted(request, job, default_wait=LIVE_WAIT_SECONDS)


@present("hardware.sync_olt")
def sync_result(job: Job) -> dict[str, Any]:
    """Add what is stored of the OLT now to a sync's counts."""
    assert job.result is not None
    olt = Olt.objects.get(pk=job.result["olt_id"])
    onus = [{name: _plain(value) for name, value in row.items()} for row in seen_by(job).values(*SYNC_ONU)]
    return {
        **job.result,
        "system": {name: getattr(olt, name) for name in SYSTEM},
        "cards": olt.cards,
        "ports": _ports(olt),
        "onus": sorted(onus, key=lambda row: numbers_in(row["index"])),
    }


@present("hardware.read_onu")
def onu_result(job: Job) -> dict[str, Any]:
    assert job.result is not None
    onu = Onu.objects.select_related("olt", "pon_port", "subscription").get(pk=job.result["onu_id"])
    if job.result["shown_as"] == "device_status":
        return present_device_status(onu)
    is_signal = job.params["kind"] == "signal"
    observed_at = onu.measured_at if is_signal else onu.observed_at
    return {
        "source": job.result["source"],
        "observed_at": observed_at,
        "age_seconds": age_seconds(observed_at, timezone.now()),
        "olt_id": onu.olt_id,
        "onu_id": onu.pk,
        **{name: _plain(getattr(onu, name)) for name in STATUS + (OPTICS if is_signal else ())},
    }


@present("hardware.read_ports")
def ports_result(job: Job) -> dict[str, Any]:
    assert job.result is not None
    ports = _ports(Olt.objects.get(pk=job.result["olt_id"]))
    observed_at = max((port["counted_at"] for port in ports if port["counted_at"]), default=None)
    return {
        "source": job.result["source"],
        "observed_at": observed_at,
        "age_seconds": age_seconds(observed_at, timezone.now()),
        "olt_id": job.result["olt_id"],
        "ports": ports,
    }


def _ports(olt: Olt) -> list[dict[str, Any]]:
    rows = PonPort.objects.filter(olt=olt).values(*PORT)
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    return sorted(plain, key=lambda row: numbers_in(row["index"]))


def _plain(value: Any) -> Any:
    """Show a counter as the number it is."""
    return int(value) if isinstance(value, Decimal) else value


def _max_age(data: dict[str, Any]) -> int | None:
    """Return how old stored values may be: None for not at all, 0 for any age."""
    return data.get("max_age") or (0 if data["cached"] else None)
