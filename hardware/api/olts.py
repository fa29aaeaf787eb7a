import django_filters
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hardware import services
from hardware.models import Olt, PonPort, Vendor
from ispcore.api.fields import HouseSerializer, IpField, TextField, WriteOnlySecret
from ispcore.api.filters import HouseFilterSet
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, created, valid


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
