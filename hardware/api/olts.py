from typing import Any, ClassVar

import django_filters
from django.core.validators import RegexValidator
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hardware import services
from hardware.models import Olt, PonPort, Vendor
from hardware.selectors import Telemetry, age_seconds, telemetry_of_olt
from hardware.services import signal, waiting
from ispcore.api.fields import HouseSerializer, IpField, TextField, WriteOnlySecret
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, created, valid
from ispcore.jobs.api import TaskSerializer, accepted

REFRESH_WAIT_SECONDS = 30


# What is typed at a log-in prompt must not end the line.
ONE_LINE = RegexValidator(r"^[^\x00-\x1f\x7f]+\Z", "One line without control characters.")


class CardSerializer(serializers.Serializer[Any]):
    """A board, as the OLT names it."""

    index = serializers.CharField()
    name = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    serial = serializers.CharField(allow_null=True)


class OltSerializer(HouseSerializer[Olt]):
    name = TextField(max_length=80)
    ip = IpField()
    community = WriteOnlySecret(max_length=255)
    write_community = WriteOnlySecret(max_length=255, required=False, allow_blank=True)
    cli_username = TextField(max_length=64, required=False, allow_blank=True, validators=[ONE_LINE])
    cli_password = WriteOnlySecret(max_length=255, required=False, allow_blank=True, validators=[ONE_LINE])
    site = TextField(max_length=80, required=False, allow_blank=True)
    notes = TextField(max_length=2000, required=False, allow_blank=True)
    cards = CardSerializer(many=True, read_only=True)
    telemetry = serializers.SerializerMethodField(help_text="`stale`: it has not answered for three polls.")
    age_seconds = serializers.SerializerMethodField(help_text="Since its last answer.")

    class Meta:
        model = Olt
        fields = [
            "id", "name", "vendor", "ip", "snmp_port", "snmp_version", "community", "write_community",
            "cli_protocol", "cli_port", "cli_username", "cli_password", "cli_host_key", "pon_class", "is_polled",
            "site", "notes", "sys_name",
            "sys_descr", "sys_object_id", "model", "dialect", "cards", "uptime_seconds", "last_answer_at",
            "last_error", "telemetry", "age_seconds", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = [
            "sys_name", "sys_descr", "sys_object_id", "model", "dialect", "uptime_seconds", "last_answer_at",
            "last_error",
        ]  # fmt: skip

    @extend_schema_field(serializers.ChoiceField(choices=Telemetry.choices))
    def get_telemetry(self, olt: Olt) -> str:
        return telemetry_of_olt(olt, timezone.now())

    def get_age_seconds(self, olt: Olt) -> int | None:
        return age_seconds(olt.last_answer_at, timezone.now())


class WaitingRefreshSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["success"])
    olt_id = serializers.UUIDField()
    waiting = serializers.IntegerField(help_text="How many wait there now.")


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
    verbs: ClassVar[dict[str, str]] = {"refresh_waiting": "operate"}

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
        services.remove_olt(olt_id=self.get_object().pk, at=timezone.now())
        return Response(status=204)

    @extend_schema(request=None, responses={200: WaitingRefreshSerializer, 202: TaskSerializer})
    @action(detail=True, methods=["post"], url_path="refresh-waiting")
    def refresh_waiting(self, request: Request, pk: str) -> Response:
        """Ask the OLT which ONUs wait for authorisation; `hardware/waiting-onus` lists them then."""
        user_id = caller_of(request._request).user_id
        job = waiting.request_refresh_waiting(olt_id=self.get_object().pk, user_id=user_id)
        return accepted(request, job, default_wait=REFRESH_WAIT_SECONDS)

    def _change(self, request: Request, *, partial: bool) -> Response:
        olt = self.get_object()
        optics = olt.pon_class
        serializer = self.get_serializer(olt, data=request.data, partial=partial)
        valid(serializer)
        self.record = serializer.save()
        if self.record.pon_class != optics:
            signal.classify_olt(olt_id=olt.pk)
        return Response(serializer.data)


class PonPortSerializer(HouseSerializer[PonPort]):
    olt_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = PonPort
        fields = [
            "id", "olt_id", "index", "if_index", "name", "is_up", "tx_power_dbm", "temperature_c", "onu_count",
            "online_count", "up_bytes", "down_bytes", "up_bps", "down_bps", "counted_at", "last_seen_at",
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
