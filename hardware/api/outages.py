from typing import Any, ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hardware.models import Outage, OutageCause, OutageOnu, OutageStatus
from hardware.services import outages
from ispcore.api.fields import HouseSerializer, StrictSerializer, TextField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, valid

MAX_MEMBERS = 5000


class OutageSerializer(HouseSerializer[Outage]):
    olt_id = serializers.UUIDField(read_only=True)
    pon_port_id = serializers.UUIDField(read_only=True, allow_null=True)
    closed_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = Outage
        fields = [
            "id", "olt_id", "pon_port_id", "cause", "status", "onus_affected", "customers_affected", "note",
            "started_at", "confirmed_at", "resolved_at", "closed_at", "closed_by_id", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class OutageNoteInput(StrictSerializer):
    note = TextField(max_length=500, allow_blank=True)


class OutageMemberSerializer(serializers.Serializer[Any]):
    onu_id = serializers.UUIDField()
    serial = serializers.CharField(source="onu.serial")
    index = serializers.CharField(source="onu.index")
    description = serializers.CharField(source="onu.description")
    service_id = serializers.UUIDField(source="onu.subscription_id", allow_null=True)
    down_at = serializers.DateTimeField()
    up_at = serializers.DateTimeField(allow_null=True)


class OutageFilter(HouseFilterSet):
    olt_id = django_filters.UUIDFilter(field_name="olt_id")
    pon_port_id = django_filters.UUIDFilter(field_name="pon_port_id")
    status = django_filters.ChoiceFilter(choices=OutageStatus.choices)
    cause = django_filters.ChoiceFilter(choices=OutageCause.choices)

    class Meta:
        model = Outage
        fields = {"started_at": ["gte", "lte"]}


class OutageViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """ONUs of one PON port that went down together, or a whole OLT (`pon_port_id` null) that fell silent.

    A power failure over several ports is one outage per port.
    """

    model = Outage
    serializer_class = OutageSerializer
    filterset_class = OutageFilter
    ordering_fields = ("started_at", "onus_affected", "customers_affected")
    verbs: ClassVar[dict[str, str]] = {"confirm": "change", "close": "change", "members": "view"}

    @extend_schema(request=OutageNoteInput, responses=OutageSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Write a note on an outage."""
        outage = self.get_object()
        data = valid(OutageNoteInput(data=request.data))
        return self._shown(outages.note_outage(outage_id=outage.pk, note=data["note"]))

    @extend_schema(request=None, responses=OutageSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Say that a suspected outage is one. Repeating it changes nothing."""
        outage = self.get_object()
        return self._shown(outages.confirm_outage(outage_id=outage.pk, at=timezone.now()))

    @extend_schema(request=None, responses=OutageSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """File an outage away. Repeating it changes nothing."""
        outage = self.get_object()
        user_id = caller_of(request._request).user_id
        return self._shown(outages.close_outage(outage_id=outage.pk, at=timezone.now(), user_id=user_id))

    @extend_schema(responses=OutageMemberSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def members(self, request: Request, pk: str) -> Response:
        """The ONUs an outage took down, first down first; at most 5,000."""
        outage = self.get_object()
        rows = OutageOnu.objects.filter(outage=outage).select_related("onu").order_by("down_at", "id")
        return Response(OutageMemberSerializer(rows[:MAX_MEMBERS], many=True).data)

    def _shown(self, outage: Outage) -> Response:
        self.record = outage
        return Response(self.get_serializer(outage).data)
